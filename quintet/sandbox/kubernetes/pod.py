"""A pod: its address, its folders, its containers, and whether it is ready."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from quintet.sandbox.functions.output import LogFile
from quintet.sandbox.kubernetes.backoff import Timing
from quintet.sandbox.kubernetes.container import ContainerRun, Host, Launch
from quintet.sandbox.kubernetes.environment import PodFacts
from quintet.sandbox.kubernetes.folders import PodFolders
from quintet.sandbox.kubernetes.pod_spec import Container, PodSpec
from quintet.sandbox.kubernetes.programs import Program


class Node(Protocol):
    """The machine that pods run on, as a pod knows it."""

    timing: Timing
    scratch: Path

    def prepare(self, pod: Pod, container: Container) -> Launch:
        """Find what a container refers to; blocks; raises KubernetesError."""
        ...

    def localised(self, pod: Pod, container: Container, command: tuple[str, ...]) -> Program:
        """A command of a container as this machine's."""
        ...

    def take_address(self, ports: list[int]) -> str:
        """A loopback address of its own."""
        ...

    def give_back(self, pod: Pod) -> None:
        """The pod is gone."""
        ...

    def log(self, name: str) -> LogFile:
        """The log of a Deployment."""
        ...

    def began(self, pid: int) -> None:
        """A process leads a session."""
        ...

    def ended(self, pid: int) -> None:
        """It has ended."""
        ...


@dataclass(frozen=True, kw_only=True)
class PodStatus:
    """One pod, as `quintet status` shows it."""

    name: str
    namespace: str
    deployment: str
    variant: str
    address: str
    port: int | None
    ready: bool
    restarts: int
    pid: int | None
    reason: str
    image: str
    note: str = ""


class Pod:
    """One pod of a Deployment.

    Attributes:
        name: Its name.
        namespace: Where.
        owner: The Deployment.
        spec: What it was made from.
        address: Its own loopback address.
        folders: Its folders.
        terminating: It has been told to end, and serves nobody new.
        ready_since: Since when it is ready without a break (monotonic seconds); None when it is not.
    """

    def __init__(
        self, name: str, *, namespace: str, owner: str, spec: PodSpec, node: Node, on_change: Callable[[], None]
    ) -> None:
        """Gives it its address and folders; raises KubernetesError where no address is free."""
        self.name, self.namespace, self.owner, self.spec = name, namespace, owner, spec
        self.uid = str(uuid.uuid4())
        self.terminating = False
        self.ready_since: float | None = None
        self._node, self._on_change = node, on_change
        self._ended = asyncio.Event()
        self.address = node.take_address(spec.numbers)
        self.folders = PodFolders(node.scratch / f"{name}-{self.uid[:8]}", spec)
        self._log = node.log(owner)
        self.containers = [self._container(container) for container in spec.containers]

    @property
    def ready(self) -> bool:
        """Whether a Service may name it."""
        return not self.terminating and all(container.ready for container in self.containers)

    @property
    def restarts(self) -> int:
        """Of all its containers."""
        return sum(container.restarts for container in self.containers)

    @property
    def waiting_since(self) -> float | None:
        """Since when a container of it cannot even be made."""
        return next((one.waiting_since for one in self.containers if one.waiting_since is not None), None)

    @property
    def problem(self) -> str:
        """Why it is not ready, in a sentence."""
        found = (f"{one.reason}: {one.problem}" for one in self.containers if not one.ready)
        return next(found, "")

    @property
    def last_lines(self) -> list[str]:
        """What its containers that are not ready said last."""
        return [line for container in self.containers if not container.ready for line in container.last_lines]

    @property
    def facts(self) -> PodFacts:
        """What the downward API tells of it."""
        return PodFacts(
            name=self.name,
            namespace=self.namespace,
            uid=self.uid,
            address=self.address,
            service_account=self.spec.service_account,
            labels=self.spec.labels,
            annotations=self.spec.annotations,
        )

    @property
    def status(self) -> PodStatus:
        """What there is to know of it."""
        first = self.containers[0]
        reason = "Terminating" if self.terminating else "" if self.ready else self.problem
        return PodStatus(
            name=self.name,
            namespace=self.namespace,
            deployment=self.owner,
            variant=self.spec.labels.get("quintet/variant", ""),
            address=self.address,
            port=next(iter(self.spec.numbers), None),
            ready=self.ready,
            restarts=self.restarts,
            pid=first.pid,
            reason=reason,
            image=first.spec.image,
            note=first.note,
        )

    def available(self, min_ready_seconds: float) -> bool:
        """Whether it has been ready for so long."""
        return self.ready_since is not None and time.monotonic() - self.ready_since >= min_ready_seconds

    def start(self) -> None:
        """Starts its containers."""
        for container in self.containers:
            container.start()

    async def terminate(self) -> None:
        """Takes it out of every Service at once and ends its containers within its grace."""
        if self.terminating:
            await self._ended.wait()
            return
        self.terminating = True
        self.changed()
        try:
            await asyncio.gather(*(container.stop() for container in self.containers))
        finally:
            await self._gone()

    async def hurry(self, at_most_seconds: float | None) -> None:
        """Ends it now if it has been told to end: without its notice, and within so many seconds."""
        grace = self.spec.grace_seconds if at_most_seconds is None else min(at_most_seconds, self.spec.grace_seconds)
        await asyncio.gather(*(container.hurry(grace) for container in self.containers))

    def changed(self) -> None:
        """Takes note of what a container has become."""
        if not self.ready:
            self.ready_since = None
        elif self.ready_since is None:
            self.ready_since = time.monotonic()
        self._on_change()

    async def _gone(self) -> None:
        self._log.close()
        self._node.give_back(self)
        await asyncio.to_thread(self.folders.remove)
        self._ended.set()

    def _container(self, spec: Container) -> ContainerRun:
        node, name = self._node, self.name if len(self.spec.containers) == 1 else f"{self.name}/{spec.name}"
        host = Host(
            address=self.address,
            prepare=lambda: node.prepare(self, spec),
            localised=lambda command: node.localised(self, spec, command),
            write=lambda line: self._log.write(name, line),
            changed=self.changed,
            began=node.began,
            ended=node.ended,
            timing=node.timing,
        )
        return ContainerRun(spec, host, grace_seconds=self.spec.grace_seconds)
