"""The order of a rollout, from every point at which it may end."""

from pathlib import Path

import pytest

from quintet.checkout import Checkout
from quintet.errors import Exit, QuintetError
from quintet.rollout.journal import Journal, Phase
from quintet.rollout.judge import Decision
from quintet.rollout.machine import Outcome, Rollout
from quintet.rollout.reminder import reminders
from quintet.rollout.target import Target
from tests.quintet.rollout.fakes import (
    STABLE,
    WEIGHT,
    FakeStack,
    Killed,
    failing,
    interrupted,
    killed,
    seen,
    version,
)

GOOD, BAD, UNSURE = seen(Decision.PROMOTE), seen(Decision.ROLL_BACK), seen(Decision.UNDECIDED)
NEW_MODEL = {"sentimentModel": "2"}


@pytest.fixture
def stack() -> FakeStack:
    """Version 1 is live."""
    stack = FakeStack()
    stack.up()
    stack.ups.clear()
    return stack


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path, tmp_path / ".quintet")


@pytest.fixture
def journal(checkout: Checkout) -> Journal:
    return Journal(checkout, "sandbox")


@pytest.fixture
def rollout(stack: FakeStack, journal: Journal) -> Rollout:
    return Rollout(service="sentiment", deployer=stack, journal=journal)


def plain_up(stack: FakeStack) -> FakeStack:
    """`quintet up`, by somebody who has forgotten all about rollouts."""
    stack.up()
    return stack


def test_the_candidate_gets_its_share_beside_what_is_live(rollout: Rollout, stack: FakeStack):
    shares = []

    def look(target: Target):
        shares.append(dict(stack.shares))
        return GOOD(target)

    rollout.run(10, NEW_MODEL, look)

    assert shares == [{version("1"): 90, version("2"): 10}]


def test_a_good_candidate_is_live_alone_with_its_settings_and_those_of_the_rollout_are_gone(
    rollout: Rollout, stack: FakeStack
):
    outcome = rollout.run(10, NEW_MODEL, GOOD)

    assert outcome.promoted
    assert outcome.reason == ""
    assert stack.shares == {version("2"): 100}
    assert stack.values == NEW_MODEL


@pytest.mark.parametrize("look", [BAD, UNSURE])
def test_a_candidate_that_is_not_proven_good_is_gone_with_its_settings(rollout: Rollout, stack: FakeStack, look):
    outcome = rollout.run(10, NEW_MODEL, look)

    assert not outcome.promoted
    assert "error rate" in outcome.reason
    assert stack.shares == {version("1"): 100}
    assert stack.values == {}


def test_a_refused_program_stays_out_at_the_next_up(rollout: Rollout, stack: FakeStack, checkout: Checkout):
    stack.code = "b"

    outcome = rollout.run(10, {}, BAD)

    assert outcome.held
    assert plain_up(stack).shares == {version("1"): 100}
    assert "keeps sentiment/1 in sentiment@aaaaaaaaaaaa of" in reminders(checkout, "sandbox")[0]


def test_a_refused_setting_leaves_nothing_behind(rollout: Rollout, stack: FakeStack, checkout: Checkout):
    outcome = rollout.run(10, NEW_MODEL, BAD)

    assert not outcome.held
    assert reminders(checkout, "sandbox") == []
    assert plain_up(stack).shares == {version("1"): 100}


def test_a_setting_that_the_candidate_replaced_has_its_old_value_after_a_rollback(rollout: Rollout, stack: FakeStack):
    stack.values = {"sentimentModel": "1", "region": "eu-west-1"}

    rollout.run(10, NEW_MODEL, BAD)

    assert stack.values == {"sentimentModel": "1", "region": "eu-west-1"}


def test_a_corrected_program_is_rolled_out_against_what_a_rollback_holds(rollout: Rollout, stack: FakeStack):
    stack.code = "b"
    rollout.run(10, {}, BAD)
    stack.code = "c"

    outcome = rollout.run(10, {}, GOOD)

    assert outcome.live == version("1")
    assert outcome.promoted
    assert stack.shares == {version("1", "c"): 100}
    assert stack.values == {}


