"""What a service's role may do is what the service does: every grant is used or justified, every call granted."""

import json
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from quintet.errors import Exit
from quintet.sandbox.calls import Call, CallLog
from quintet.sandbox.denials import DenialLog
from quintet.smoke.services import known
from tests.system.conftest import LiveCheckout
from tests.system.permissions import Role, deployed_role, findings, table

ROLE = "aws:iam/role:Role"
QUIET_SECONDS = 2.0  # logs are sent twice a second, decisions right after the answer
PATIENCE_SECONDS = 30.0


def moderate_everything(client: httpx.Client) -> None:
    """A batch of more decisions than one BatchWriteItem takes, and what is refused, which is logged as well."""
    texts = [f"You are a stupid idiot, number {number}." for number in range(32)]
    assert client.post("moderate/batch", json={"texts": texts}).status_code == 200
    assert client.post("moderate", json={"text": ""}).status_code == 422
    assert client.post("moderate", content=b"{").status_code == 415
    assert client.get("nowhere").status_code == 404


def judge_everything(client: httpx.Client) -> None:
    """A batch, and what is refused; its pods have read their model before they were ready."""
    texts = [f"What a lovely day, number {number}." for number in range(32)]
    assert client.post("predict/batch", json={"texts": texts}).status_code == 200
    assert client.post("predict", json={"text": ""}).status_code == 422
    assert client.get("nowhere").status_code == 404


# Everything that makes a service call AWS, beyond its smoke checks, which `quintet up` has run.
EXERCISES: dict[str, Callable[[httpx.Client], None]] = {
    "moderation": moderate_everything,
    "sentiment": judge_everything,
}
OF_AWS = ("cluster-role", "cluster-node-role", "network-flow-role")
"""Roles that AWS's own services use, which nobody plays here; rules over the program hold them (tests/stacks)."""


@pytest.fixture(scope="module")
def recorded(sandbox: LiveCheckout) -> Iterator[LiveCheckout]:
    """The sandbox with every call of a role written down; its functions start cold."""
    sandbox.run("down")
    up = sandbox.up(QUINTET_RECORD_CALLS="1")
    assert up.returncode == 0, up.stdout + up.stderr
    yield sandbox
    sandbox.run("down")


@pytest.fixture
def edited(recorded: LiveCheckout) -> Iterator[LiveCheckout]:
    """The same, for a test that changes the program."""
    yield recorded
    recorded.restore()
    recorded.up()


def allowed(checkout: LiveCheckout) -> list[Call]:
    return CallLog(checkout.home / "logs" / "calls.jsonl", Call).since()


def denials(checkout: LiveCheckout) -> DenialLog:
    return DenialLog(checkout.home / "logs" / "denials.jsonl")


def exercise(checkout: LiveCheckout) -> None:
    """Use every service, and wait until no more calls come of it."""
    for name in checkout.status()["services"]:
        with httpx.Client(base_url=checkout.url(name), timeout=30) as client:
            EXERCISES[name](client)
    deadline, before, quiet_since = time.monotonic() + PATIENCE_SECONDS, -1, time.monotonic()
    while time.monotonic() < quiet_since + QUIET_SECONDS:
        assert time.monotonic() < deadline, "calls of AWS do not come to an end"
        if (now := len(allowed(checkout))) != before:
            before, quiet_since = now, time.monotonic()
        time.sleep(0.1)


def roles(checkout: LiveCheckout) -> list[Role]:
    """Every role that the program has deployed."""
    resources = json.loads((checkout.home / "state.json").read_text())["resources"]
    iam = checkout.client("iam")
    return [
        deployed_role(iam, service_of(resource["name"]), resource["id"])
        for resource in resources
        if resource["type"] == ROLE and resource["name"] not in OF_AWS
    ]


def service_of(logical_name: str) -> str:
    services = [name for name in known() if logical_name.split("-", maxsplit=1)[0] == name]
    assert services, f"no service's name is at the beginning of that of the role {logical_name}"
    return services[0]


def test_every_service_is_exercised(recorded: LiveCheckout) -> None:
    assert set(recorded.status()["services"]) == set(EXERCISES)
    assert {role.service for role in roles(recorded)} == set(EXERCISES)


def test_every_grant_is_used_or_justified_and_every_call_is_granted(recorded: LiveCheckout) -> None:
    mark = denials(recorded).mark()

    exercise(recorded)

    calls, refused = allowed(recorded), denials(recorded).since(mark)
    found = [sentence for role in roles(recorded) for sentence in findings(role, calls, refused)]
    assert found == [], "\n".join(found + [line for role in roles(recorded) for line in table(role, calls)])


def test_a_grant_that_nothing_uses_is_told(edited: LiveCheckout) -> None:
    edited.edit(
        "stacks/moderation.py",
        'decisions.write("dynamodb:BatchWriteItem")',
        'decisions.write("dynamodb:BatchWriteItem", "dynamodb:DeleteItem")',
    )
    edited.up_json()

    exercise(edited)

    [role] = [role for role in roles(edited) if role.service == "moderation"]
    table_arn = next(grant.resource for grant in role.grants if grant.action == "dynamodb:DeleteItem")
    [told] = findings(role, allowed(edited), [])
    assert told.startswith(f"moderation: the role {role.name} may dynamodb:DeleteItem on {table_arn}, and nothing")
    assert "stacks/moderation.py" in told


def test_a_call_that_is_not_granted_is_told(edited: LiveCheckout) -> None:
    edited.edit("stacks/moderation.py", 'decisions.write("dynamodb:BatchWriteItem")', "decisions.read()")
    mark = denials(edited).mark()

    up = edited.up()

    [role] = [role for role in roles(edited) if role.service == "moderation"]
    told = findings(role, allowed(edited), denials(edited).since(mark))
    table_arn = next(grant.resource for grant in role.grants if grant.action == "dynamodb:GetItem")
    assert up.returncode == Exit.FAILED
    assert told[0].startswith(
        f"moderation: the role {role.name} may not dynamodb:BatchWriteItem on {table_arn}, and the service made"
    )
