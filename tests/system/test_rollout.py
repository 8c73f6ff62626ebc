"""A new version of sentiment beside the live one: both versions as pods, nginx before them, clients all along."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from quintet.errors import Exit
from tests.system import candidates
from tests.system.conftest import LiveCheckout

QUICK = ("--weight", "30", "--probe", "30", "--window", "10", "--minimum-samples", "60", "--timeout", "120")


@pytest.fixture
def service(live: LiveCheckout) -> Iterator[LiveCheckout]:
    """The sandbox with sentiment as the repository has it; what a rollout leaves is forgotten afterwards."""
    yield live
    for name in ("overrides.json", "rollout-sandbox.json"):
        (live.home / name).unlink(missing_ok=True)


def rollout(checkout: LiveCheckout, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = checkout.run("rollout", "sentiment", "--json", *QUICK, *arguments)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def version(checkout: LiveCheckout) -> str:
    """The model that answers."""
    return httpx.get(f"{checkout.url('sentiment')}model/info", timeout=30).raise_for_status().json()["version"]


def variants(checkout: LiveCheckout) -> set[str]:
    """Of the pods that get requests; nginx's are of none."""
    pods = checkout.status()["services"]["sentiment"]["pods"]
    return {pod["variant"] for pod in pods if pod["ready"] and pod["variant"]}


def failed(told: dict[str, Any]) -> list[str]:
    return [check["name"] for check in told.get("checks", []) if check["result"] == "failed"]


def test_a_candidate_of_the_same_quality_is_promoted_and_no_client_notices(service: LiveCheckout):
    model = candidates.republished(service, "again-1")

    code, told = rollout(service, "--config", f"sentimentModel={model}")

    assert (code, told["outcome"]) == (0, "promoted"), told
    assert told["probe"]["failed"] == 0, told["probe"]
    assert set(told["probe"]["variants"]) == {"stable", "canary"}
    assert {check["result"] for check in told["checks"]} == {"passed"}
    assert version(service) == "again-1"
    assert variants(service) == {"stable"}
    assert set(service.up_json()["changes"]) == {"same"}


@pytest.mark.parametrize(
    ("spoilt", "allowed", "seen_in"),
    [
        (candidates.all_praise, "1", "label distribution"),
        # Each label is another, while their shares hardly change.
        (candidates.labels_turned, "0.25", "same texts"),
    ],
)
def test_a_candidate_with_other_labels_is_rolled_back_and_no_client_notices(
    service: LiveCheckout, spoilt: Callable[[LiveCheckout, str], str], allowed: str, seen_in: str
):
    before = version(service)
    model = spoilt(service, "spoilt-1")

    code, told = rollout(service, "--disagreement", allowed, "--config", f"sentimentModel={model}")

    assert (code, told["outcome"]) == (Exit.ROLLED_BACK, "rolled back"), told
    assert seen_in in failed(told)
    assert told["probe"]["failed"] == 0, told["probe"]
    assert version(service) == before
    assert variants(service) == {"stable"}
    assert set(service.up_json()["changes"]) == {"same"}


def test_code_that_fails_is_rolled_back_and_stays_out_until_it_is_corrected(service: LiveCheckout):
    live_image = service.outputs()["rollouts"]["sentiment"]["live"]["image"]
    service.edit(
        "services/sentiment/preprocess.py",
        "    text = _visible(text)\n",
        '    if len(text) % 2 and "(No. " in text:\n        raise RuntimeError\n    text = _visible(text)\n',
    )

    code, told = rollout(service)
    up = service.up_json()

    assert code == Exit.ROLLED_BACK
    assert "error rate" in failed(told)
    assert told["held"]
    assert told["probe"]["variants"]["stable"]["errors"] == 0
    assert up["changes"].keys() == {"same"}
    assert service.outputs()["rollouts"]["sentiment"]["live"]["image"] == live_image


def test_a_slow_candidate_is_rolled_back(service: LiveCheckout):
    service.edit(
        "services/sentiment/preprocess.py",
        "    text = _visible(text)\n",
        "    import time\n\n    time.sleep(0.1)\n    text = _visible(text)\n",
    )

    code, told = rollout(service)

    assert code == Exit.ROLLED_BACK
    assert "latency p95" in failed(told)
    assert told["probe"]["failed"] == 0, told["probe"]


@pytest.fixture
def impatient(service: LiveCheckout) -> LiveCheckout:
    """A deployment is given up after seconds, not minutes."""
    service.edit("stacks/components/kubernetes_service.py", "_PROGRESS_SECONDS = 600", "_PROGRESS_SECONDS = 20")
    service.up_json()
    return service


def test_a_candidate_that_never_becomes_ready_is_rolled_back_and_no_client_notices(impatient: LiveCheckout):
    before = version(impatient)
    model = candidates.corrupt(impatient, "corrupt-1")

    code, told = rollout(impatient, "--config", f"sentimentModel={model}")

    assert code == Exit.ROLLED_BACK
    assert "sentiment-canary" in told["reason"]
    assert told["probe"]["failed"] == 0, told["probe"]
    assert version(impatient) == before
    assert variants(impatient) == {"stable"}


def await_canary(checkout: LiveCheckout, command: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 120
    while "canary" not in variants(checkout):
        assert command.poll() is None, command.communicate()
        assert time.monotonic() < deadline, "the candidate never got ready"
        time.sleep(0.2)


def test_a_rollout_that_was_killed_is_put_right_by_rollback(service: LiveCheckout):
    before = version(service)
    model = candidates.republished(service, "killed-1")
    killed = service.start("rollout", "sentiment", *QUICK, "--window", "100", "--config", f"sentimentModel={model}")
    await_canary(service, killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=30)

    rollback = service.run("rollback", "sentiment")

    assert rollback.returncode == 0, rollback.stderr
    assert variants(service) == {"stable"}
    assert version(service) == before
