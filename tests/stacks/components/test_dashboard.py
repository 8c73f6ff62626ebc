from typing import Any

import pulumi
import pytest

from stacks.components.arguments import ArgumentsError
from stacks.components.dashboard import Dashboards, DashboardsArgs, Graph
from tests.stacks.declaring import Declare, parsed

GRAPH: dict[str, Any] = {
    "namespace": "AWS/Lambda",
    "dimensions": {"FunctionName": "echo"},
    "metrics": {"Errors": ("Sum",)},
}


def test_a_service_has_a_dashboard_of_health_and_one_of_resources(declare: Declare) -> None:
    def program() -> None:
        graph = Graph(title="Failures", **GRAPH)
        Dashboards("echo", DashboardsArgs(region="eu-west-1", health=[graph] * 4, resources=[graph]))

    recording = declare(program)

    names = {item.inputs["dashboardName"] for item in recording.of("aws:cloudwatch/dashboard:Dashboard")}
    health = recording.one("aws:cloudwatch/dashboard:Dashboard", name="echo-health").inputs
    widgets = parsed(health["dashboardBody"])["widgets"]
    assert names == {"quintet-test-echo-health", "quintet-test-echo-resources"}
    assert [(item["x"], item["y"]) for item in widgets] == [(0, 0), (8, 0), (16, 0), (0, 6)]
    assert widgets[0]["properties"]["region"] == "eu-west-1"
    assert widgets[0]["properties"]["title"] == "Failures"


def test_a_line_is_one_statistic_of_one_metric(declare: Declare) -> None:
    def program() -> None:
        dimensions = {"FunctionName": pulumi.Output.from_input("echo"), "Resource": "echo:live"}
        graph = Graph(title="Times", namespace="N", dimensions=dimensions, metrics={"Duration": ("p50", "p99")})
        Dashboards("echo", DashboardsArgs(region="us-east-1", health=[graph], resources=[graph]))

    dashboard = declare(program).one("aws:cloudwatch/dashboard:Dashboard", name="echo-health")

    lines = parsed(dashboard.inputs["dashboardBody"])["widgets"][0]["properties"]["metrics"]
    series = ["N", "Duration", "FunctionName", "echo", "Resource", "echo:live"]
    assert [line[:-1] for line in lines] == [series, series]
    assert [line[-1]["stat"] for line in lines] == ["p50", "p99"]


def test_a_graph_of_nothing_is_refused() -> None:
    with pytest.raises(ArgumentsError, match="Failures: metrics is empty"):
        Graph(title="Failures", namespace="N", dimensions={}, metrics={})


def test_a_dashboard_of_nothing_is_refused() -> None:
    with pytest.raises(ArgumentsError, match="health is empty; resources is empty"):
        DashboardsArgs(region="us-east-1", health=[], resources=[])
