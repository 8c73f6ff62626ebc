"""Two CloudWatch dashboards a service: is it well, and what does it use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from stacks.components.arguments import checked_name, refuse
from stacks.components.names import stack_prefix

_COLUMNS = 24
_WIDTH, _HEIGHT = 8, 6


@dataclass(frozen=True, kw_only=True)
class Graph:
    """One picture: metrics of one thing over time.

    Attributes:
        title: What is seen.
        namespace: Of the metrics.
        dimensions: Which series.
        metrics: Statistics by metric, as `{"Latency": ("p50", "p99")}`.
    """

    title: str
    namespace: str
    dimensions: Mapping[str, pulumi.Input[str]]
    metrics: Mapping[str, Sequence[str]]

    def __post_init__(self) -> None:
        refuse("Graph", [] if any(self.metrics.values()) else [f"{self.title}: metrics is empty"])


@dataclass(frozen=True, kw_only=True)
class DashboardsArgs:
    """What is shown.

    Attributes:
        region: Where the metrics are.
        health: Whether callers are served.
        resources: What serving them takes.
    """

    region: str
    health: Sequence[Graph]
    resources: Sequence[Graph]

    def __post_init__(self) -> None:
        refuse("DashboardsArgs", [f"{part} is empty" for part in ("health", "resources") if not getattr(self, part)])


class Dashboards(pulumi.ComponentResource):
    """A dashboard of health and one of resources.

    Attributes:
        health: The name of the first.
        resources: The name of the second.
    """

    health: pulumi.Output[str]
    resources: pulumi.Output[str]

    def __init__(self, name: str, args: DashboardsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("quintet:observability:Dashboards", checked_name(name), None, opts)

        def dashboard(kind: str, graphs: Sequence[Graph]) -> pulumi.Output[str]:
            widgets = [_widget(number, graph, args.region) for number, graph in enumerate(graphs)]
            return aws.cloudwatch.Dashboard(
                f"{name}-{kind}",
                dashboard_name=f"{stack_prefix()}-{name}-{kind}",
                dashboard_body=pulumi.Output.json_dumps({"widgets": widgets}),
                opts=pulumi.ResourceOptions(parent=self),
            ).dashboard_name

        self.health = dashboard("health", args.health)
        self.resources = dashboard("resources", args.resources)
        self.register_outputs({"health": self.health, "resources": self.resources})


def _widget(number: int, graph: Graph, region: str) -> dict[str, Any]:
    dimensions = [part for pair in graph.dimensions.items() for part in pair]
    lines = [
        [graph.namespace, metric, *dimensions, {"stat": statistic, "label": f"{metric} {statistic}"}]
        for metric, statistics in graph.metrics.items()
        for statistic in statistics
    ]
    per_row = _COLUMNS // _WIDTH
    return {
        "type": "metric",
        "x": number % per_row * _WIDTH,
        "y": number // per_row * _HEIGHT,
        "width": _WIDTH,
        "height": _HEIGHT,
        "properties": {"title": graph.title, "region": region, "view": "timeSeries", "period": 60, "metrics": lines},
    }
