"""What goes wrong in a cluster while people are being answered: nobody may notice."""

import os
import signal
import time
from typing import Any

import pytest

from tests.system.conftest import LiveCheckout
from tests.system.traffic import Traffic

PATIENCE_SECONDS = 40.0


def pods(checkout: LiveCheckout, variant: str = "stable") -> list[dict[str, Any]]:
    """The service's own pods that take requests."""
    listed = checkout.status()["services"]["sentiment"]["pods"]
    return [pod for pod in listed if pod["variant"] == variant and pod["ready"]]


def await_ready(checkout: LiveCheckout, count: int, *, without: int = 0) -> None:
    """Until so many pods are ready, none of them the process of this id."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        ready = [pod for pod in pods(checkout) if pod["pid"] != without]
        if len(ready) == count:
            return
        time.sleep(0.2)
    raise AssertionError(f"expected {count} ready pods, found {pods(checkout)}")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["asked to end", "killed"])
def test_a_replica_that_ends_under_load_costs_nobody_an_answer(live: LiveCheckout, how: signal.Signals) -> None:
    await_ready(live, 2)
    victim = pods(live)[0]["pid"]

    with Traffic(live.url("sentiment")) as traffic:
        traffic.flows()
        os.kill(victim, how)
        await_ready(live, 2, without=victim)
        traffic.flows()

    assert traffic.lost == {}


def test_a_new_version_under_load_costs_nobody_an_answer(live: LiveCheckout) -> None:
    await_ready(live, 2)
    before = {pod["name"] for pod in pods(live)}

    with Traffic(live.url("sentiment")) as traffic:
        traffic.flows()
        live.configure("sentimentLogLevel", "WARNING")
        live.up_json()
        traffic.flows()

    assert traffic.lost == {}
    assert before.isdisjoint(pod["name"] for pod in pods(live))


def test_a_version_that_cannot_start_never_takes_the_place_of_one_that_serves(live: LiveCheckout) -> None:
    await_ready(live, 2)
    before = {pod["name"] for pod in pods(live)}
    live.edit("services/sentiment/__main__.py", "import", "import a_module_that_is_not_there\nimport")

    with Traffic(live.url("sentiment"), clients=2) as traffic:
        traffic.flows()
        failed = live.up()
        traffic.flows()

    assert failed.returncode != 0
    assert "a_module_that_is_not_there" in failed.stdout + failed.stderr
    assert traffic.lost == {}
    assert before <= {pod["name"] for pod in pods(live)}
