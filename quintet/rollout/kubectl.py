"""Pods of a deployed cluster, through its API server: `kubectl` brings the user's credentials."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quintet.errors import QuintetError
from quintet.on_path import require
from quintet.rollout.metrics import UnreadableMetricsError
from quintet.rollout.observe import Pod
from quintet.rollout.target import Target

_VARIANT = "quintet/variant"
_PORT = "http"
_ANSWER_SECONDS = 20.0


@dataclass(frozen=True)
class KubectlPods:
    """The pods of a service in a cluster.

    Attributes:
        kubectl: The program.
        service: Whose.
        namespace: Where they are.
        cluster: What the cluster is called; for messages.
    """

    kubectl: str
    service: str
    namespace: str
    cluster: str

    @classmethod
    def of(cls, service: str, target: Target) -> KubectlPods:
        """Those of a service that the program has deployed.

        Raises:
            QuintetError: There is no kubectl, or it sees no pod of the service.
        """
        kubectl = require(
            "kubectl",
            f"The pods of {service} are read with kubectl, which is not on PATH.",
            advice="Install it, then run this again; nothing was changed.",
        )
        pods = cls(kubectl, service, target.namespace, target.cluster)
        if not pods.find():
            raise QuintetError(
                f"kubectl sees no pod of {service} in the namespace {target.namespace}: {pods._hint()}",
                advice="Nothing was changed.",
            )
        return pods

    def find(self) -> Sequence[Pod]:
        """Those there are now; see `Pods`."""
        selector = f"app.kubernetes.io/name={self.service},{_VARIANT}"
        done = self._run("get", "pods", "--namespace", self.namespace, "--selector", selector, "--output", "json")
        if done.returncode:
            raise QuintetError(
                f"kubectl cannot list the pods of {self.namespace}: {done.stderr.strip()}", advice=self._hint()
            )
        return [pod for item in json.loads(done.stdout)["items"] if (pod := _pod(item))]

    def metrics(self, pod: Pod) -> str:
        """What a pod's `/metrics` answers, by way of the API server; see `Pods`."""
        done = self._run("get", "--raw", f"/api/v1/namespaces/{self.namespace}/pods/{pod.address}/proxy/metrics")
        if done.returncode:
            raise UnreadableMetricsError(f"{pod.name} does not answer: {done.stderr.strip()}")
        return done.stdout

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [self.kubectl, f"--request-timeout={_ANSWER_SECONDS:.0f}s", *words]
        try:
            return subprocess.run(  # noqa: S603 - the program that was found, arguments of our own
                command, capture_output=True, text=True, timeout=2 * _ANSWER_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 1, "", f"no answer in {2 * _ANSWER_SECONDS:.0f} s")

    def _hint(self) -> str:
        named = f"`aws eks update-kubeconfig --name {self.cluster}` makes it so" if self.cluster else "set KUBECONFIG"
        return f"is it the current context's cluster that the stack deploys to? {named}."


def _pod(item: Mapping[str, Any]) -> Pod | None:
    """A pod as the API tells it; None for one that is ending or has no port to ask at."""
    metadata, status = item["metadata"], item.get("status", {})
    ports = [port for container in item["spec"]["containers"] for port in container.get("ports", [])]
    number = next((port["containerPort"] for port in ports if port.get("name") == _PORT), None)
    if number is None or "deletionTimestamp" in metadata:
        return None
    ready = any(item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions", []))
    return Pod(metadata["name"], metadata["labels"][_VARIANT], f"{metadata['name']}:{number}", ready)
