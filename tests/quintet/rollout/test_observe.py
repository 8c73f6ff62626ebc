"""Counting over pods that come, go, restart and fall silent."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from quintet.errors import QuintetError
from quintet.rollout.metrics import UnreadableMetricsError, parse
from quintet.rollout.observe import Pod, PodObserver


class Process:
    """A process of the service, with metrics as its client library makes them."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.registry = CollectorRegistry()
        self.requests = Counter("sentiment_requests", "", ("route", "method", "status"), registry=self.registry)
        self.seconds = Histogram(
            "sentiment_request_duration_seconds", "", ("route",), buckets=(0.01, 0.1), registry=self.registry
        )
        self.predictions = Counter("sentiment_predictions", "", ("label",), registry=self.registry)

    def answer(self, count: int = 1, *, status: int = 200, route: str = "/predict", seconds: float = 0.05) -> None:
        for _ in range(count):
            self.requests.labels(route, "POST", str(status)).inc()
            self.seconds.labels(route).observe(seconds)
            if status == 200 and route == "/predict":
                self.predictions.labels("positive").inc()

    def text(self) -> str:
        return generate_latest(self.registry).decode() + f"process_start_time_seconds {self.started}\n"


@dataclass
class FakePods:
    """Pods by name, each with its variant and its process; None for one that does not answer."""

    pods: dict[str, tuple[str, Process | None]] = field(default_factory=dict)
    lost: bool = False

    def find(self) -> Sequence[Pod]:
        if self.lost:
            raise QuintetError("the API server does not answer")
        return [Pod(name, variant, name, process is not None) for name, (variant, process) in self.pods.items()]

    def metrics(self, pod: Pod) -> str:
        process = self.pods[pod.name][1]
        if process is None:
            raise UnreadableMetricsError(f"{pod.name} does not answer")
        return process.text()


BEGAN = 1000.0


@pytest.fixture
def live() -> Process:
    return Process(started=10.0)


@pytest.fixture
def candidate() -> Process:
    return Process(started=990.0)


@pytest.fixture
def pods(live: Process, candidate: Process) -> FakePods:
    return FakePods({"live-1": ("stable", live), "canary-1": ("canary", candidate)})


@pytest.fixture
def observer(pods: FakePods) -> PodObserver:
    return PodObserver(pods, "sentiment", clock=lambda: BEGAN)


def requests(observer: PodObserver) -> tuple[int, int]:
    counts = observer.read()
    return counts["stable"].requests, counts["canary"].requests


def test_only_what_comes_after_the_first_look_counts(observer: PodObserver, live: Process, candidate: Process):
    live.answer(500, status=500)
    candidate.answer(3)
    first = requests(observer)

    live.answer(20)
    candidate.answer(2, status=503)
    counts = observer.read()

    assert first == (0, 0)
    assert (counts["stable"].requests, counts["stable"].errors) == (20, 0)
    assert (counts["canary"].requests, counts["canary"].errors) == (2, 2)


def test_errors_latencies_and_labels_are_counted(observer: PodObserver, live: Process):
    observer.read()
    live.answer(4, seconds=0.005)
    live.answer(2, seconds=0.05)
    live.answer(1, status=500, seconds=7)
    live.answer(3, status=422, seconds=0.005)

    counts = observer.read()["stable"]

    assert (counts.requests, counts.errors) == (10, 1)
    assert counts.latency == {0.01: 7, 0.1: 9, math.inf: 10}
    assert counts.labels == {"positive": 6}


def test_probes_and_scrapes_are_no_requests_of_clients(observer: PodObserver, live: Process):
    observer.read()
    for route in ("/readyz", "/livez", "/healthz", "/metrics"):
        live.answer(100, route=route, seconds=0.001)

    counts = observer.read()["stable"]

    assert (counts.requests, counts.timed) == (0, 0)


def test_the_pods_of_a_variant_are_added_up(observer: PodObserver, pods: FakePods, live: Process):
    second = Process(started=11.0)
    pods.pods["live-2"] = ("stable", second)
    observer.read()

    live.answer(5)
    second.answer(7)

    assert requests(observer) == (12, 0)


def test_a_pod_that_is_gone_keeps_what_it_had(observer: PodObserver, pods: FakePods, live: Process):
    observer.read()
    live.answer(5)
    observer.read()
    del pods.pods["live-1"]

    assert requests(observer) == (5, 0)


def test_a_pod_that_came_later_counts_from_its_beginning(observer: PodObserver, pods: FakePods):
    observer.read()
    young = Process(started=BEGAN + 5)
    young.answer(9)
    pods.pods["live-2"] = ("stable", young)

    assert requests(observer) == (9, 0)


def test_an_old_pod_that_was_silent_at_the_first_look_does_not_bring_its_past(observer: PodObserver, pods: FakePods):
    pods.pods["live-2"] = ("stable", None)
    observer.read()
    old = Process(started=11.0)
    old.answer(900)
    pods.pods["live-2"] = ("stable", old)
    at_first = requests(observer)

    old.answer(4)

    assert at_first == (0, 0)
    assert requests(observer) == (4, 0)


def test_a_process_that_began_anew_counts_from_zero(observer: PodObserver, pods: FakePods, candidate: Process):
    observer.read()
    candidate.answer(10)
    observer.read()
    again = Process(started=BEGAN + 20)
    again.answer(25)
    pods.pods["canary-1"] = ("canary", again)

    assert requests(observer) == (0, 35)


def test_a_counter_that_fell_began_anew_though_nobody_says_when(observer: PodObserver, pods: FakePods):
    silent = Process(started=0.0)
    silent.answer(50)
    pods.pods["canary-1"] = ("canary", silent)
    observer.read()
    silent.answer(10)
    observer.read()
    again = Process(started=0.0)
    again.answer(3)
    pods.pods["canary-1"] = ("canary", again)

    assert requests(observer) == (0, 13)


def test_a_pod_that_falls_silent_is_told_and_caught_up_with(observer: PodObserver, pods: FakePods, live: Process):
    observer.read()
    live.answer(5)
    pods.pods["live-1"] = ("stable", None)
    silent = requests(observer)
    told = dict(observer.unread)
    pods.pods["live-1"] = ("stable", live)

    assert silent == (0, 0)
    assert told == {"live-1": "live-1 does not answer"}
    assert requests(observer) == (5, 0)
    assert observer.unread == {}


def test_pods_that_cannot_be_listed_are_caught_up_with(observer: PodObserver, pods: FakePods, live: Process):
    observer.read()
    live.answer(5)
    pods.lost = True
    lost = requests(observer)
    pods.lost = False

    assert lost == (0, 0)
    assert requests(observer) == (5, 0)


def test_who_can_answer_is_counted_by_variant(observer: PodObserver, pods: FakePods):
    pods.pods["canary-1"] = ("canary", None)

    assert observer.ready() == {"stable": 1, "canary": 0}


@pytest.mark.parametrize("text", ["", "<html>not found</html>", "sentiment_requests_total{ 5", "other_total 1\n"])
def test_what_is_not_the_services_metrics_is_refused(text: str):
    with pytest.raises(UnreadableMetricsError):
        parse(text, "sentiment")
