"""What a role may do on AWS and not in the sandbox has been tried by nobody, and says why."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from quintet.sandbox.engine.recording import Recording
from stacks.components.uses import UNTRIED
from tests.stacks.declaring import KEY, STACKS, statements
from tests.stacks.mistakes import edited

Program = Callable[..., Recording]
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"


def grants(recording: Recording) -> Iterator[tuple[str, str, str]]:
    """Policy, action and Sid of every grant."""
    for policy in recording.of(ROLE_POLICY):
        for statement in statements(policy):
            for action in statement["Action"]:
                yield policy.name, action, statement.get("Sid", "")


def untold(recording: Recording, sandbox: Recording) -> list[str]:
    """Grants that the system tests never see, and that give no reason for it."""
    tried = {(policy, action) for policy, action, _ in grants(sandbox)}
    return [
        f"{policy} grants {action}, which it does not in the sandbox: give its Statement `untried`"
        for policy, action, sid in grants(recording)
        if (policy, action) not in tried and UNTRIED not in sid
    ]


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("settings", [{}, {"kmsKey": KEY}], ids=["as-configured", "with-a-key"])
def test_every_grant_of_a_stack_is_tried_in_the_sandbox_or_says_why_not(
    program: Program, stack: str, settings: dict[str, Any]
) -> None:
    assert untold(program(stack, **settings), program("sandbox")) == []


def test_a_grant_of_one_stack_alone_is_told(program: Program) -> None:
    prod = edited(
        program("prod"), ROLE_POLICY, "moderation-role-policy", "policy", old="kms:GenerateMac", new="kms:VerifyMac"
    )

    assert untold(prod, program("sandbox")) == [
        "moderation-role-policy grants kms:VerifyMac, which it does not in the sandbox: give its Statement `untried`"
    ]
