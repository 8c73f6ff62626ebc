"""IAM policies are what IAM understands: `parliament` over every policy that is declared, wherever it stands."""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pulumi_aws as aws
import pytest

from quintet.sandbox.engine.recording import Recording
from tests.stacks.declaring import EVERYTHING, STACKS, Declare

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it finds its data by setuptools' pkg_resources, which tells everybody to leave it
    import parliament

NO_RESOURCE = "Statement contains neither Resource nor NotResource"
# By type and input: what parliament says of a policy that is right, and why it is.
RIGHT: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("aws:kms/key:Key", "policy"): {
        "RESOURCE_STAR": "in a key's own policy the resource is always `*`: the key",
        "PERMISSIONS_MANAGEMENT_ACTIONS": "without the account's root nobody could administer the key ever again",
    },
    ("aws:iam/role:Role", "assumeRolePolicy"): {NO_RESOURCE: "a trust policy is about its role and names no resource"},
    ("aws:ecr/repositoryPolicy:RepositoryPolicy", "policy"): {NO_RESOURCE: "it is about its repository"},
}


def findings(recording: Recording) -> list[str]:
    """What parliament says of all policies but what is known to be right."""
    return [
        f"{item.type} {item.name}: {key}: {finding.issue} {finding.detail or ''} {finding.location.get('string', '')}"
        for item in recording.resources
        for key, value in item.inputs.items()
        for text in policies(value)
        for finding in parliament.analyze_policy_string(text, include_community_auditors=True).findings
        if not {finding.issue, str(finding.detail)} & RIGHT.get((item.type, key), {}).keys()
    ]


def policies(value: Any) -> Iterator[str]:
    if isinstance(value, str) and '"Statement"' in value:
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from policies(item)


@pytest.mark.parametrize("stack", STACKS)
def test_the_policies_of_every_stack_are_sound(program: Callable[..., Recording], stack: str) -> None:
    recording = program(stack)

    assert sum(1 for item in recording.resources for _ in policies(list(item.inputs.values()))) >= 6
    assert findings(recording) == []


def test_the_policies_are_sound_with_every_option_on(program: Callable[..., Recording]) -> None:
    assert findings(program("dev", **EVERYTHING)) == []


BUCKET = "arn:aws:s3:::photos"
SEEDED = [
    ({"Action": "s3:GetObjct"}, "RolePolicy p: policy: UNKNOWN_ACTION Unknown action s3:GetObjct"),
    ({"Action": "s4:GetObject"}, "UNKNOWN_PREFIX Unknown prefix s4"),
    ({"Effect": "Alow"}, "MALFORMED"),
    ({"Action": "s3:GetObject", "Resource": BUCKET}, "RESOURCE_MISMATCH"),
    ({"Action": "s3:ListBucket", "Resource": f"{BUCKET}/*"}, "RESOURCE_MISMATCH"),
    ({"Resource": "photos"}, "INVALID_ARN"),
    ({"Action": "s3:GetObject", "Resource": "*"}, "RESOURCE_STAR"),
    ({"Sid": "two words"}, "INVALID_SID  two words"),
    ({"Condition": {"StringEqals": {"aws:SourceAccount": "1"}}}, "UNKNOWN_OPERATOR"),
    ({"Condition": {"StringEquals": {"s3:Colour": "red"}}}, "UNKNOWN_CONDITION_FOR_ACTION"),
    ({"Action": "iam:PutRolePolicy", "Resource": "arn:aws:iam::123456789012:role/r"}, "PERMISSIONS_MANAGEMENT_ACTIONS"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "message"), SEEDED)
def test_what_iam_would_take_otherwise_is_found(declare: Declare, statement: dict[str, Any], message: str) -> None:
    given = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{BUCKET}/a"} | statement
    text = json.dumps({"Version": "2012-10-17", "Statement": [given]})

    found = findings(declare(lambda: aws.iam.RolePolicy("p", role="r", policy=text)))

    assert [finding for finding in found if message in finding], found
