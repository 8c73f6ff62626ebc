"""CloudWatch metrics as lines of the log (embedded metric format): no call to AWS."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from services.common.errors import ModelUnavailable
from services.common.http import Exchange

NAMESPACE = "Quintet"


class ServiceMetrics:
    """The metrics of one service in one environment, with the dimensions `service` and `environment`."""

    def __init__(self, service: str, environment: str) -> None:
        self._service = service
        self._environment = environment

    def request(self, exchange: Exchange, *, method: str, route: str, latency_ms: float) -> None:  # noqa: ARG002 - the protocol's; a dimension more would be a metric more to pay for
        """See `services.common.http.RequestMetrics`."""
        counts = {"Requests": 1, "Errors": int(exchange.status >= 500), **exchange.counts}  # noqa: PLR2004 - HTTP's own
        if exchange.cold:
            counts["ColdStart"] = 1
        if isinstance(exchange.error, ModelUnavailable):
            counts["ModelUnavailable"] = 1
        self.emit(counts, latency_ms=latency_ms)

    def emit(self, counts: Mapping[str, int], *, latency_ms: float | None = None) -> None:
        """Writes one line with these counts, and `Latency` in milliseconds where given. Callable from any thread."""
        # EphemeralMetrics keeps its own set; `Metrics` shares one between all threads.
        metrics = EphemeralMetrics(namespace=NAMESPACE, service=self._service)
        metrics.add_dimension("environment", self._environment)
        for name, count in counts.items():
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
        if latency_ms is not None:
            metrics.add_metric(name="Latency", unit=MetricUnit.Milliseconds, value=latency_ms)
        line = json.dumps(metrics.serialize_metric_set(), separators=(",", ":"))
        # One write, so that lines of two threads never mix; none waits in a buffer while Lambda freezes.
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
