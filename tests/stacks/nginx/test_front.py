"""What the declared nginx does with requests, seen at the real one."""

import gzip
import json
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from stacks.components.arguments import ArgumentsError
from stacks.components.nginx_config import nginx_config
from tests.ports import free_port
from tests.stacks.nginx.fronts import CANARY, STABLE, Backend, Front, args, start

SECRET_TEXT = "my-own-words"
BALANCER = "127.0.0.9"

Starts = Callable[..., Front]


@pytest.fixture
def pods() -> Iterator[list[Backend]]:
    """Two pods of the stable version."""
    made = [Backend("one", "127.0.0.1"), Backend("two", "127.0.0.1")]
    yield made
    for pod in made:
        pod.stop()


@pytest.fixture
def canary() -> Iterator[Backend]:
    """A pod of the new version."""
    made = Backend("new", "127.0.0.1")
    yield made
    made.stop()


@pytest.fixture
def front(tool: Callable[..., str], tmp_path: Path, pods: list[Backend]) -> Iterator[Starts]:
    """Starts nginx before these pods, with changes to what it is told."""
    with ExitStack() as started:

        def run(canary: Backend | None = None, **changes: Any) -> Front:
            if canary:
                changes = {"canary": CANARY, "canary_percent": 25, **changes}
            behind = {STABLE.host: pods, CANARY.host: [canary] if canary else []}
            nginx = start(tool("nginx"), tmp_path, args(**changes), behind, free_port())
            started.callback(nginx.stop)
            return nginx

        yield run


def test_the_file_is_one_that_nginx_takes(tool: Callable[..., str], tmp_path: Path) -> None:
    for number, config in enumerate((args(), args(canary=CANARY, canary_percent=10))):
        folder = tmp_path / str(number)
        folder.mkdir()
        # Older than what is deployed, this nginx knows no `resolve`; everything else is judged.
        text = re.sub(r"server \S+ resolve", "server 127.0.0.1:9", nginx_config(config)).replace("/tmp", str(folder))
        (folder / "nginx.conf").write_text(text)

        tried = subprocess.run(
            [tool("nginx"), "-t", "-c", str(folder / "nginx.conf")], capture_output=True, text=True, check=False
        )

        assert tried.returncode == 0, tried.stderr
        assert "warn" not in tried.stderr


def test_it_listens_and_writes_only_where_a_pod_without_rights_may() -> None:
    text = nginx_config(args())

    assert re.findall(r"listen (\S+);", text) == ["8080"]
    paths = re.findall(r"(?:_path|pid|_log) (/\S+?)[; ]", text)
    assert paths
    assert all(path.startswith(("/tmp/", "/dev/std")) for path in paths)


def test_names_are_followed_as_pods_come_and_go() -> None:
    text = nginx_config(args(canary=CANARY, canary_percent=10))

    for upstream in (STABLE, CANARY):
        assert f"server {upstream.host}:8000 resolve" in text
    assert "resolver 172.20.0.10 valid=5s" in text
    assert len(re.findall(r"^\s+zone ", text, re.MULTILINE)) == 2


def test_requests_are_spread_over_all_pods(front: Starts, pods: list[Backend]) -> None:
    nginx = front()

    answered = Counter(nginx.call().pod for _ in range(40))

    assert set(answered) == {"one", "two"}
    assert min(answered.values()) >= 15


def test_a_busy_pod_gets_less(front: Starts, pods: list[Backend]) -> None:
    pods[0].busy_seconds = 0.3
    nginx = front()

    with ThreadPoolExecutor(8) as callers:
        answered = Counter(answer.pod for answer in callers.map(lambda _: nginx.call(), range(80)))

    assert answered["two"] > 3 * answered["one"]


def test_connections_to_pods_are_kept(front: Starts, pods: list[Backend]) -> None:
    nginx = front()

    for _ in range(30):
        nginx.call()

    assert 1 <= sum(len(pod.server.connections) for pod in pods) <= 4


def test_no_request_is_lost_when_a_pod_dies(front: Starts, pods: list[Backend]) -> None:
    nginx = front()
    assert {nginx.call().pod for _ in range(10)} == {"one", "two"}

    def die() -> None:
        time.sleep(0.2)
        pods[0].stop()

    dying = threading.Thread(target=die)
    dying.start()
    until = time.monotonic() + 1
    statuses = Counter[int]()
    while time.monotonic() < until:
        statuses[nginx.call().status] += 1
    dying.join()

    assert set(statuses) == {200}
    assert nginx.call().pod == "two"


def test_a_pod_that_is_full_costs_one_more_try(front: Starts, pods: list[Backend]) -> None:
    pods[0].status = 503
    nginx = front()

    answers = [nginx.call() for _ in range(20)]

    assert {answer.status for answer in answers} == {200}
    assert {answer.pod for answer in answers} == {"two"}


