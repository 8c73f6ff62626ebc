"""The process of a pod: its end under load, and clients that are slow, gone, or send what no client should."""

import contextlib
import json
import signal
import socket
import threading
import time

import httpx
import pytest

from services.sentiment.protocol import HEAD_SECONDS, MAX_HEAD_BYTES
from tests.services.conftest import use_aws
from tests.services.sentiment.conftest import Pod, wait_for
from tests.services.tiny_model import write_sentiment_model

BODY = b'{"text": "good"}'
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture
def pod(pods, cached_model) -> Pod:
    return pods.start()


@contextlib.contextmanager
def connected(pod: Pod):
    with socket.create_connection(("127.0.0.1", pod.port), timeout=30) as connection:
        yield connection


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65_536):
            found += piece
    return found


def read_answer(connection: socket.socket) -> bytes:
    """One answer of a prediction, whose body ends the same way each time."""
    found = b""
    while not found.endswith(b'"model_version":"tiny-1"}'):
        piece = connection.recv(65_536)
        assert piece, found
        found += piece
    return found


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


class Load:
    """Clients that ask one thing after the other over a kept connection, until an answer tells them to go elsewhere."""

    def __init__(self, pod: Pod, clients: int) -> None:
        self.pod = pod
        self.answered: list[int] = []
        self.lost: list[str] = []
        self.threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(clients)]
        for thread in self.threads:
            thread.start()

    def join(self) -> None:
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()

    def _ask(self, number: int) -> None:
        with httpx.Client(base_url=self.pod.url, timeout=20) as client:
            for turn in range(1_000_000):
                try:
                    answer = client.post("/predict", json={"text": f"good {number} {turn}"})
                except httpx.HTTPError as error:
                    self.lost.append(repr(error))
                    return
                self.answered.append(answer.status_code)
                if answer.headers.get("connection") == "close":
                    return


def test_no_request_is_lost_when_the_pod_is_told_to_stop_under_load(pods, cached_model):
    pod = pods.start(DRAIN_SECONDS="2")
    load = Load(pod, 8)
    wait_for(lambda: len(load.answered) > 100)
    pod.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "Draining" in pod.printed())
    unready = httpx.get(f"{pod.url}/readyz")
    load.join()
    # Who has not heard of it yet still opens connections, and is answered.
    late = Load(pod, 8)
    late.join()
    code = pod.process.wait(30)

    assert (unready.status_code, unready.headers["connection"]) == (503, "close")
    assert load.lost == late.lost == []
    assert set(load.answered) == {200}
    assert late.answered == [200] * 8
    assert code == 0, pod.printed()


def test_what_is_under_way_when_the_pod_stops_is_answered(pods, cached_model):
    pod = pods.start(DRAIN_SECONDS="0.2")
    with connected(pod) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY[:5])
        time.sleep(0.2)
        pod.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        connection.sendall(BODY[5:])
        answer = read_all(connection)
    code = pod.process.wait(30)

    assert status_of(answer) == 200
    assert b"connection: close" in answer.lower()
    assert code == 0


def test_a_second_signal_ends_the_draining(pods, cached_model):
    pod = pods.start(DRAIN_SECONDS="60")
    pod.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "Draining" in pod.printed())
    pod.process.send_signal(signal.SIGINT)

    pod.process.wait(10)


def test_a_pod_that_is_stopped_while_its_model_is_absent_ends(pods, monkeypatch):
    pod = pods.start(ready=False, DRAIN_SECONDS="0")
    wait_for(lambda: "Model unavailable" in pod.printed(), seconds=40)
    pod.process.send_signal(signal.SIGTERM)

    assert pod.process.wait(30) == 0


def test_a_pod_fetches_its_model_from_the_bucket(pods, aws, monkeypatch, tmp_path):
    use_aws(monkeypatch, aws.url)
    prefix = f"sentiment/{tmp_path.name}/"
    for path in write_sentiment_model(tmp_path / "published").iterdir():
        aws.client("s3").put_object(Bucket="models", Key=f"{prefix}{path.name}", Body=path.read_bytes())

    pod = pods.start(MODEL_PREFIX=prefix)

    assert httpx.post(f"{pod.url}/predict", json={"text": "bad"}).json()["label"] == "negative"
    (audit,) = [line for line in pod.lines() if line["service"] == "sentiment-audit"]
    assert audit["model_prefix"] == prefix


def test_the_audit_line_is_written_whatever_the_level(pods, cached_model):
    pod = pods.start(LOG_LEVEL="ERROR")

    assert [line["service"] for line in pod.lines()] == ["sentiment-audit"]


