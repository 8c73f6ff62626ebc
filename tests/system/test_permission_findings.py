"""What a role may do, compared with what it did: each mistake is found, and the sentence says what to do."""

import json
from typing import Any

import pytest

from quintet.sandbox.calls import Call
from tests.system.permissions import Grant, Role, findings, grants_in, table

THINGS = "arn:aws:dynamodb:us-east-1:123456789012:table/things"
WRITE = Grant("dynamodb:PutItem", THINGS)


def call(action: str, resource: str = THINGS, role: str = "echo-role") -> Call:
    return Call("2026-01-01T00:00:00", f"arn:aws:sts::123456789012:assumed-role/{role}/session", action, resource)


def told(*grants: Grant, allowed: tuple[Call, ...] = (), refused: tuple[Call, ...] = ()) -> list[str]:
    return findings(Role("echo", "echo-role", grants), allowed, refused)


def test_what_is_granted_and_used_is_no_finding() -> None:
    assert told(WRITE, allowed=(call("dynamodb:PutItem"),)) == []


def test_an_unused_grant_is_told_with_service_role_action_and_resource() -> None:
    [sentence] = told(WRITE)

    assert sentence.startswith(f"echo: the role echo-role may dynamodb:PutItem on {THINGS}, and nothing that was tried")
    assert "Take it out of the use in stacks/echo.py" in sentence
    assert "Statement(untried=...)" in sentence


def test_the_call_of_another_role_is_no_use() -> None:
    assert len(told(WRITE, allowed=(call("dynamodb:PutItem", role="other-role"),))) == 1


def test_each_resource_of_a_statement_is_looked_at() -> None:
    index = Grant("dynamodb:Query", f"{THINGS}/index/by-day")

    [sentence] = told(Grant("dynamodb:Query", THINGS), index, allowed=(call("dynamodb:Query"),))

    assert f"dynamodb:Query on {THINGS}/index/by-day" in sentence


def test_a_written_justification_is_enough() -> None:
    assert told(Grant("xray:PutTraceSegments", "*", "XRayHasNoResourcesUntriedNoXRayHere")) == []


def test_a_justification_of_what_is_used_is_told() -> None:
    justified = Grant("dynamodb:PutItem", THINGS, "UntriedNobodyWritesHere")

    [sentence] = told(justified, allowed=(call("dynamodb:PutItem"),))

    assert "Remove `untried`" in sentence


def test_a_family_of_actions_is_not_used_by_one_of_them() -> None:
    [sentence] = told(Grant("dynamodb:*", THINGS), allowed=(call("dynamodb:PutItem"),))

    assert "a family of actions. Name those that the code calls" in sentence


def test_a_refused_call_is_told_once_with_what_to_add() -> None:
    twice = (call("dynamodb:GetItem"), call("dynamodb:GetItem"))

    [sentence] = told(WRITE, allowed=(call("dynamodb:PutItem"),), refused=twice)

    assert sentence.startswith(f"echo: the role echo-role may not dynamodb:GetItem on {THINGS}, and the service made")
    assert "Add the use that grants it, such as `table.write()`, in stacks/echo.py" in sentence


def test_a_call_that_only_the_resource_allows_is_told() -> None:
    bucket = "arn:aws:s3:::open/key"

    [sentence] = told(WRITE, allowed=(call("dynamodb:PutItem"), call("s3:GetObject", bucket)))

    assert f"s3:GetObject on {bucket} by that resource's own policy only" in sentence


def test_patterns_match_as_those_of_iam_do() -> None:
    grant = Grant("s3:getobject", "arn:aws:s3:::models/v?/*")

    assert grant.allows(call("s3:GetObject", "arn:aws:s3:::models/v1/a/b"))
    assert not grant.allows(call("s3:GetObject", "arn:aws:s3:::Models/v1/a"))


def test_a_policy_is_read_pair_by_pair() -> None:
    statement = {"Sid": "Why", "Effect": "Allow", "Action": ["a:A", "a:B"], "Resource": "r"}
    refusal = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement, refusal]})

    assert list(grants_in(policy)) == [Grant("a:A", "r", "Why"), Grant("a:B", "r", "Why")]


@pytest.mark.parametrize("exception", [{"NotAction": "a:A", "Resource": "r"}, {"Action": "a:A", "NotResource": "r"}])
def test_a_statement_that_allows_all_but_something_cannot_be_compared(exception: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="name what is used"):
        list(grants_in({"Statement": {"Effect": "Allow", **exception}}))


def test_the_table_says_how_often_each_grant_was_used() -> None:
    role = Role("echo", "echo-role", (WRITE, Grant("xray:PutTraceSegments", "*", "UntriedNone")))

    written, traced = table(role, [call("dynamodb:PutItem"), call("dynamodb:PutItem")])

    assert written.endswith(f"dynamodb:PutItem on {THINGS}: 2 times")
    assert traced.endswith("justified (UntriedNone)")