def test_all_pods_full_is_told_by_the_service_and_they_are_asked_again_at_once(
    front: Starts, pods: list[Backend]
) -> None:
    pods[0].status = pods[1].status = 503
    nginx = front()
    assert {nginx.call().status for _ in range(10)} == {503}

    pods[0].status = pods[1].status = 200

    assert {nginx.call().status for _ in range(10)} == {200}


def test_no_pod_at_all_is_told_with_when_to_come_again(front: Starts, pods: list[Backend]) -> None:
    for pod in pods:
        pod.stop()

    answer = front().call()

    assert answer.status == 502
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["x-request-id"]
    assert json.loads(answer.body)["status"] == 502


def test_the_canary_gets_its_share_of_callers(front: Starts, canary: Backend) -> None:
    nginx = front(canary)

    variants = Counter(nginx.call(x_api_key=f"key-{number}").headers["x-variant"] for number in range(400))

    # Binomial: 400 callers, a quarter; four standard deviations are 35.
    assert abs(variants["canary"] - 100) < 35
    assert variants["canary"] + variants["stable"] == 400


def test_a_caller_stays_with_its_variant(front: Starts, canary: Backend) -> None:
    nginx = front(canary)

    for caller in ({"x_api_key": "k"}, {"authorization": "Bearer t"}, {}):
        for number in range(8):
            named = {name: f"{value}{number}" for name, value in caller.items()}
            source = BALANCER if not caller else "127.0.0.1"
            named |= {"x_source_ip": f"203.0.113.{number}"} if not caller else {}

            seen = {nginx.call(source=source, **named).headers["x-variant"] for _ in range(4)}

            assert len(seen) == 1, named


def test_a_signature_that_differs_each_time_does_not_move_its_caller(front: Starts, canary: Backend) -> None:
    nginx = front(canary)

    seen = {
        nginx.call(authorization=f"AWS4-HMAC-SHA256 Signature={number}").headers["x-variant"] for number in range(24)
    }

    assert len(seen) == 1


def test_a_canary_that_does_not_answer_costs_nobody_a_request(front: Starts, canary: Backend) -> None:
    nginx = front(canary)
    keys = [f"key-{number}" for number in range(40)]
    assert "canary" in {nginx.call(x_api_key=key).headers["x-variant"] for key in keys}
    canary.stop()

    answers = [nginx.call(x_api_key=key, body=b"kept") for key in keys]

    assert {answer.status for answer in answers} == {200}
    assert {answer.headers["x-variant"] for answer in answers} == {"stable"}


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "//metrics", "/x/../metrics", "/%6detrics", "/metrics?a=b"])
def test_metrics_stay_inside(front: Starts, pods: list[Backend], path: str) -> None:
    answer = front().call("GET", path)

    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert not any(pod.seen for pod in pods)


def test_who_calls_is_taken_from_the_load_balancer(front: Starts, pods: list[Backend]) -> None:
    nginx = front()

    nginx.call(source=BALANCER, x_source_ip="203.0.113.7", x_real_ip="6.6.6.6", x_forwarded_for="6.6.6.6")

    [seen] = [request for pod in pods for request in pod.seen]
    assert seen["headers"]["X-Real-IP"] == "203.0.113.7"
    assert seen["headers"]["X-Forwarded-For"] == "203.0.113.7"
    assert not any(name.lower() == "x-source-ip" for name in seen["headers"])


def test_who_calls_is_taken_from_nobody_else(front: Starts, pods: list[Backend]) -> None:
    nginx = front()

    nginx.call(source="127.0.0.1", x_source_ip="203.0.113.7", x_real_ip="203.0.113.7")

    [seen] = [request for pod in pods for request in pod.seen]
    assert seen["headers"]["X-Real-IP"] == "127.0.0.1"


def test_one_address_cannot_take_everything(front: Starts) -> None:
    nginx = front(rate=1, burst=5)

    answers = [nginx.call(source=BALANCER, x_source_ip="203.0.113.7") for _ in range(20)]
    other = nginx.call(source=BALANCER, x_source_ip="203.0.113.8")

    refused = [answer for answer in answers if answer.status == 429]
    assert len(refused) >= 12
    assert refused[0].headers["retry-after"] == "1"
    assert refused[0].headers["content-type"] == "application/problem+json"
    assert other.status == 200


def test_a_body_is_bounded(front: Starts, pods: list[Backend]) -> None:
    nginx = front(body_mb=1)

    small, large = nginx.call(body=b"x" * 1_000_000), nginx.call(body=b"x" * 1_100_000)

    assert (small.status, large.status) == (200, 413)
    assert large.headers["content-type"] == "application/problem+json"
    assert max(len(request["body"]) for pod in pods for request in pod.seen) == 1_000_000


