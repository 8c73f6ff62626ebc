"""Sentiment in its container, held as its Deployment declares it, with its model from the emulated S3."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet.sandbox.kubernetes.quantities import quantity
from services.sentiment.settings import Settings
from tests.containers.conftest import StartPod
from tests.containers.deployed import Deployed
from tests.containers.inside import WRITABLE
from tests.containers.pod_container import PodContainer

PRAISE = "The staff were wonderful and the room was lovely. Thank you!"
PRIVATE = "a sentence that nobody may read in a log"
OWN_USER = "10001"

OF_THE_ENGINE = {"PATH", "HOME", "HOSTNAME"}
"""Variables that every container has."""


@pytest.fixture
def stopping(start_pod: StartPod, sentiment_image: str) -> Iterator[PodContainer]:
    """A pod that a test may end."""
    pod = start_pod("sentiment", sentiment_image)
    assert not pod.failed, pod.failed
    yield pod
    pod.remove()


def test_it_is_ready_with_what_its_deployment_gives_it(sentiment: PodContainer, record_property) -> None:
    record_property("measured", f"sentiment: ready in its container after {sentiment.ready_seconds:.2f} s")

    assert sentiment.ask("/readyz").status_code == 200


def test_it_answers(sentiment: PodContainer) -> None:
    answer = sentiment.post("/predict", {"text": PRAISE})

    assert answer.status_code == 200, answer.text
    assert answer.json()["label"] == "positive"


def test_the_model_of_the_bucket_answers_by_the_runtime_of_the_image(sentiment: PodContainer, repository: Path) -> None:
    manifest = json.loads((repository / "models/sentiment/manifest.json").read_text())

    info = sentiment.ask("/model/info").json()

    # Without its runtime the service would answer by a list of words and say so here.
    assert (info["backend"], info["tried"]) == ("onnx", {})
    assert info["version"] == manifest["version"]
    assert info["files"] == {name: file["sha256"] for name, file in manifest["files"].items()}


def test_its_role_allows_what_it_does(sentiment: PodContainer, aws: Deployed) -> None:
    assert sentiment.ask("/readyz").status_code == 200

    denied = aws.world.home / "logs" / "denials.jsonl"
    assert not denied.exists() or not denied.read_text()


def test_what_is_declared_is_what_the_service_reads(sentiment: PodContainer) -> None:
    assert set(sentiment.declared) == {name.upper() for name in Settings.model_fields}


def test_its_environment_is_what_is_declared_and_what_the_place_gives(sentiment: PodContainer) -> None:
    of_the_image = {"ORT_DISABLE_TELEMETRY": "1"}
    printed = sentiment.python("import json; print(json.dumps(open('/proc/1/environ').read()))")
    variables = dict(line.split("=", 1) for line in json.loads(printed).split("\0") if line)

    assert {name: value for name, value in variables.items() if name not in OF_THE_ENGINE} == {
        **of_the_image,
        **sentiment.declared,
        **sentiment.given,
    }


def test_it_runs_as_a_user_without_name_rights_and_the_way_to_any(sentiment: PodContainer) -> None:
    process = sentiment.process()

    assert process["Uid"].split() == [OWN_USER] * 4
    assert process["Gid"].split() == [OWN_USER] * 4
    assert {int(process[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert process["NoNewPrivs"] == "1"
    assert process["Seccomp"] == "2"  # filtered


def test_it_can_write_to_tmp_only_and_has_changed_nothing_else(sentiment: PodContainer) -> None:
    sentiment.post("/predict", {"text": PRAISE})

    writable = sentiment.python(WRITABLE).split()

    assert "/tmp" in writable
    assert [path for path in writable if not path.startswith("/tmp")] == []
    assert sentiment.changed_files() == []


def test_it_stays_within_the_memory_of_its_pod(sentiment: PodContainer, record_property) -> None:
    batch = sentiment.post("/predict/batch", {"texts": [f"{PRAISE} {number} " * 20 for number in range(128)]})
    assert batch.status_code == 200, batch.text

    resident_mb = int(sentiment.process()["VmHWM"].split()[0]) / 1024
    limit_mb = sentiment.inspected()["HostConfig"]["Memory"] / 1024**2

    record_property("measured", f"sentiment: {resident_mb:.0f} MB at most of the pod's {limit_mb:.0f} MB")
    assert limit_mb == float(quantity(sentiment.pod.spec.containers[0].limits["memory"])) / 1024**2
    assert sentiment.inspected()["State"]["OOMKilled"] is False
    assert resident_mb < limit_mb


def test_it_logs_lines_of_json_no_error_and_no_text(sentiment: PodContainer) -> None:
    sentiment.post("/predict", {"text": PRIVATE})

    printed = sentiment.printed().splitlines()
    assert [line for line in printed if not line.startswith("{")] == []
    lines = [json.loads(line) for line in printed]
    assert "Model answers" in {line["message"] for line in lines}
    assert [line for line in lines if line.get("level") in {"ERROR", "CRITICAL"}] == []
    assert PRIVATE not in sentiment.printed()


def test_told_to_end_it_takes_no_new_part_finishes_and_is_gone_within_its_grace(
    stopping: PodContainer, record_property
) -> None:
    stopping.tell("TERM")

    # Who has not heard of it yet is answered, and whoever asks for readiness is told to go elsewhere.
    assert stopping.ask("/readyz").status_code == 503
    assert stopping.post("/predict", {"text": PRAISE}).status_code == 200
    code, seconds = stopping.ended(stopping.stopping_seconds)
    record_property(
        "measured", f"sentiment: ended {seconds:.1f} s of its {stopping.stopping_seconds:.0f} s after SIGTERM"
    )
    assert code == 0, stopping.printed()
