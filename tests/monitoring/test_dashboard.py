"""Each query of the dashboard returns data from a Prometheus that scraped the live service."""

import math
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from services.common import artifacts
from tests.monitoring.prometheus import Prometheus, running, scraping
from tests.services.sentiment.conftest import Pod, Pods
from tests.services.tiny_model import write_sentiment_model
from tests.stacks.manifests.declared import Declared, matches

PREFIX = "sentiment/watched-1/"
TEXTS = ["a good table", "a bad table", "table", "not good", "so bad, so bad"]
ENOUGH_SECONDS = 60.0
QUIET = {"SentimentDown", "SentimentUnwell", "SentimentUnseen", "SentimentErrors", "SentimentBackendFailures"}


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """The service in a process of its own, with a model small enough to be read."""
    folder = write_sentiment_model(artifacts.folder_of(PREFIX))
    pods = Pods(tmp_path_factory.mktemp("pods"))
    try:
        yield pods.start(MODEL_PREFIX=PREFIX, CACHE_ENTRIES="1000")
    finally:
        for started in pods.started:
            started.process.kill()
            started.process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def load(url: str) -> Iterator[None]:
    """What callers do, right and wrong: new texts and known ones, one and many."""
    over = threading.Event()

    def call() -> None:
        with httpx.Client(base_url=url) as client:
            for number in range(1_000_000):
                if over.is_set():
                    return
                text = TEXTS[number % len(TEXTS)]
                client.post("/predict", json={"text": f"{text} {number // 2}"})
                client.post("/predict/batch", json={"texts": [text, f"{text} of {number}", "table"]})
                client.post("/predict", json={"text": ""})
                time.sleep(0.02)

    callers = [threading.Thread(target=call) for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        over.set()
        for caller in callers:
            caller.join()


@pytest.fixture(scope="module")
def prometheus(
    tool: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
    pod: Pod,
    config: dict[str, Any],
    rules: dict[str, Any],
) -> Iterator[Prometheus]:
    """Prometheus, which scrapes the service while it works."""
    started = tool("prometheus")
    with load(pod.url), running(started, tmp_path_factory.mktemp("prometheus"), config, rules) as prometheus:
        yield prometheus


@pytest.fixture(scope="module")
def config(pod: Pod, program: Declared, monitor: dict[str, Any]) -> dict[str, Any]:
    """How Prometheus is made to scrape."""
    [workload] = [each for each in program.workloads() if each.name == "sentiment"]
    wanted = monitor["spec"]["selector"]["matchLabels"]
    [service] = [item for item in program.of("Service") if matches(wanted, item["metadata"]["labels"])]
    return scraping(monitor, service, "sentiment-1", dict(workload.labels), pod.url.removeprefix("http://"))


def queries(dashboard: dict[str, Any]) -> list[tuple[str, str]]:
    """Title and expression of all."""
    return [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel["targets"]]


def without_data(prometheus: Prometheus, asked: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those that return no number after a while."""
    until = time.monotonic() + ENOUGH_SECONDS
    left = asked
    while True:
        left = [each for each in left if not any(math.isfinite(item["value"]) for item in prometheus.ask(each[1]))]
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.5)


def test_each_query_of_the_dashboard_returns_data(prometheus: Prometheus, dashboard: dict[str, Any]) -> None:
    asked = queries(dashboard)

    assert len(asked) > 15
    assert without_data(prometheus, asked) == []


def test_what_a_legend_names_is_in_the_data(prometheus: Prometheus, dashboard: dict[str, Any]) -> None:
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            assert without_data(prometheus, [(panel["title"], target["expr"])]) == []
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert all(item.get(label) for item in prometheus.ask(target["expr"])), (panel["title"], label)


def test_the_numbers_are_those_of_the_service(prometheus: Prometheus, dashboard: dict[str, Any]) -> None:
    asked = dict(queries(dashboard))
    assert without_data(prometheus, list(asked.items())) == []

    [ready] = prometheus.ask(asked["Pods that take requests"])
    labels = prometheus.ask(asked["Labels"])

    assert (ready["variant"], ready["value"]) == ("stable", 1)
    assert {item["label"] for item in labels} == {"negative", "neutral", "positive"}
    assert sum(item["value"] for item in labels) == pytest.approx(1)


def test_a_query_of_a_metric_that_is_not_there_is_found(prometheus: Prometheus, monkeypatch: Any) -> None:
    monkeypatch.setattr("tests.monitoring.test_dashboard.ENOUGH_SECONDS", 2.0)
    misspelt = [("Ready", 'sum(sentiment_redy{namespace="quintet-prod-sentiment"})')]

    assert without_data(prometheus, misspelt) == misspelt


def test_every_metric_of_an_alert_is_told_by_the_service(prometheus: Prometheus, rules: dict[str, Any]) -> None:
    expressions = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    names = {name for text in expressions for name in re.findall(r"(\w+)\{namespace=", text)}
    asked = [(name, f'{name}{{namespace="quintet-prod-sentiment",job="sentiment"}}') for name in sorted(names)]

    assert len(names) > 6
    assert without_data(prometheus, asked) == []


def test_every_alert_can_be_evaluated_and_those_of_an_unwell_service_are_quiet(
    prometheus: Prometheus, rules: dict[str, Any]
) -> None:
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    expected = dict.fromkeys(names, "ok") | dict.fromkeys(QUIET, "ok, inactive")

    until = time.monotonic() + ENOUGH_SECONDS
    while states(prometheus) != expected and time.monotonic() < until:
        time.sleep(0.5)

    assert states(prometheus) == expected


def states(prometheus: Prometheus) -> dict[str, str]:
    """Whether each alert can be evaluated, and of those that must be quiet whether they are."""
    return {
        rule["name"]: f"{rule['health']}, {rule['state']}" if rule["name"] in QUIET else rule["health"]
        for rule in prometheus.rules()
    }


def test_the_dashboard_is_one_that_grafana_takes(dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
    assert len(dashboard["uid"]) <= 40
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}
    assert [item["name"] for item in dashboard["templating"]["list"]] == ["datasource"]