def test_headers_are_bounded(front: Starts, pods: list[Backend]) -> None:
    nginx = front()

    assert nginx.call(x_long="x" * 7_000).status == 200
    assert nginx.call(x_long="x" * 9_000).status in {400, 431}
    assert sum(len(pod.seen) for pod in pods) == 1


def test_an_answer_is_compressed_for_who_asks(front: Starts) -> None:
    answer = front().call(accept_encoding="gzip")

    assert answer.headers["content-encoding"] == "gzip"
    assert len(gzip.decompress(answer.body)) > 2000 > len(answer.body)


def test_no_log_holds_what_callers_write(front: Starts, pods: list[Backend]) -> None:
    nginx = front(body_mb=1)

    nginx.call(body=SECRET_TEXT.encode())
    nginx.call("GET", f"/predict?text={SECRET_TEXT}")
    nginx.call("GET", f"/{SECRET_TEXT}")
    nginx.call("SECRETTEXT", "/predict")
    nginx.call(x_request_id=SECRET_TEXT + "\x09spaced", traceparent=SECRET_TEXT)
    nginx.call(user_agent=SECRET_TEXT, referer=SECRET_TEXT, x_api_key=SECRET_TEXT, authorization=SECRET_TEXT)
    nginx.call(body=SECRET_TEXT.encode() * 100_000)
    for pod in pods:
        pod.stop()
    nginx.call("GET", f"/predict?text={SECRET_TEXT}", source=BALANCER, x_source_ip="203.0.113.7")

    lines = nginx.lines(8)
    assert len(lines) == 8
    assert SECRET_TEXT not in nginx.output()
    assert "SECRETTEXT" not in nginx.output()
    assert "203.0.113.7" not in nginx.output()
    assert {line["route"] for line in lines} == {"/predict", "other"}


def test_the_log_says_what_an_operator_needs(front: Starts, canary: Backend) -> None:
    nginx = front(canary)
    trace = f"00-{'a' * 32}-{'b' * 16}-01"

    answer = nginx.call(x_request_id="mine-1", traceparent=trace)

    [line] = nginx.lines(1)
    assert line["request_id"] == "mine-1"
    assert line["traceparent"] == trace
    assert (line["method"], line["route"], line["status"]) == ("POST", "/predict", 200)
    assert line["variant"] == answer.headers["x-variant"]
    assert line["upstream_status"] == "200"
    assert line["duration"] >= 0


def test_a_request_without_an_id_gets_one_that_the_pod_is_told(front: Starts, pods: list[Backend]) -> None:
    nginx = front()

    nginx.call()

    [seen] = [request for pod in pods for request in pod.seen]
    assert re.fullmatch(r"[0-9a-f]{32}", seen["headers"]["X-Request-ID"])
    assert nginx.lines(1)[0]["request_id"] == seen["headers"]["X-Request-ID"]


def test_the_balancer_is_told_whether_a_pod_is_ready(front: Starts, pods: list[Backend]) -> None:
    nginx = front()
    assert nginx.call("GET", "/healthz/backend").status == 200
    assert [request["path"] for pod in pods for request in pod.seen] == ["/readyz"]

    pods[0].status = pods[1].status = 503

    assert nginx.call("GET", "/healthz/backend").status == 503
    assert nginx.call("GET", "/nginx-health").status == 200
    nginx.call()
    assert len(nginx.lines(1)) == 1


def test_nobody_learns_which_nginx_runs_here(front: Starts) -> None:
    nginx = front()

    for answer in (nginx.call(), nginx.call("GET", "/metrics"), nginx.call(x_long="x" * 9_000)):
        assert answer.headers.get("server", "nginx") == "nginx"
        assert not re.search(rb"nginx/\d", answer.body)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"canary": CANARY, "canary_percent": 51}, "canary_percent is 51; allowed are 1 to 50 percent"),
        ({"canary": CANARY}, "canary_percent is 0; allowed are 1 to 50 percent"),
        ({"body_mb": 11}, "body_mb is 11; allowed are 1 to 10 MB"),
        ({"rate": 0}, "rate is 0; allowed are 1 to 100000 a second"),
        ({"trusted": ()}, "trusted is empty: every caller would be the load balancer"),
        ({"resolver": "a b; evil"}, "resolver is 'a b; evil'; allowed is an address or a name"),
        ({"routes": ("/a; }",)}, "a path is '/a; }'; allowed is a path such as /predict"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ArgumentsError, match=re.escape(told)):
        args(**changes)