def test_what_is_live_already_is_nothing_to_roll_out(rollout: Rollout, stack: FakeStack, journal: Journal):
    with pytest.raises(QuintetError, match="nothing to roll out") as refused:
        rollout.run(10, {"sentimentCpu": "500"}, GOOD)

    assert refused.value.exit_code is Exit.USAGE
    assert stack.values == {}
    assert stack.shares == {version("1"): 100}
    assert journal.read("sentiment") is None


def test_a_candidate_that_never_becomes_ready_is_rolled_back_and_the_reason_told(rollout: Rollout, stack: FakeStack):
    stack.never_ready = {"sentiment/2/"}

    outcome = rollout.run(10, NEW_MODEL, GOOD)

    assert not outcome.promoted
    assert "did not become ready" in outcome.reason
    assert stack.shares == {version("1"): 100}
    assert stack.values == {}


def test_an_observation_that_fails_is_rolled_back(rollout: Rollout, stack: FakeStack):
    def blind(_: Target):
        raise QuintetError("no pod of the candidate became ready in 300 s")

    assert "no pod of the candidate" in rollout.run(10, NEW_MODEL, blind).reason
    assert stack.shares == {version("1"): 100}


def test_a_promotion_that_fails_is_rolled_back(rollout: Rollout, stack: FakeStack):
    stack.broken = {2: failing}

    outcome = rollout.run(10, NEW_MODEL, GOOD)

    assert outcome.reason == "the candidate could not be promoted: the cluster did not answer"
    assert stack.shares == {version("1"): 100}
    assert stack.values == {}


def test_a_way_back_that_fails_is_told_and_taken_by_the_next_rollback(rollout: Rollout, stack: FakeStack):
    stack.broken = {2: failing}
    with pytest.raises(QuintetError, match="and that failed: the cluster did not answer") as stuck:
        rollout.run(10, NEW_MODEL, BAD)

    outcome = rollout.back()

    assert "quintet rollback sentiment" in stuck.value.advice
    assert outcome is not None
    assert stack.shares == {version("1"): 100}


@pytest.mark.parametrize("deployment", [1, 2])
def test_ctrl_c_rolls_back(rollout: Rollout, stack: FakeStack, deployment: int):
    stack.broken = {deployment: interrupted}

    outcome = rollout.run(10, NEW_MODEL, GOOD)

    assert "interrupted" in outcome.reason
    assert stack.shares == {version("1"): 100}
    assert stack.values == {}


def test_a_second_ctrl_c_leaves_everything_and_the_next_rollback_puts_it_right(
    rollout: Rollout, stack: FakeStack, checkout: Checkout
):
    stack.broken = {1: interrupted, 2: interrupted}
    with pytest.raises(KeyboardInterrupt):
        rollout.run(10, NEW_MODEL, GOOD)
    told = reminders(checkout, "sandbox")

    rollout.back()

    assert "`quintet rollback sentiment`" in told[0]
    assert stack.shares == {version("1"): 100}
    assert reminders(checkout, "sandbox") == []


def kill_in_deployment(number: int, rollout: Rollout, stack: FakeStack, *, after: bool) -> None:
    """A kill -9 in a deployment: before it has changed anything, or it goes on to its end all the same."""
    stack.broken = {number: killed}
    with pytest.raises(Killed):
        rollout.run(10, NEW_MODEL, GOOD)
    stack.broken = {}
    if after:
        stack.up()


KILLS = [(1, False), (1, True), (2, False), (2, True)]


@pytest.mark.parametrize(("deployment", "after"), KILLS)
def test_after_a_kill_rollback_brings_back_what_was_live(
    rollout: Rollout, stack: FakeStack, journal: Journal, deployment: int, after: bool
):
    kill_in_deployment(deployment, rollout, stack, after=after)

    outcome = rollout.back()

    assert isinstance(outcome, Outcome)
    assert stack.shares == {version("1"): 100}
    assert stack.values == {}
    assert journal.read("sentiment").phase is Phase.ROLLED_BACK


