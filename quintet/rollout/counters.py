"""What was counted of one version of a service, since the observation began."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Counters:
    """Counts of one version; they only grow.

    Attributes:
        requests: Requests that it answered.
        errors: Those it answered with a 5xx.
        latency: By upper bound in seconds, how many requests took at most so long: a cumulative histogram, whose last
            bound is infinity.
        labels: Predictions by label.
    """

    requests: int = 0
    errors: int = 0
    latency: Mapping[float, int] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Counters) -> Counters:
        return Counters(
            self.requests + other.requests,
            self.errors + other.errors,
            _add_histograms(self.latency, other.latency),
            {name: self.labels.get(name, 0) + other.labels.get(name, 0) for name in {**self.labels, **other.labels}},
        )

    def since(self, earlier: Counters) -> Counters:
        """What came after `earlier`; everything where a count is smaller than it was, as then it began anew."""
        if self._is_before(earlier):
            return self
        return Counters(
            self.requests - earlier.requests,
            self.errors - earlier.errors,
            {bound: count - earlier.latency.get(bound, 0) for bound, count in self.latency.items()},
            {name: count - earlier.labels.get(name, 0) for name, count in self.labels.items()},
        )

    def _is_before(self, earlier: Counters) -> bool:
        pairs = [(self.requests, earlier.requests), (self.errors, earlier.errors)]
        pairs += [(self.latency.get(bound, 0), count) for bound, count in earlier.latency.items()]
        pairs += [(self.labels.get(name, 0), count) for name, count in earlier.labels.items()]
        return any(now < before for now, before in pairs)

    @property
    def error_rate(self) -> float:
        """The share of requests that failed; 0 without any."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def timed(self) -> int:
        """Requests in the histogram."""
        return self.latency.get(math.inf, 0)

    @property
    def labelled(self) -> int:
        """Predictions."""
        return sum(self.labels.values())

    def slower_than(self, bound: float) -> int:
        """Requests that took longer than one of the histogram's bounds, in seconds."""
        return self.timed - self.latency[bound]

    def quantile(self, share: float) -> float:
        """A quantile of the latency in seconds, between two bounds taken as a straight line.

        As Prometheus does (https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile): the
        last finite bound where the quantile lies above it. NaN without requests.
        """
        if not self.timed:
            return math.nan
        rank, lower, below = share * self.timed, 0.0, 0
        for bound, count in sorted(self.latency.items()):
            if count >= rank and count > below:
                inside = (rank - below) / (count - below)
                return lower if math.isinf(bound) else lower + (bound - lower) * inside
            if not math.isinf(bound):
                lower, below = bound, count
        return lower


def _add_histograms(one: Mapping[float, int], other: Mapping[float, int]) -> dict[float, int]:
    """The sum over the bounds that both have: only there a cumulative count of both is known."""
    if not one or not other:
        return dict(one or other)
    return {bound: one[bound] + other[bound] for bound in sorted(one.keys() & other.keys())}