def test_a_body_that_trickles_in_is_cut_off(pod):
    with connected(pod) as connection:
        connection.sendall(HEAD + b"Content-Length: 10000\r\n\r\n")
        started = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - started < 20:
                connection.sendall(b" ")
                connection.settimeout(0.2)
                with contextlib.suppress(TimeoutError):
                    if connection.recv(1, socket.MSG_PEEK):
                        break
        connection.settimeout(10)
        answer = read_all(connection)

    assert status_of(answer) == 408
    assert b'"urn:problem-type:request-timeout"' in answer
    assert b"connection: close" in answer.lower()
    assert time.monotonic() - started < 15


def test_a_head_that_does_not_come_is_cut_off(pod):
    with contextlib.ExitStack() as stack:
        started = time.monotonic()
        connections = [stack.enter_context(connected(pod)) for _ in range(4)]
        for connection, sent in zip(connections, (b"", b"POST /predict HT", HEAD, b"\r\n"), strict=True):
            connection.sendall(sent)
        answers = [read_all(connection) for connection in connections]
        took = time.monotonic() - started

    assert [status_of(answer) for answer in answers] == [408] * 4
    assert all(b"application/problem+json" in answer for answer in answers)
    assert HEAD_SECONDS - 1 < took < HEAD_SECONDS + 10


def test_a_connection_that_was_used_is_kept_for_the_next_request(pod):
    with connected(pod) as connection:
        for _ in range(3):
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
            assert status_of(read_answer(connection)) == 200
            time.sleep(0.1)
        time.sleep(HEAD_SECONDS + 1)
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)

        assert status_of(read_answer(connection)) == 200


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"X-Big: " + b"a" * (MAX_HEAD_BYTES + 1) + b"\r\n\r\n",
        HEAD + b"X-Big: " + b"a" * 2_000_000,
        HEAD + b"X-Many: b\r\n" * 5000 + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_huge_headers_are_refused(pod, head):
    with connected(pod) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(head)
        answer = read_all(connection)

    # Who goes on sending may lose the answer, as the connection is closed under what was not read.
    assert answer == b"" or status_of(answer) == 431
    assert httpx.get(f"{pod.url}/livez").status_code == 200


def test_headers_within_the_bound_are_read(pod):
    answer = httpx.post(f"{pod.url}/predict", json={"text": "good"}, headers={"X-Big": "a" * 20_000})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_hurts_nobody(pod, request_):
    with connected(pod) as connection:
        connection.sendall(request_)
        answer = read_all(connection)

    assert answer == b"" or status_of(answer) == 400
    assert httpx.post(f"{pod.url}/predict", json={"text": "good"}).status_code == 200


def test_an_answer_is_sent_in_one_piece(pod):
    with connected(pod) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)

        answer = connection.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b'"model_version":"tiny-1"}')


def test_two_requests_at_once_on_one_connection_are_answered_in_order(pod):
    texts = [b'{"text": "good"}', b'{"text": "bad"}', b'{"text": "table"}']
    with connected(pod) as connection:
        connection.sendall(b"".join(HEAD + b"Content-Length: %d\r\n\r\n" % len(text) + text for text in texts))
        answer = b""
        while answer.count(b"model_version") < 3:
            answer += connection.recv(65_536)

    labels = [json.loads(part[: part.index(b"}", part.index(b"}") + 1) + 1])["label"] for part in _bodies(answer)]
    assert labels == ["positive", "negative", "neutral"]


def _bodies(answer: bytes) -> list[bytes]:
    return [part.split(b"\r\n\r\n", 1)[1] for part in answer.split(b"HTTP/1.1 200 OK")[1:]]


def test_the_work_of_a_client_that_went_away_is_counted_and_dropped(pod):
    for _ in range(5):
        with connected(pod) as connection:
            connection.sendall(HEAD + b"Content-Length: 5000\r\n\r\n" + BODY)
            time.sleep(0.05)

    def disconnected() -> bool:
        found = httpx.get(f"{pod.url}/metrics").text
        return 'sentiment_refused_total{reason="disconnected"} 5.0' in found

    wait_for(disconnected)
    assert not [line for line in pod.lines() if line["level"] == "ERROR"]


def test_a_body_that_is_refused_does_not_become_the_next_request(pod):
    with connected(pod) as connection:
        hidden = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 30_000
        with contextlib.suppress(OSError):
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(hidden) + hidden)
        connection.settimeout(1)
        answer = b""
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while piece := connection.recv(65_536):
                answer += piece

    assert answer.count(b"HTTP/1.1 ") == 1
    assert status_of(answer) == 413


def test_a_process_that_is_halted_does_not_answer_livez(pod):
    pod.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(httpx.TimeoutException):
            httpx.get(f"{pod.url}/livez", timeout=1)
    finally:
        pod.process.send_signal(signal.SIGCONT)

    assert httpx.get(f"{pod.url}/livez", timeout=10).status_code == 200
