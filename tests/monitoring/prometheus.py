"""A Prometheus of the tests' own, which scrapes as the operator would make it."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.ports import free_port

START_SECONDS = 60.0
SCRAPE = "2s"  # not the declared 15 s: a rate needs two scrapes, and a test has no half minute
Object = dict[str, Any]


@dataclass(frozen=True)
class Prometheus:
    """One that runs.

    Attributes:
        http: Reaches it.
    """

    http: httpx.Client

    def ask(self, query: str) -> list[Object]:
        """Labels and values that a query returns now."""
        answer = self.http.get("/api/v1/query", params={"query": query}).json()
        assert answer["status"] == "success", f"{query}: {answer}"
        return [{**item["metric"], "value": float(item["value"][1])} for item in answer["data"]["result"]]

    def rules(self) -> list[Object]:
        groups = self.http.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@contextmanager
def running(program: str, folder: Path, scraping: Object, rules: Object) -> Iterator[Prometheus]:
    """Starts it on loopback; its data is in `folder`."""
    port = free_port()
    (folder / "rules.yaml").write_text(yaml.safe_dump(_often(rules)))
    (folder / "prometheus.yaml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yaml"], "scrape_configs": [scraping]})
    )
    command = [
        program,
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
            _wait_until_ready(process, http, folder / "prometheus.log")
            yield Prometheus(http)
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_ready(process: "subprocess.Popen[bytes]", http: httpx.Client, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if http.get("/-/ready").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"Prometheus did not start: {log.read_text()[-2000:]}")


def _often(rules: Object) -> Object:
    made: Object = json.loads(json.dumps(rules))
    for group in made["groups"]:
        group["interval"] = SCRAPE
    return made


def scraping(monitor: Object, service: Object, pod: str, labels: dict[str, str], target: str) -> Object:
    """The scrape configuration that the operator makes of a ServiceMonitor, with one pod found.

    Kubernetes' discovery gives a target labels `__meta_kubernetes_*`; here they are written.

    Args:
        monitor: The ServiceMonitor.
        service: The Service that it finds.
        pod: The pod's name.
        labels: The pod's labels.
        target: Host and port at which the pod is reached.
    """
    [endpoint] = monitor["spec"]["endpoints"]
    [port] = [item for item in service["spec"]["ports"] if item["name"] == endpoint["port"]]
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    found = {
        "__meta_kubernetes_namespace": namespace,
        "__meta_kubernetes_service_name": name,
        "__meta_kubernetes_pod_name": pod,
        "__meta_kubernetes_endpoint_port_name": port["name"],
        **{f"__meta_kubernetes_pod_label_{_plain(label)}": value for label, value in labels.items()},
    }
    own = {"namespace": "namespace", "service_name": "service", "pod_name": "pod", "endpoint_port_name": "endpoint"}
    taken = [
        {"source_labels": [f"__meta_kubernetes_{source}"], "target_label": target_} for source, target_ in own.items()
    ]
    job = {"source_labels": ["__meta_kubernetes_service_name"], "target_label": "job"}
    return {
        "job_name": f"serviceMonitor/{namespace}/{monitor['metadata']['name']}/0",
        "scrape_interval": SCRAPE,
        "scrape_timeout": SCRAPE,
        "metrics_path": endpoint["path"],
        "static_configs": [{"targets": [target], "labels": found}],
        "relabel_configs": [*taken, job, *(_snake(item) for item in endpoint.get("relabelings", []))],
    }


def _plain(label: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", label)


def _snake(relabeling: Object) -> Object:
    return {re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", key): value for key, value in relabeling.items()}