@pytest.mark.parametrize(("deployment", "after"), KILLS)
def test_after_a_kill_a_second_rollout_begins_anew_from_what_was_live(
    rollout: Rollout, stack: FakeStack, deployment: int, after: bool
):
    kill_in_deployment(deployment, rollout, stack, after=after)

    outcome = rollout.run(20, {"sentimentModel": "3"}, GOOD)

    assert outcome.live == version("1")
    assert stack.shares == {version("3"): 100}
    assert stack.values == {"sentimentModel": "3"}


def test_after_a_kill_the_second_rollout_goes_back_to_what_was_live_before_the_first(
    rollout: Rollout, stack: FakeStack
):
    kill_in_deployment(2, rollout, stack, after=True)

    rollout.run(20, {"sentimentModel": "3"}, BAD)

    assert stack.shares == {version("1"): 100}
    assert stack.values == {}


def test_a_rollout_begun_on_another_machine_is_ended_without_its_journal(rollout: Rollout, stack: FakeStack):
    stack.values = {STABLE: version("1").model_dump(), WEIGHT: "10"}
    stack.code = "b"
    stack.up()

    outcome = rollout.back()

    assert outcome is not None
    assert outcome.held
    assert stack.shares == {version("1"): 100}


def test_rollback_without_a_rollout_changes_nothing(rollout: Rollout, stack: FakeStack):
    assert rollout.back() is None
    assert stack.ups == []


def test_rollback_after_a_rollback_changes_nothing(rollout: Rollout, stack: FakeStack):
    rollout.run(10, NEW_MODEL, BAD)
    stack.ups.clear()

    assert rollout.back() is None
    assert stack.ups == []


def test_rollback_takes_back_the_last_promotion(rollout: Rollout, stack: FakeStack):
    stack.code = "b"
    rollout.run(10, {}, GOOD)

    outcome = rollout.back()

    assert outcome is not None
    assert outcome.held
    assert stack.shares == {version("1"): 100}


def test_rollback_does_not_take_back_what_was_deployed_after_the_promotion(rollout: Rollout, stack: FakeStack):
    rollout.run(10, NEW_MODEL, GOOD)
    stack.code = "c"
    stack.up()

    assert rollout.back() is None
    assert stack.shares == {version("2", "c"): 100}


def test_release_deploys_the_programs_own_version(rollout: Rollout, stack: FakeStack, checkout: Checkout):
    stack.code = "b"
    rollout.run(10, {}, BAD)

    assert rollout.release()

    assert stack.shares == {version("1", "b"): 100}
    assert stack.values == {}
    assert reminders(checkout, "sandbox") == []


def test_release_without_anything_held_changes_nothing(rollout: Rollout, stack: FakeStack):
    assert not rollout.release()
    assert stack.ups == []


def test_release_is_refused_while_a_rollout_is_under_way(rollout: Rollout, stack: FakeStack):
    kill_in_deployment(1, rollout, stack, after=True)

    with pytest.raises(QuintetError, match="under way") as refused:
        rollout.release()

    assert refused.value.exit_code is Exit.USAGE


def test_the_rollouts_own_settings_are_no_settings_of_a_candidate(rollout: Rollout, stack: FakeStack, journal: Journal):
    with pytest.raises(QuintetError, match=WEIGHT):
        rollout.run(10, {WEIGHT: "50"}, GOOD)

    assert stack.ups == []
    assert journal.read("sentiment") is None


def test_a_service_without_gradual_rollout_is_refused_by_name(stack: FakeStack, journal: Journal):
    with pytest.raises(QuintetError, match="moderation is not deployed with a gradual rollout; what is: sentiment"):
        Rollout(service="moderation", deployer=stack, journal=journal).run(10, {}, GOOD)


def test_outputs_of_another_shape_are_told(stack: FakeStack, rollout: Rollout):
    del stack.outputs["rollouts"]["sentiment"]["live"]

    with pytest.raises(QuintetError, match=r"rollouts\.sentiment is not what a rollout needs: live"):
        rollout.run(10, {}, GOOD)


def test_a_damaged_journal_is_none(rollout: Rollout, stack: FakeStack, checkout: Checkout):
    checkout.prepare()
    checkout.rollouts("sandbox").write_text('{"sentiment": {"phase": "sleeping"}}')

    assert rollout.run(10, NEW_MODEL, GOOD).promoted
