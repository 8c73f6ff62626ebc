"""What people and machines read at the end."""

import json
from dataclasses import replace

import pytest

from quintet.rollout import report
from quintet.rollout.counters import Counters
from quintet.rollout.judge import Decision
from quintet.rollout.machine import Outcome
from quintet.rollout.probe import Tally
from tests.quintet.rollout.fakes import FakeStack, seen, version


def outcome(decision: Decision) -> Outcome:
    stack = FakeStack()
    stack.up()
    observation = seen(decision)(stack.target("sentiment"))
    return Outcome(
        service="sentiment",
        promoted=decision is Decision.PROMOTE,
        reason=observation.verdict.reason,
        live=version("1"),
        candidate=version("2"),
        observation=observation,
        held=False,
    )


TALLY = Tally(
    sent=100, failed=2, skipped=3, variants={"stable": Counters(98, 0), "canary": Counters(2, 2)}, failure="HTTP 500"
)


def test_a_promotion_is_told_with_the_comparison(capsys: pytest.CaptureFixture[str]):
    report.show(outcome(Decision.PROMOTE), None)

    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["CHECK", "LIVE", "CANDIDATE", "DIFFERENCE", "ALLOWED", "P", "ADJUSTED", "RESULT"]
    assert printed[1].endswith("passed")
    assert printed[-1] == "Promoted: sentiment/2 in sentiment@aaaaaaaaaaaa is live."


def test_a_rollback_ends_with_one_line_that_says_why(capsys: pytest.CaptureFixture[str]):
    long = replace(outcome(Decision.ROLL_BACK), reason="it did not become ready\n  It said last:\n    a line")

    report.show(long, None)

    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "Rolled back: sentiment/1 in sentiment@aaaaaaaaaaaa is live. it did not become ready"


def test_what_clients_would_have_seen_is_told(capsys: pytest.CaptureFixture[str]):
    report.show(outcome(Decision.PROMOTE), TALLY)

    assert "Clients: 100 requests of our own, 2 failed (the last: HTTP 500), 3 left out" in capsys.readouterr().out


def test_a_version_that_is_held_is_told_with_both_ways_on(capsys: pytest.CaptureFixture[str]):
    report.show(replace(outcome(Decision.ROLL_BACK), held=True), None)

    last = capsys.readouterr().out.splitlines()[-1]
    assert "`quintet rollout sentiment`" in last
    assert "`quintet rollback sentiment --release`" in last


def test_machines_read_the_same_numbers():
    told = json.loads(json.dumps(report.document(outcome(Decision.ROLL_BACK), "prod", TALLY)))

    assert (told["service"], told["stack"], told["outcome"], told["decision"]) == (
        "sentiment", "prod", "rolled back", "roll back"
    )  # fmt: skip
    assert told["before"] == version("1").model_dump()
    assert told["candidate"] == version("2").model_dump()
    assert told["checks"][0]["p_value"] == 1e-9
    assert told["probe"]["variants"]["canary"] == {"requests": 2, "errors": 2}


def test_machines_are_told_of_a_candidate_that_never_came_so_far():
    told = report.document(replace(outcome(Decision.ROLL_BACK), candidate=None, observation=None), "sandbox", None)

    assert told["candidate"] is None
    assert "checks" not in told
    assert "probe" not in told
