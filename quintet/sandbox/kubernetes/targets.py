"""A target group of a load balancer: its targets, and whether each is healthy by the declared check."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from quintet.sandbox.kubernetes.probing import http_status, tcp_connects

TargetState = Literal["initial", "healthy", "unhealthy"]
_IMPATIENT_SECONDS = 0.2
"""Between two checks of a target that was never healthy: AWS takes its time to begin, a laptop need not."""


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """How a target group asks its targets; the defaults are those of AWS for a network load balancer.

    Attributes:
        protocol: HTTP asks for a path, TCP connects.
        path: For HTTP.
        port: A number; None for the port that gets the traffic.
        matcher: Statuses that are healthy, such as `200-399` or `200,204`.
        interval_seconds: Between two checks.
        timeout_seconds: Until a check counts as failed.
        healthy_threshold: Checks in a row that make a target healthy.
        unhealthy_threshold: Failures in a row that make it unhealthy.
    """

    protocol: Literal["HTTP", "TCP"] = "TCP"
    path: str = "/"
    port: int | None = None
    matcher: str = "200-399"
    interval_seconds: float = 30
    timeout_seconds: float = 10
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2


@dataclass(frozen=True, kw_only=True)
class TargetGroup:
    """A target group of type `ip`.

    Attributes:
        check: How its targets are asked.
        deregistration_delay_seconds: How long connections to a target that leaves may go on.
        terminates_connections: Whether those that still go on then are cut.
    """

    check: HealthCheck = field(default_factory=HealthCheck)
    deregistration_delay_seconds: float = 300
    terminates_connections: bool = False


@dataclass(eq=False)
class Target:
    """One address of a group.

    Attributes:
        host: Its address.
        port: Where the traffic goes.
        state: What the checks say.
        reason: Why it is not healthy.
    """

    host: str
    port: int
    state: TargetState = "initial"
    reason: str = "it has not been checked yet"
    passed: int = 0
    failed: int = 0
    was_healthy: bool = False
    watch: asyncio.Task[None] | None = field(default=None, repr=False)
    connections: set[asyncio.Task[None]] = field(default_factory=set, repr=False)


class Targets:
    """The targets of one group and their checks; belongs to one event loop."""

    def __init__(self, group: TargetGroup) -> None:
        """A group without targets."""
        self._group = group
        self._targets: dict[tuple[str, int], Target] = {}
        self._turn = 0
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def all(self) -> list[Target]:
        """Every registered target."""
        return list(self._targets.values())

    def change(self, group: TargetGroup) -> None:
        """Checks by another rule from the next check on."""
        self._group = group

    def replace(self, wanted: Iterable[tuple[str, int]]) -> None:
        """Registers those that are new and lets go of those that are not named any more."""
        addresses = set(wanted)
        for address in self._targets.keys() - addresses:
            self._leave(self._targets.pop(address))
        for host, port in sorted(addresses - self._targets.keys()):
            target = self._targets[host, port] = Target(host, port)
            target.watch = asyncio.create_task(self._watch(target))

    def next(self) -> Target | None:
        """The target of the next connection: the healthy ones take turns; without any, all do, as AWS fails open."""
        healthy = [target for target in self._targets.values() if target.state == "healthy"]
        candidates = healthy or list(self._targets.values())
        if not candidates:
            return None
        self._turn += 1
        return candidates[self._turn % len(candidates)]

    async def stop(self) -> None:
        """Lets go of all and cuts their connections."""
        targets = self.all
        self._targets = {}
        tasks = [task for target in targets for task in (*target.connections, target.watch) if task]
        tasks += self._leaving
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _leave(self, target: Target) -> None:
        if target.watch:
            target.watch.cancel()
        drain = asyncio.create_task(self._drain(target))
        self._leaving.add(drain)
        drain.add_done_callback(self._leaving.discard)

    async def _drain(self, target: Target) -> None:
        if target.connections:
            await asyncio.wait(target.connections, timeout=self._group.deregistration_delay_seconds)
        if self._group.terminates_connections:
            for connection in list(target.connections):
                connection.cancel()

    async def _watch(self, target: Target) -> None:
        while True:
            self._count(target, await self._ask(target))
            patience = self._group.check.interval_seconds
            await asyncio.sleep(patience if target.was_healthy else min(_IMPATIENT_SECONDS, patience))

    async def _ask(self, target: Target) -> str:
        """Why a target is not healthy; empty when it is."""
        check, port = self._group.check, self._group.check.port or target.port
        try:
            async with asyncio.timeout(check.timeout_seconds):
                if check.protocol == "TCP":
                    await tcp_connects(target.host, port)
                    return ""
                status = await http_status(target.host, port, check.path)
        except (OSError, TimeoutError, ValueError) as error:
            return f"{check.protocol} {target.host}:{port}: {str(error) or type(error).__name__}"
        if matches(status, check.matcher):
            return ""
        return f"GET http://{target.host}:{port}{check.path} answers {status}, expected {check.matcher}"

    def _count(self, target: Target, problem: str) -> None:
        check = self._group.check
        target.passed, target.failed = (0, target.failed + 1) if problem else (target.passed + 1, 0)
        if target.passed >= check.healthy_threshold:
            target.state, target.reason, target.was_healthy = "healthy", "", True
        elif target.failed >= check.unhealthy_threshold:
            target.state, target.reason = "unhealthy", problem


def matches(status: int, matcher: str) -> bool:
    """Whether a status is among `200-399` or `200,204`."""
    for part in matcher.split(","):
        first, _, last = part.partition("-")
        with suppress(ValueError):
            if int(first) <= status <= int(last or first):
                return True
    return False


def group_of(health_check: dict[str, Any]) -> TargetGroup:
    """A target group whose health check is given as AWS describes it."""
    if not health_check.get("enabled", True):
        health_check = {**health_check, "protocol": "TCP"}
    port = str(health_check.get("port") or "traffic-port")
    check = HealthCheck(
        protocol="HTTP" if health_check.get("protocol") == "HTTP" else "TCP",
        path=health_check.get("path") or "/",
        port=int(port) if port.isdigit() else None,
        matcher=health_check.get("matcher") or "200-399",
        interval_seconds=float(health_check.get("interval") or 30),
        timeout_seconds=float(health_check.get("timeout") or 10),
        healthy_threshold=int(health_check.get("healthyThreshold") or 5),
        unhealthy_threshold=int(health_check.get("unhealthyThreshold") or 2),
    )
    return TargetGroup(check=check)
