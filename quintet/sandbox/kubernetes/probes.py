"""Asks a container what its probes say, and tells when that changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from quintet.sandbox.kubernetes.pod_spec import Probe
from quintet.sandbox.kubernetes.probing import http_status, tcp_connects

AGENT = "kube-probe/1.33"
Execute = Callable[[tuple[str, ...], float], Awaitable[int]]
"""Runs a command beside the container, for at most so many seconds; its exit status."""


async def ask(probe: Probe, host: str, execute: Execute) -> str:
    """One question.

    Returns:
        Why the answer is no; empty when it is yes.
    """
    try:
        async with asyncio.timeout(probe.timeout_seconds):
            if probe.how == "tcpSocket":
                await tcp_connects(host, probe.port)
                return ""
            if probe.how == "httpGet":
                return await _ask_http(probe, host)
        status = await execute(probe.command, probe.timeout_seconds)
    except TimeoutError:
        return f"{_told(probe, host)} did not answer within {probe.timeout_seconds:g} s"
    except (OSError, ValueError) as error:
        return f"{_told(probe, host)}: {error}"
    return f"{_told(probe, host)} ended with status {status}" if status else ""


async def _ask_http(probe: Probe, host: str) -> str:
    status = await http_status(host, probe.port, probe.path, probe.headers, agent=AGENT)
    if 200 <= status < 400:  # noqa: PLR2004  what a kubelet takes for a yes
        return ""
    return f"{_told(probe, host)} answers HTTP {status}"


def _told(probe: Probe, host: str) -> str:
    if probe.how == "exec":
        return f"`{' '.join(probe.command)}`"
    return f"GET http://{host}:{probe.port}{probe.path}" if probe.how == "httpGet" else f"{host}:{probe.port}"


class Watch:
    """Asks one probe for as long as its container runs."""

    def __init__(
        self, probe: Probe, host: str, execute: Execute, on_change: Callable[[bool, str], None], *, impatient: float
    ) -> None:
        """Describes it.

        Args:
            probe: The question.
            host: The pod's address.
            execute: Runs a command of the container.
            on_change: Told that it now holds, or no longer and why; the first time when either threshold is reached.
            impatient: Seconds between two questions before it has held once.
        """
        self._probe, self._host, self._execute = probe, host, execute
        self._on_change, self._impatient = on_change, impatient
        self.problem = ""
        self._holds: bool | None = None
        self._passed = self._failed = 0

    async def run(self) -> None:
        """Asks until cancelled."""
        await asyncio.sleep(self._probe.initial_delay_seconds)
        counted = time.monotonic()
        while True:
            began = time.monotonic()
            self.problem = problem = await ask(self._probe, self._host, self._execute)
            if not problem:
                self._pass()
            elif self._holds or began - counted >= self._probe.period_seconds:
                counted = began
                self._fail(problem)
            pause = self._probe.period_seconds if self._holds else min(self._impatient, self._probe.period_seconds)
            await asyncio.sleep(max(0.0, began + pause - time.monotonic()))

    def _pass(self) -> None:
        self._passed, self._failed = self._passed + 1, 0
        if self._passed >= self._probe.success_threshold and self._holds is not True:
            self._holds = True
            self._on_change(True, "")

    def _fail(self, problem: str) -> None:
        self._passed, self._failed = 0, self._failed + 1
        if self._failed >= self._probe.failure_threshold and self._holds is not False:
            self._holds = False
            self._on_change(False, problem)
