"""Sentiment on the sandbox's Kubernetes: through the emulated HTTP API, load balancer and nginx to its pods."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import pytest

from quintet.errors import Exit
from tests.system.conftest import LiveCheckout
from tests.system.traffic import Traffic

PRAISE = "The staff were wonderful and the room was lovely. Thank you!"


def pods(checkout: LiveCheckout, deployment: str = "sentiment") -> list[dict[str, Any]]:
    """Those that have not been told to end."""
    every = checkout.status()["services"]["sentiment"]["pods"]
    return [pod for pod in every if pod["deployment"] == deployment and pod["reason"] != "Terminating"]


def predict(checkout: LiveCheckout, text: str = PRAISE, **more: Any) -> httpx.Response:
    return httpx.post(f"{checkout.url('sentiment')}predict", json={"text": text}, timeout=30, **more)


def until(holds: Callable[[], Any], seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < deadline, "it does not come to hold"
        time.sleep(0.1)
    return value


def test_it_answers_at_the_address_that_is_told(live: LiveCheckout) -> None:
    answer = predict(live)

    assert answer.status_code == 200, answer.text
    assert answer.json()["label"] == "positive"
    assert answer.headers["x-variant"] == "stable"


def test_the_status_has_its_pods_and_its_path_of_health(live: LiveCheckout) -> None:
    told = live.status()["services"]["sentiment"]

    assert (told["state"], told["health"]) == ("healthy", "/healthz")
    assert {pod["deployment"] for pod in told["pods"]} >= {"sentiment", "sentiment-nginx"}
    assert len(pods(live)) == len(pods(live, "sentiment-nginx")) == 2
    assert all(pod["ready"] and pod["address"].startswith("127.") for pod in pods(live))


def test_status_shows_a_table_of_pods(live: LiveCheckout) -> None:
    printed = live.run("status").stdout

    assert ["POD", "VARIANT", "READY", "RESTARTS", "ADDRESS"] in [line.split() for line in printed.splitlines()]
    assert all(f"{pod['address']}:{pod['port']}" in printed for pod in pods(live))


def test_a_pod_is_reached_at_its_own_address_with_all_that_is_kept_inside(live: LiveCheckout) -> None:
    [first, _] = pods(live)

    inside = httpx.get(f"http://{first['address']}:{first['port']}/metrics", timeout=10)
    outside = httpx.get(f"{live.url('sentiment')}metrics", timeout=10)

    assert "sentiment_model_info" in inside.text
    assert outside.status_code == 404


def test_logs_show_its_pods_and_nginx_and_no_text(live: LiveCheckout) -> None:
    predict(live, "A sentence that nobody may read in a log.")

    def logged() -> str:
        text = live.run("logs", "sentiment").stdout
        return text if '"route":"/predict"' in text else ""

    lines = until(logged)
    assert all(pod["name"] in lines for pod in [*pods(live), *pods(live, "sentiment-nginx")])
    assert "nobody may read" not in lines


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["asked to end", "killed"])
def test_a_pod_that_ends_under_load_comes_back_and_costs_nobody_a_request(
    live: LiveCheckout, how: signal.Signals
) -> None:
    victim = pods(live)[0]

    with Traffic(live.url("sentiment")) as traffic:
        traffic.flows()
        os.kill(victim["pid"], how)
        back = until(lambda: next((p for p in pods(live) if p["name"] == victim["name"] and p["restarts"]), None))
        until(lambda: all(pod["ready"] for pod in pods(live)))
        traffic.flows()

    assert traffic.lost == {}
    assert back["address"] == victim["address"]


def test_a_changed_setting_rolls_the_pods_under_load_without_losing_a_request(live: LiveCheckout) -> None:
    before = {pod["name"] for pod in pods(live)}
    live.configure("sentimentLogLevel", "DEBUG")

    with Traffic(live.url("sentiment")) as traffic:
        traffic.flows()
        live.up_json()
        traffic.flows()

    assert traffic.lost == {}
    assert before.isdisjoint(pod["name"] for pod in pods(live))


def test_a_shared_cache_that_stands_still_or_is_gone_costs_nobody_a_request(
    live: LiveCheckout, tool: Callable[..., str]
) -> None:
    tool("redis-server")
    live.configure("sentimentCache", "valkey")
    live.up_json()
    [cache] = caches(live)

    with Traffic(live.url("sentiment")) as traffic:
        until(lambda: counted(live, "miss"))
        cache.suspend()
        until(lambda: counted(live, "error"))
        cache.resume()
        before = counted(live, "miss")
        until(lambda: counted(live, "miss") > before)
        cache.kill()
        traffic.flows(200)

    assert traffic.lost == {}


def counted(checkout: LiveCheckout, result: str) -> float:
    """How often the pods asked the shared cache with this result."""
    series = f'sentiment_cache_requests_total{{result="{result}",store="redis"}} '
    told = [httpx.get(f"http://{pod['address']}:{pod['port']}/metrics", timeout=10).text for pod in pods(checkout)]
    return sum(float(line.split()[-1]) for text in told for line in text.splitlines() if line.startswith(series))


def caches(checkout: LiveCheckout) -> list[psutil.Process]:
    """The servers of the sandbox's caches that run."""
    daemon = psutil.Process(int(json.loads((checkout.home / "daemon.json").read_text())["pid"]))
    return [each for each in daemon.children(recursive=True) if each.name() in {"redis-server", "valkey-server"}]


