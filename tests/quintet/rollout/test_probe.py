"""Requests of our own, against a server that behaves as told."""

import itertools
import json
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from quintet.rollout.probe import Prober
from quintet.smoke.services import load
from services.common.smoke import Example
from tests.ports import free_port

SAMPLES = [Example(method="POST", path="/predict", body={"text": "one"}), Example(method="GET", path="/other")]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = {"stable": 200, "canary": 200}
        self.pause = 0.0
        self.asked: list[tuple[str, str, str]] = []
        self.labels = {"stable": "positive", "canary": "positive"}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/stage/"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        caller = self.headers.get("x-api-key", "")
        self.server.asked.append((self.command, self.path, caller))
        time.sleep(self.server.pause)
        # As nginx does: who calls decides, and always in the same way.
        variant = "canary" if zlib.crc32(caller.encode()) % 5 == 0 else "stable"
        body = json.dumps({"label": self.server.labels[variant]}).encode()
        self.send_response(self.server.status[variant])
        self.send_header("X-Variant", variant)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer  # noqa: N815 - the names that the library calls

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def probe(url: str, seconds: float, per_second: float = 100) -> Prober:
    with Prober(url, SAMPLES, per_second).running() as prober:
        time.sleep(seconds)
    return prober


def test_samples_are_sent_in_turn_below_the_services_address(server: Server):
    probe(server.url, 0.5)

    assert {(method, path) for method, path, _ in server.asked} == {("POST", "/stage/predict"), ("GET", "/stage/other")}


def test_most_requests_come_as_another_caller(server: Server):
    tally = probe(server.url, 0.5).tally

    callers = {caller for _, _, caller in server.asked}
    assert len(callers) == tally.sent - tally.compared > 10


def test_requests_are_counted_by_the_version_that_answered(server: Server):
    tally = probe(server.url, 0.5).tally

    assert tally.failed == 0
    assert tally.sent == sum(counts.requests for counts in tally.variants.values())
    assert tally.variants["canary"].requests > 0


def test_failures_of_one_version_are_its_own(server: Server):
    server.status["canary"] = 500

    tally = probe(server.url, 0.5).tally

    assert tally.variants["stable"].errors == 0
    assert tally.variants["canary"].errors == tally.failed > 0
    assert tally.failure == "HTTP 500"


def test_refusals_are_no_failures_and_say_nothing_of_a_version(server: Server):
    server.status["canary"] = 429

    tally = probe(server.url, 0.5).tally

    assert tally.failed == 0
    assert tally.refused > 0
    assert "canary" not in tally.variants


def test_both_versions_are_asked_about_the_same_and_their_labels_compared(server: Server):
    server.labels["canary"] = "negative"

    seen = probe(server.url, 1.0).seen()

    assert seen.compared > 5
    assert seen.differing == seen.compared


def test_versions_that_agree_differ_on_nothing(server: Server):
    seen = probe(server.url, 1.0).seen()

    assert seen.compared > 5
    assert seen.differing == 0


def test_a_version_that_fails_is_compared_on_nothing(server: Server):
    server.status["canary"] = 500

    assert probe(server.url, 0.5).seen().compared == 0


def test_no_connection_is_a_failure():
    tally = probe(f"http://127.0.0.1:{free_port()}/", 0.2).tally

    assert tally.failed == tally.sent > 0
    assert "ConnectError" in tally.failure


def test_no_more_are_sent_than_asked_for(server: Server):
    began = time.monotonic()

    tally = probe(server.url, 1.0, per_second=50).tally

    assert 1 <= tally.sent - tally.compared <= 1 + 50 * (time.monotonic() - began)


def test_a_slow_service_is_not_swamped_and_what_was_left_out_is_told(server: Server):
    server.pause = 0.4

    tally = probe(server.url, 1.0, per_second=500).tally

    assert tally.sent <= 16 * 4
    assert tally.skipped > 100


@pytest.mark.parametrize("service", ["sentiment", "moderation"])
def test_services_have_samples_to_send(service: str):
    samples = list(itertools.islice(load(service).samples(1), 100))

    assert len(samples) == 100
    assert all(isinstance(sample, Example) for sample in samples)
