"""A rollout in the sandbox: settings kept in `.quintet`, the sandbox's own deployment, pods as it runs them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from quintet.checkout import Checkout
from quintet.commands.env import prepared
from quintet.commands.progress import Progress
from quintet.errors import Exit, QuintetError
from quintet.files import read_json
from quintet.project import Project
from quintet.rollout.config import encoded
from quintet.rollout.metrics import UnreadableMetricsError
from quintet.rollout.observe import Pod
from quintet.rollout.target import Target, target
from quintet.sandbox import overrides
from quintet.sandbox.client import Client
from quintet.sandbox.engines import Engine, owner
from quintet.sandbox.events import as_error
from quintet.sandbox.real.checkpoint import Checkpoint
from quintet.sandbox.real.workspace import find_cli

_BUSY_SECONDS = 600.0
"""How long a deployment that an interrupted command has left behind may take to its end."""
_BUSY_POLL_SECONDS = 0.5
_SCRAPE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class SandboxDeployer:
    """Deploys to the sandbox of a checkout.

    Attributes:
        checkout: Whose.
        project: Declares the settings.
        client: Its process.
        service: What is rolled out.
        silent: Show nothing of the deployments.
    """

    checkout: Checkout
    project: Project
    client: Client
    service: str
    silent: bool

    def target(self, service: str) -> Target:
        """What the program said of a service the last time it ran; see `Deployer`."""
        return target(_outputs(self.checkout), service)

    def settings(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values that are kept over those of the stack's file."""
        kept = overrides.kept(self.checkout)
        return {key: kept.get(key) for key in keys}

    def set(self, changes: Mapping[str, Any]) -> None:
        """Keeps values; None takes one away."""
        overrides.keep(self.checkout, {key: encoded(self.project, key, value) for key, value in changes.items()})

    def up(self) -> None:
        """Deploys what is up already, and waits for a deployment that is still under way."""
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                self._up()
            except QuintetError as error:
                if error.exit_code is not Exit.BUSY or time.monotonic() >= deadline:
                    raise
                time.sleep(_BUSY_POLL_SECONDS)
            else:
                return

    def _up(self) -> None:
        engine = owner(self.checkout) or Engine.SANDBOX
        programs = str(prepared(self.checkout, find_cli(self.checkout)).programs) if engine is Engine.PULUMI else ""
        # By its name: the other services stay as they are, also those that are off.
        request = {"services": [self.service], "engine": engine, "programs": programs}
        with Progress(silent=self.silent) as progress:
            for event in self.client.up(request):
                if event["event"] == "error":
                    raise as_error(event)
                if event["event"] == "done":
                    return
                progress.show(event)
        raise self.client.gone()


@dataclass(frozen=True)
class SandboxPods:
    """The pods of a service that the sandbox runs."""

    client: Client
    service: str

    def find(self) -> Sequence[Pod]:
        """Those there are now; see `Pods`."""
        listed = self.client.status()["services"].get(self.service, {}).get("pods", [])
        return [
            Pod(pod["name"], pod["variant"], f"{pod['address']}:{pod['port']}", bool(pod["ready"]))
            for pod in listed
            if pod["variant"]  # what stands before the service has none
        ]

    def metrics(self, pod: Pod) -> str:
        """What a pod's `/metrics` answers; see `Pods`."""
        try:
            answer = httpx.get(f"http://{pod.address}/metrics", timeout=_SCRAPE_SECONDS)
            return answer.raise_for_status().text
        except httpx.HTTPError as error:
            raise UnreadableMetricsError(f"{pod.name} does not answer: {error}") from error


def running(checkout: Checkout) -> Client:
    """The sandbox's process.

    Raises:
        QuintetError: It does not run.
    """
    client = Client.find(checkout)
    if client is None or client.endpoint_url() is None:
        raise QuintetError("The sandbox is stopped.", advice="Run `quintet up` first.")
    return client


def _outputs(checkout: Checkout) -> Mapping[str, Any]:
    if owner(checkout) is Engine.PULUMI:
        return Checkpoint.of(checkout).outputs
    return dict((read_json(checkout.state) or {}).get("outputs") or {})
