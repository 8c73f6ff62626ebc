"""A deployed cluster's pods, through an executable that stands for kubectl and keeps what it was called with."""

import json
import stat
import sys
from pathlib import Path

import pytest

from quintet.errors import Exit, QuintetError
from quintet.rollout.kubectl import KubectlPods
from quintet.rollout.metrics import UnreadableMetricsError
from quintet.rollout.observe import Pod
from tests.quintet.rollout.fakes import FakeStack

# Answers with the file of its verb: `get pods` with pods.json, `get --raw` with metrics.txt; fails where there is none.
FAKE = """#!{python}
import json, pathlib, sys
folder = pathlib.Path({folder!r})
with (folder / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
answer = folder / ("metrics.txt" if "--raw" in sys.argv else "pods.json")
if not answer.exists():
    sys.exit("Error from server (Forbidden): pods is forbidden")
print(answer.read_text(), end="")
"""


def pod(name: str, variant: str, *, ready: bool = True, ending: bool = False, port: str = "http") -> dict:
    metadata = {"name": name, "labels": {"quintet/variant": variant}}
    return {
        "metadata": metadata | ({"deletionTimestamp": "2026-11-21T00:00:00Z"} if ending else {}),
        "spec": {"containers": [{"ports": [{"name": port, "containerPort": 8000}]}]},
        "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "kubectl"
        program.write_text(FAKE.format(python=sys.executable, folder=str(folder)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def has(self, *pods: dict) -> None:
        (self.folder / "pods.json").write_text(json.dumps({"items": pods}))

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "calls.jsonl").read_text().splitlines()]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("PATH", str(tmp_path))
    return Cluster(tmp_path)


def pods() -> KubectlPods:
    stack = FakeStack()
    stack.up()
    return KubectlPods.of("sentiment", stack.target("sentiment"))


def test_both_variants_are_found_with_their_readiness(cluster: Cluster):
    cluster.has(pod("sentiment-1", "stable"), pod("sentiment-canary-1", "canary", ready=False))

    assert list(pods().find()) == [
        Pod("sentiment-1", "stable", "sentiment-1:8000", True),
        Pod("sentiment-canary-1", "canary", "sentiment-canary-1:8000", False),
    ]


def test_only_pods_of_the_service_in_its_namespace_are_asked_for(cluster: Cluster):
    cluster.has(pod("sentiment-1", "stable"))

    pods()

    call = " ".join(cluster.calls[0])
    assert "get pods --namespace quintet-test-sentiment" in call
    assert "--selector app.kubernetes.io/name=sentiment,quintet/variant" in call
    assert "--request-timeout=20s" in call


def test_pods_that_end_or_have_no_such_port_are_left_out(cluster: Cluster):
    cluster.has(pod("a", "stable"), pod("b", "stable", ending=True), pod("c", "stable", port="admin"))

    assert [found.name for found in pods().find()] == ["a"]


def test_metrics_are_read_through_the_api_servers_proxy(cluster: Cluster):
    cluster.has(pod("sentiment-1", "stable"))
    (cluster.folder / "metrics.txt").write_text("sentiment_ready 1\n")
    found = pods()

    text = found.metrics(found.find()[0])

    assert text == "sentiment_ready 1\n"
    assert cluster.calls[-1][-2:] == [
        "--raw", "/api/v1/namespaces/quintet-test-sentiment/pods/sentiment-1:8000/proxy/metrics"
    ]  # fmt: skip


def test_metrics_that_cannot_be_read_are_told_with_the_pods_name(cluster: Cluster):
    cluster.has(pod("sentiment-1", "stable"))
    found = pods()

    with pytest.raises(UnreadableMetricsError, match="sentiment-1 does not answer: Error from server"):
        found.metrics(found.find()[0])


def test_another_clusters_context_is_noticed_before_anything_is_changed(cluster: Cluster):
    cluster.has()

    with pytest.raises(QuintetError, match="sees no pod of sentiment") as refused:
        pods()

    assert "current context" in refused.value.message
    assert refused.value.advice == "Nothing was changed."


def test_a_refusal_of_the_cluster_is_told_as_it_is(cluster: Cluster):
    with pytest.raises(QuintetError, match="Forbidden"):
        pods()


def test_without_kubectl_nothing_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(QuintetError, match="kubectl") as refused:
        pods()

    assert refused.value.exit_code is Exit.TOOL_MISSING