def test_code_that_cannot_start_fails_with_its_words_and_the_old_version_serves_on(live: LiveCheckout) -> None:
    before = {pod["name"] for pod in pods(live)}
    path = live.root / "services" / "sentiment" / "__main__.py"
    whole = path.read_text()
    path.write_text('raise RuntimeError("a screw is loose")\n')

    up = live.up()

    serves = predict(live).status_code
    still = {pod["name"] for pod in pods(live) if pod["ready"]}
    path.write_text(whole)
    healed = live.up()
    assert up.returncode == Exit.FAILED
    assert "a screw is loose" in up.stderr
    assert serves == 200
    assert still == before
    assert healed.returncode == 0, healed.stdout + healed.stderr
    assert {pod["name"] for pod in pods(live)} == before


def test_a_missing_permission_fails_and_names_role_and_action(live: LiveCheckout) -> None:
    live.edit("stacks/sentiment.py", 'models.read(f"{NAME}/")', 'models.read("elsewhere/")')
    live.configure("sentimentLogLevel", "DEBUG")  # pods that run already have read their model

    up = live.up()

    assert up.returncode == Exit.FAILED, up.stdout
    assert "IAM refused" in up.stderr
    assert "may not s3:GetObject on arn:aws:s3:::" in up.stderr
    assert "stacks/sentiment.py" in up.stderr
    assert predict(live).status_code == 200


def test_its_pods_survive_a_restart_of_the_sandbox(live: LiveCheckout) -> None:
    live.run("down")

    up = live.up_json()

    assert set(up["changes"]) == {"same"}
    assert predict(live).status_code == 200
    assert all(pod["ready"] for pod in pods(live))


def test_a_killed_daemon_takes_the_pods_along(live: LiveCheckout) -> None:
    pids = [pod["pid"] for pod in [*pods(live), *pods(live, "sentiment-nginx")]]
    daemon = json.loads((live.home / "daemon.json").read_text())["pid"]

    os.kill(daemon, signal.SIGKILL)

    assert live.wait_for_no_process() == []
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []


def test_turned_off_it_is_gone_with_its_pods(live: LiveCheckout) -> None:
    pids = [pod["pid"] for pod in [*pods(live), *pods(live, "sentiment-nginx")]]
    live.configure("sentiment", "false")
    (live.root / "Pulumi.sandbox.yaml").write_text(
        (live.root / "Pulumi.sandbox.yaml").read_text().replace("  quintet:sentiment: true\n", "", 1)
    )

    off = live.up_json()

    assert "sentiment" not in off["services"]
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
    live.restore()
    assert "sentiment" in live.up_json()["services"]


@pytest.fixture
def following(live: LiveCheckout) -> Iterator["subprocess.Popen[str]"]:
    process = live.start("logs", "sentiment", "-f")
    yield process
    process.kill()
    process.communicate()


def test_logs_can_be_followed(live: LiveCheckout, following: "subprocess.Popen[str]") -> None:
    marker = f"followed-{time.monotonic_ns()}"
    found = threading.Event()

    def read() -> None:
        for line in following.stdout:
            if marker in line:
                found.set()
                return

    threading.Thread(target=read, daemon=True).start()
    predict(live, headers={"X-Request-ID": marker})

    assert found.wait(20)
