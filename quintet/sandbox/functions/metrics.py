"""Metrics that a function writes in its log: the embedded metric format, read as CloudWatch reads it.

Source: "Embedded metric format specification" in the CloudWatch user guide.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_pascal

# Fewer than the 1000 that PutMetricData takes: a datum may carry 100 values, and a request 1 MB.
_DATA_PER_REQUEST = 500

Datum = dict[str, Any]
_Values = TypeAdapter(float | list[float])


class MalformedMetricsError(ValueError):
    """A line means to be metrics and does not follow the specification."""


class MetricsClient(Protocol):
    """What is used of a boto3 `cloudwatch` client."""

    def put_metric_data(self, *, Namespace: str, MetricData: list[Datum]) -> object:  # noqa: N803  boto3's names
        """Adds data to metrics."""


class _Shape(BaseModel):
    model_config = ConfigDict(alias_generator=to_pascal, strict=True)


class _Metric(_Shape):
    name: str = Field(min_length=1, max_length=1024)
    unit: str = "None"
    storage_resolution: Literal[1, 60] = 60


class _Directive(_Shape):
    namespace: str = Field(min_length=1, max_length=1024)
    dimensions: list[list[str]] = [[]]
    metrics: list[_Metric] = Field(max_length=100)


class _Metadata(_Shape):
    timestamp: int = Field(ge=0)
    cloud_watch_metrics: list[_Directive]


def embedded_metrics(line: str) -> dict[str, list[Datum]]:
    """The metric data that a line carries, by namespace; none for a line that is not about metrics.

    Raises:
        MalformedMetricsError: the line is meant as metrics and breaks the specification.
    """
    if not line.lstrip().startswith("{") or '"_aws"' not in line or '"CloudWatchMetrics"' not in line:
        return {}
    try:
        record = json.loads(line)
        metadata = _Metadata.model_validate(record["_aws"])
        data: dict[str, list[Datum]] = defaultdict(list)
        for directive in metadata.cloud_watch_metrics:
            data[directive.namespace] += _data(record, directive, metadata.timestamp)
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise MalformedMetricsError(f"a line of embedded metrics is malformed: {type(error).__name__}") from error
    return dict(data)


def _data(record: dict[str, Any], directive: _Directive, timestamp_ms: int) -> list[Datum]:
    at = datetime.fromtimestamp(timestamp_ms / 1000, tz=UTC)
    return [
        {
            "MetricName": metric.name,
            "Dimensions": [{"Name": name, "Value": _dimension(record[name])} for name in dimensions],
            "Timestamp": at,
            "Unit": metric.unit,
            "StorageResolution": metric.storage_resolution,
            **_values(record[metric.name]),
        }
        for dimensions in directive.dimensions
        for metric in directive.metrics
    ]


def _dimension(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("the value of a dimension is a string")
    return value


def _values(value: object) -> Datum:
    numbers = _Values.validate_python(value, strict=True)
    return {"Values": numbers} if isinstance(numbers, list) else {"Value": numbers}


class EmbeddedMetrics:
    """Puts the metrics of log lines to the emulated CloudWatch, as CloudWatch Logs does on its own account."""

    def __init__(self, client: MetricsClient | None) -> None:
        """Takes a client with all rights; without one, lines are only checked and counted."""
        self._client = client
        self.malformed = 0

    def put(self, lines: Iterable[str]) -> None:
        """Reads the lines and puts what they carry; malformed ones are counted. Blocks."""
        data: dict[str, list[Datum]] = defaultdict(list)
        for line in lines:
            try:
                for namespace, found in embedded_metrics(line).items():
                    data[namespace] += found
            except MalformedMetricsError:
                self.malformed += 1
        if self._client is None:
            return
        for namespace, all_data in data.items():
            for start in range(0, len(all_data), _DATA_PER_REQUEST):
                part = all_data[start : start + _DATA_PER_REQUEST]
                self._client.put_metric_data(Namespace=namespace, MetricData=part)
