"""When both versions are looked at and judged, on a clock of the test's own."""

import numpy as np
import pytest

from quintet.errors import QuintetError
from quintet.rollout.counters import Counters
from quintet.rollout.judge import Decision, Limits, Seen
from quintet.rollout.observation import Observation, Schedule, Watch
from tests.quintet.rollout.fakes import FakeEyes

NO_BARS = {"error_rate_rise": -1.0, "label_shift": 0.0, "latency_ratio": 0.0, "latency_rise_seconds": -1.0}


def observe(eyes: FakeEyes, limits: Limits | None = None, **schedule: float) -> Observation:
    watch = Watch(
        observer=eyes,
        limits=limits or Limits(),
        schedule=Schedule(**schedule),
        clock=eyes.clock,
        sleep=eyes.sleep,
    )
    return watch.run()


def eyes(seed: int = 1, **how) -> FakeEyes:
    return FakeEyes(np.random.default_rng(seed), **how)


def test_both_are_observed_for_the_whole_window():
    found = observe(eyes(), window_seconds=60)

    assert found.verdict.decision is Decision.PROMOTE
    assert 60 <= found.seconds <= 61
    assert not found.early


def test_a_window_without_enough_requests_goes_on_until_there_are():
    found = observe(eyes(rates=(45.0, 2.0)), window_seconds=60, timeout_seconds=300)

    assert found.verdict.decision is Decision.PROMOTE
    assert found.candidate.requests >= 200
    assert 80 < found.seconds < 140


def test_without_requests_nothing_is_decided_when_the_time_is_over():
    found = observe(eyes(rates=(45.0, 0.0)), window_seconds=60, timeout_seconds=120)

    assert found.verdict.decision is Decision.UNDECIDED
    assert 120 <= found.seconds <= 122


def test_a_candidate_that_fails_is_condemned_long_before_the_end():
    found = observe(eyes(candidate={"failing": 0.5}), window_seconds=60)

    assert found.verdict.decision is Decision.ROLL_BACK
    assert found.early
    assert found.seconds <= 13


def test_the_observation_begins_when_the_candidate_can_answer():
    late = eyes(ready_after=30.0)

    found = observe(late, window_seconds=60)

    assert 60 <= found.seconds <= 61
    assert late.now >= 90


def test_a_candidate_that_cannot_answer_in_time_is_an_error_that_says_so():
    with pytest.raises(QuintetError, match="no pod of the candidate became ready in 100 s"):
        observe(eyes(ready_after=1000.0), window_seconds=60, timeout_seconds=100)


def test_looking_often_condemns_an_equal_candidate_no_more_often_than_alpha():
    rounds, alpha = 250, 0.1
    limits = Limits(alpha=alpha, **NO_BARS)

    condemned = [
        observe(eyes(seed, stable={"failing": 0.05}, candidate={"failing": 0.05}, rates=(60.0, 30.0)), limits,
                window_seconds=30).verdict.decision is Decision.ROLL_BACK
        for seed in range(rounds)
    ]  # fmt: skip

    # Three standard deviations above what alpha allows.
    assert sum(condemned) <= rounds * alpha + 3 * (rounds * alpha * (1 - alpha)) ** 0.5


def test_the_numbers_are_told_while_they_come():
    told: list[tuple[float, int]] = []
    watching = eyes()

    def progress(seconds: float, _: Counters, candidate: Counters) -> None:
        told.append((seconds, candidate.requests))

    Watch(observer=watching, limits=Limits(), schedule=Schedule(), progress=progress, clock=watching.clock,
          sleep=watching.sleep).run()  # fmt: skip

    assert len(told) == 60
    assert [count for _, count in told] == sorted(count for _, count in told)


class Clients:
    """What clients saw before the observation, and since."""

    def __init__(self) -> None:
        self.asked = 0

    def seen(self) -> Seen:
        self.asked += 1
        if self.asked == 1:  # failures of an earlier time
            return Seen(stable=Counters(1000, 0), candidate=Counters(100, 100), compared=50, differing=50)
        return Seen(stable=Counters(2000, 0), candidate=Counters(200, 100), compared=90, differing=51)


def test_what_clients_saw_before_the_observation_is_not_held_against_the_candidate():
    watching = eyes()
    watch = Watch(observer=watching, limits=Limits(), schedule=Schedule(), clients=Clients(), clock=watching.clock,
                  sleep=watching.sleep)  # fmt: skip

    verdict = watch.run().verdict

    assert verdict.decision is Decision.PROMOTE
    assert {"errors seen by clients", "same texts"} <= {check.name for check in verdict.checks}
