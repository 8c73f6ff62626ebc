"""A cluster of its own for each test, and objects as a program declares them."""

import asyncio
import copy
import json
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from quintet.sandbox.functions import Credentials
from quintet.sandbox.images import Image, ImageNotFoundError
from quintet.sandbox.kubernetes.backoff import Timing
from quintet.sandbox.kubernetes.cluster import Cluster
from quintet.sandbox.kubernetes.pod import PodStatus
from tests.quintet.kubernetes.apps import SERVER

NAMESPACE = "shop"
PORT = 8000
ROLE = "arn:aws:iam::123456789012:role/pod"


@dataclass
class Running:
    """A cluster, and what a test asks of it; every method waits in a thread, as the kinds do."""

    cluster: Cluster
    folder: Path
    assumed: list[tuple[str, str]] = field(default_factory=list)
    refuses_roles: bool = False
    credential_life: timedelta = timedelta(hours=1)

    async def apply(self, *values: dict[str, Any], wait: bool = True) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for value in values:
            made = await asyncio.to_thread(self.cluster.apply, value, wait=wait)
        return made

    async def delete(self, kind: str, name: str, namespace: str = NAMESPACE) -> bool:
        return await asyncio.to_thread(self.cluster.delete, kind, namespace, name)

    async def pods(self, deployment: str = "web", *, leaving: bool = False) -> list[PodStatus]:
        found = await asyncio.to_thread(self.cluster.pods, NAMESPACE, deployment)
        return [pod for pod in found if leaving or pod.reason != "Terminating"]

    async def get(self, pod: PodStatus, path: str, **more: Any) -> Any:
        async with httpx.AsyncClient(timeout=20) as client:
            return (await client.get(f"http://{pod.address}:{pod.port}{path}", **more)).json()

    def log(self, name: str = "web") -> str:
        path = self.folder / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def image(self, reference: str) -> Image:
        name = reference.partition("@")[0]
        tree = self.folder / "images" / name
        if not tree.is_dir():
            raise ImageNotFoundError(f"no image {reference} was built in this sandbox")
        return Image(reference, tree, tree / "app", {"FROM_IMAGE": "1"}, (), ("python", "-m", "server"))

    def build(self, name: str = "web", source: str = SERVER) -> str:
        folder = self.folder / "images" / name / "app"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "server.py").write_text(source)
        return f"{name}@sha256:0"

    def assume(self, role_arn: str, session: str) -> Credentials:
        self.assumed.append((role_arn, session))
        if self.refuses_roles:
            raise PermissionError("the role does not trust pods")
        return Credentials(
            access_key_id=f"ASIA{len(self.assumed):04d}",
            secret_access_key="secret-of-the-role",
            session_token="token-of-the-role",
            expires_at=datetime.now(UTC) + self.credential_life,
        )


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    holder: list[Running] = []
    cluster = Cluster(
        images=lambda reference: Running.image(holder[0], reference),
        assume=lambda role, session: Running.assume(holder[0], role, session),
        endpoint_url="http://127.0.0.1:9",
        region="us-east-1",
        scratch=tmp_path / "scratch",
        logs=tmp_path / "logs",
        timing=Timing(back_off_first=0.2, give_up_waiting=0.6, service=1.0),
    )
    holder.append(Running(cluster, tmp_path))
    await cluster.start()
    holder[0].build()
    await holder[0].apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    yield holder[0]
    await cluster.stop()


def thing(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **more}


def deployment(name: str = "web", *, replicas: int | None = 1, **changes: Any) -> dict[str, Any]:
    """A Deployment of the small server; `container`, `pod`, `spec`, `environment` and `labels` are merged into it."""
    labels = {"app": name, **changes.get("labels", {})}
    environment = {"PORT": str(PORT), **changes.get("environment", {})}
    container = {
        "name": "web",
        "image": "web@sha256:0",
        "ports": [{"name": "http", "containerPort": PORT}],
        "env": [
            {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            *({"name": key, "value": value} for key, value in environment.items()),
        ],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1},
        **changes.get("container", {}),
    }
    spec = {
        **({} if replicas is None else {"replicas": replicas}),
        "selector": {"matchLabels": {"app": name}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 5, **changes.get("pod", {})},
        },
        **changes.get("spec", {}),
    }
    return thing("Deployment", name, spec=copy.deepcopy(spec)) | {"apiVersion": "apps/v1"}


def service(name: str = "web", *, headless: bool = True, **spec: Any) -> dict[str, Any]:
    given = {
        "selector": {"app": name},
        "ports": [{"name": "http", "port": PORT, "targetPort": "http"}],
        **({"clusterIP": "None"} if headless else {}),
        **spec,
    }
    made = thing("Service", name, spec=given)
    made["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
    return made


async def eventually(holds: Callable[[], Any], *, seconds: float = 15) -> Any:
    """Waits until something holds; it may be a coroutine's result."""
    async with asyncio.timeout(seconds):
        while True:
            value = holds()
            value = await value if asyncio.iscoroutine(value) else value
            if value:
                return value
            await asyncio.sleep(0.03)


class Load:
    """Clients that ask the same again and again, from threads of their own."""

    def __init__(self, url: Callable[[], str] | str, clients: int = 4, *, keeps_alive: bool = True) -> None:
        self._limits = httpx.Limits(max_keepalive_connections=None if keeps_alive else 0)
        self._url = url if callable(url) else lambda: url
        self.answers: list[dict[str, Any]] = []
        self.lost: list[str] = []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    async def __aenter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)  # the cluster's loop is this one

    @property
    def versions(self) -> set[str]:
        return {answer["version"] for answer in self.answers}

    def _ask(self) -> None:
        with httpx.Client(timeout=20, limits=self._limits) as client:
            while not self._end.is_set():
                try:
                    answer = client.post(self._url())
                    answer.raise_for_status()
                    self.answers.append(json.loads(answer.content))
                except Exception as error:  # noqa: BLE001 - whatever it is, a request was lost
                    self.lost.append(f"{type(error).__name__}: {error}")
