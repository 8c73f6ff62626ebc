"""Simulated traffic: what two versions of a service would have counted."""

import math

import numpy as np

from quintet.rollout.counters import Counters

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5)
LABELS = ("negative", "neutral", "positive")


def traffic(
    random: np.random.Generator,
    requests: int,
    *,
    failing: float = 0.002,
    median_seconds: float = 0.02,
    labels: tuple[float, ...] = (0.3, 0.5, 0.2),
) -> Counters:
    """Counts of so many requests: failures, latencies (log-normal), labels of those that did not fail."""
    errors = int(random.binomial(requests, failing))
    seconds = random.lognormal(math.log(median_seconds), 0.5, requests)
    cumulative = np.searchsorted(np.sort(seconds), BOUNDS, side="right")
    histogram = {bound: int(count) for bound, count in zip(BOUNDS, cumulative, strict=True)}
    counts = random.multinomial(requests - errors, labels)
    return Counters(
        requests, errors, {**histogram, math.inf: requests}, dict(zip(LABELS, map(int, counts), strict=True))
    )


def counted(requests: int, *, errors: int = 0, slow: int = 0, labels: tuple[int, int, int] | None = None) -> Counters:
    """Counts as given: all requests within 10 ms but the slow ones, which took about a second."""
    quick = requests - slow
    histogram = {0.01: quick, 0.5: quick, 1.0: requests, math.inf: requests}
    given = labels or (requests // 2, requests // 4, requests - requests // 2 - requests // 4)
    return Counters(requests, errors, histogram, dict(zip(LABELS, given, strict=True)))
