"""What one process of a service tells of itself, in Prometheus' text format, as counts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from quintet.rollout.counters import Counters

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric
    from prometheus_client.samples import Sample

_SERVER_ERROR = 500
_NOT_ASKED_BY_CLIENTS = frozenset({"/healthz", "/livez", "/readyz", "/health", "/ready", "/metrics"})
"""Routes that probes and scrapers call: their answers say nothing of what users see, and would dilute it."""


class UnreadableMetricsError(Exception):
    """A process' metrics could not be read, or are none; the message says why."""


@dataclass(frozen=True)
class Reading:
    """One look at one process.

    Attributes:
        counters: All that it has counted since it began.
        started: When that was, in seconds since 1970; 0 where it does not tell.
    """

    counters: Counters
    started: float


def parse(text: str, prefix: str) -> Reading:
    """Reads the metrics of a service: `<prefix>_requests_total`, `_request_duration_seconds`, `_predictions_total`.

    Args:
        text: As `/metrics` answers.
        prefix: What the names of the service's metrics begin with.

    Raises:
        UnreadableMetricsError: It is not in the text format, or is of something else.
    """
    families = _families(text)
    # A family is named before its first sample: a process that nobody has asked yet has metrics all the same.
    if not any(family.name.startswith(f"{prefix}_") for family in families):
        raise UnreadableMetricsError(f"no metric's name begins with {prefix}_")
    samples = [sample for family in families for sample in family.samples]
    asked = [sample for sample in samples if sample.labels.get("route") not in _NOT_ASKED_BY_CLIENTS]
    requests = [sample for sample in asked if sample.name == f"{prefix}_requests_total"]
    counters = Counters(
        requests=_sum(requests),
        errors=_sum(sample for sample in requests if _failed(sample)),
        latency=_histogram(asked, f"{prefix}_request_duration_seconds_bucket"),
        labels=_by_label(samples, f"{prefix}_predictions_total"),
    )
    started = [sample.value for sample in samples if sample.name == "process_start_time_seconds"]
    return Reading(counters, started[0] if started else 0.0)


def _families(text: str) -> list[Metric]:
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 - other commands do without

    try:
        return list(text_string_to_metric_families(text))
    except (ValueError, IndexError, KeyError, AttributeError) as error:  # what the parser raises about other text
        raise UnreadableMetricsError(f"not Prometheus' text format: {error}") from error


def _failed(sample: Sample) -> bool:
    status = sample.labels.get("status", "")
    return status.isdecimal() and int(status) >= _SERVER_ERROR


def _sum(samples: Iterable[Sample]) -> int:
    return round(sum(sample.value for sample in samples))


def _histogram(samples: Iterable[Sample], name: str) -> dict[float, int]:
    buckets: Counter[float] = Counter()
    for sample in samples:
        if sample.name == name:
            bound = sample.labels["le"]
            buckets[math.inf if bound == "+Inf" else float(bound)] += round(sample.value)
    return dict(sorted(buckets.items()))


def _by_label(samples: Iterable[Sample], name: str) -> dict[str, int]:
    return {sample.labels["label"]: round(sample.value) for sample in samples if sample.name == name}
