"""Every stack of the program keeps to every rule, when it is updated and when it is previewed."""

from collections.abc import Callable

import pytest

from quintet.sandbox.engine.recording import Recording
from tests.stacks.declaring import EVERYTHING, STACKS
from tests.stacks.policy.judging import verdicts

Program = Callable[..., Recording]


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("preview", [False, True], ids=["update", "preview"])
def test_no_rule_finds_anything(program: Program, stack: str, preview: bool) -> None:
    assert verdicts(program(stack, preview=preview)) == []


def test_no_rule_finds_anything_with_every_option_on(program: Program) -> None:
    recording = program("prod", **EVERYTHING)

    assert verdicts(recording) == []


def test_a_production_that_is_not_protected_is_found_in_the_program_itself(program: Program) -> None:
    found = verdicts(program("prod", protected=False), "data-outlives-mistakes")

    assert len([message for message in found if "Bucket " in message]) == 6
    assert any("moderation-decisions-table: can be deleted: `deletionProtectionEnabled`" in text for text in found)


def test_a_development_stack_may_be_unprotected(program: Program) -> None:
    assert verdicts(program("dev", protected=False), "data-outlives-mistakes") == []
