"""The nginx before sentiment: its image, and its declared configuration in a container that may do nothing else.

nginx itself is this machine's, older than the one that is deployed: names of Services are written out as the sandbox
does it. Its own files are not those of the real base image, of which nothing is used but the program.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from quintet.sandbox.kubernetes.nginx import Place, translate
from quintet.smoke.runner import run, select
from tests.containers import base_images
from tests.containers.conftest import StartPod
from tests.containers.engine import Engine
from tests.containers.layers import Layers
from tests.containers.pod_container import PodContainer
from tests.containers.test_sentiment import PRAISE, PRIVATE

TAG = "quintet/sentiment-nginx:declared"
DOCKERFILE = "services/sentiment/nginx/Dockerfile"


@pytest.fixture(scope="module")
def nginx_base(engine: Engine, tool: Callable[..., str]) -> str:
    """The stand-in for the unprivileged nginx; its name."""
    return base_images.make_nginx(engine, tool("nginx"))


@pytest.fixture(scope="module")
def nginx_image(engine: Engine, nginx_base: str, repository: Path) -> str:
    """The image of its Dockerfile; its name."""
    given = ("--file", str(repository / DOCKERFILE), "--build-arg", f"BASE_IMAGE={nginx_base}", "--tag", TAG)
    engine.run("build", "--network", "host", *given, str(repository))
    return TAG


@pytest.fixture(scope="module")
def translated(sentiment: PodContainer) -> Callable[[str, str], str]:
    """The declared file as this nginx takes it at the address of its pod, with the one pod behind it."""

    def translated(text: str, address: str) -> str:
        ready = {f"sentiment.{sentiment.pod.namespace}.svc.cluster.local": [(sentiment.address, 8000)]}
        place = Place(
            address=address,
            balancer="127.0.0.9",
            pid_file="/tmp/nginx.pid",
            local=lambda part: part,
            endpoints=lambda host, _: ready[host],
            as_root=False,
        )
        return translate(text, place)

    return translated


@pytest.fixture(scope="module")
def nginx(start_pod: StartPod, nginx_image: str, translated: Callable[[str, str], str]) -> PodContainer:
    """A pod of it, ready."""
    pod = start_pod("sentiment-nginx", nginx_image, waiting={"translate": translated})
    assert not pod.failed, pod.failed
    return pod


def test_its_image_is_the_base_image_with_a_name(
    engine: Engine, nginx_base: str, nginx_image: str, take_apart: Callable[..., Layers]
) -> None:
    config, base = (json.loads(engine.run("image", "inspect", tag))[0]["Config"] for tag in (nginx_image, nginx_base))

    assert take_apart(nginx_image, nginx_base, "").own == ()
    assert config["Labels"] == {"org.opencontainers.image.title": "quintet-sentiment-nginx"}
    for name in ("User", "Env", "Cmd", "Entrypoint", "WorkingDir", "StopSignal"):
        assert config.get(name) == base.get(name), name


def test_it_leads_to_the_pod(nginx: PodContainer) -> None:
    answer = nginx.post("/predict", {"text": PRAISE})

    assert answer.status_code == 200, answer.text
    assert answer.json()["label"] == "positive"
    assert answer.headers["x-variant"] == "stable"
    assert nginx.ask("/healthz/backend").status_code == 200


def test_every_smoke_check_of_the_service_passes_through_it(nginx: PodContainer) -> None:
    endpoints = {"sentiment": nginx.url("")}

    results = list(run(select(["sentiment"], endpoints), endpoints))

    assert results
    assert [f"{result.check} {result.message}" for result in results if not result.ok] == []


def test_it_runs_as_the_user_of_its_image_without_rights(nginx: PodContainer) -> None:
    process = nginx.process()

    assert process["Uid"].split() == [str(base_images.NGINX_USER)] * 4
    assert {int(process[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert process["NoNewPrivs"] == "1"
    assert nginx.inspected()["HostConfig"]["ReadonlyRootfs"] is True
    assert nginx.changed_files() == []


def test_it_has_no_variable_of_ours(nginx: PodContainer) -> None:
    assert (nginx.declared, nginx.given) == ({}, {})


def test_a_body_of_some_size_needs_no_file_elsewhere(nginx: PodContainer) -> None:
    texts = ["word " * 900] * 100

    answer = nginx.post("/predict/batch", {"texts": texts})

    assert answer.status_code == 200, answer.text
    assert len(answer.json()["results"]) == len(texts)


def test_its_log_is_json_and_has_no_text(nginx: PodContainer) -> None:
    nginx.post("/predict", {"text": PRIVATE})

    lines = [json.loads(line) for line in nginx.printed().splitlines()]
    assert {"/predict"} <= {line["route"] for line in lines}
    assert PRIVATE not in nginx.printed()


def test_a_configuration_that_writes_beside_tmp_ends_it_and_the_path_is_named(
    start_pod: StartPod, nginx_image: str, translated: Callable[[str, str], str]
) -> None:
    def elsewhere(text: str, address: str) -> str:
        return translated(text, address).replace("/tmp/body", "/var/body")

    pod = start_pod("sentiment-nginx", nginx_image, waiting={"translate": elsewhere})

    assert pod.failed.startswith("ended with exit code 1\n"), pod.failed
    assert 'mkdir() "/var/body" failed (30: Read-only file system)' in pod.failed


def test_told_to_end_it_is_gone_within_its_grace(
    start_pod: StartPod, nginx_image: str, translated: Callable[[str, str], str]
) -> None:
    pod = start_pod("sentiment-nginx", nginx_image, waiting={"translate": translated})
    assert not pod.failed, pod.failed

    code, seconds = pod.stop(pod.stopping_seconds)

    assert code == 0, pod.printed()
    assert seconds < pod.stopping_seconds
