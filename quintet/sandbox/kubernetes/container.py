"""One container of a pod: its process, restarted with back-off when it ends, and what its probes say of it."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from quintet.sandbox.engine.errors import SandboxError
from quintet.sandbox.functions.output import OutputPipe
from quintet.sandbox.functions.processes import ProcessGroup
from quintet.sandbox.images import ImageNotFoundError
from quintet.sandbox.kubernetes.backoff import Timing
from quintet.sandbox.kubernetes.errors import ReferenceMissingError
from quintet.sandbox.kubernetes.pod_spec import Container, PreStop, Probe
from quintet.sandbox.kubernetes.probes import Watch
from quintet.sandbox.kubernetes.programs import Program

LAST_LINES = 15
_LAST_ERRORS = 3
_ERROR = re.compile(r"\b(ERROR|CRITICAL|FATAL|Traceback|emerg|alert|crit)\b")
_LEAST_GRACE_SECONDS = 2.0
"""What a kubelet leaves a container whose preStop hook took all the time."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A container that can be started: everything that it refers to was found."""

    program: Program
    environment: Mapping[str, str]
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Host:
    """What a container needs of its pod and its cluster.

    Attributes:
        address: The pod's.
        prepare: Finds what the container refers to; blocks; raises KubernetesError.
        localised: A command's words as this machine's.
        write: Takes a line of its log.
        changed: Told that the container is not as it was.
        began: Told the pid of a process that leads a session.
        ended: Told it when that has ended.
        timing: How fast the cluster is.
    """

    address: str
    prepare: Callable[[], Launch]
    localised: Callable[[tuple[str, ...]], Program]
    write: Callable[[str], None]
    changed: Callable[[], None]
    began: Callable[[int], None]
    ended: Callable[[int], None]
    timing: Timing


class ContainerRun:
    """Runs a container until it is stopped.

    Attributes:
        spec: The container.
        restarts: How often it was restarted.
        started: It runs, and its startup probe has held.
        ready: It is started, and its readiness probe holds.
        reason: In one word why it is not ready, as `kubectl get pods` shows it; empty when it is.
        message: The same in a sentence.
        waiting_since: Since when it cannot even be made (monotonic seconds); None when it can.
    """

    def __init__(self, spec: Container, host: Host, *, grace_seconds: float) -> None:
        """Describes it; `start` starts it."""
        self.spec, self._host, self._grace = spec, host, grace_seconds
        self.restarts = 0
        self.started = self.ready = False
        self.reason, self.message = "ContainerCreating", "it has not been started yet"
        self.waiting_since: float | None = None
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._errors: deque[str] = deque(maxlen=_LAST_ERRORS)
        self._group: ProcessGroup | None = None
        self._launch: Launch | None = None
        self._asked: Watch | None = None
        self._watches: set[asyncio.Task[None]] = set()
        self._killing: set[asyncio.Task[None]] = set()
        self._killed_for = ""
        self._supervisor: asyncio.Task[None] | None = None
        self._stopping = self._asked_to_end = False

    @property
    def pid(self) -> int | None:
        """Of its process, while it runs."""
        return self._group.pid if self._group and self._group.running else None

    @property
    def note(self) -> str:
        """What people should know of what plays its part."""
        return self._launch.program.note if self._launch else ""

    @property
    def problem(self) -> str:
        """Why it is not ready, with what its readiness probe was told last."""
        asked = self._asked.problem if self._asked and not self.ready else ""
        return asked or self.message

    @property
    def last_lines(self) -> list[str]:
        """What it said last: of one that runs its errors, as it may say much of the questions that it is asked."""
        return list(self._errors if self.pid and self._errors else self._lines)

    def start(self) -> None:
        """Starts it, and again whenever it ends."""
        self._supervisor = asyncio.create_task(self._supervise())

    def tell(self, number: signal.Signals) -> None:
        """Sends its process a signal, unless it has been asked to end: nginx would begin anew."""
        if self._group and not self._asked_to_end:
            self._group.tell(number)

    async def stop(self) -> None:
        """Ends it as a kubelet does: the preStop hook, the stop signal, and what is left after the grace is killed."""
        self._stopping = True
        self._forget_probes()
        try:
            await self._end()
        finally:
            if self._supervisor:
                self._supervisor.cancel()
                await asyncio.gather(self._supervisor, *self._killing, return_exceptions=True)

    async def hurry(self, seconds: float) -> None:
        """Ends it without its notice and within so many seconds; for one that is being stopped already."""
        self._stopping = self._asked_to_end = True
        if self._group and self._launch:
            number = self._launch.program.stop_signal
            await self._group.end(grace_seconds=seconds, number=number, leader_only=True)

    # Its life.

    async def _supervise(self) -> None:
        while True:
            launch = await self._prepared()
            began = time.monotonic()
            await self._run(launch)
            if self._stopping:
                return
            if time.monotonic() - began > self._host.timing.back_off_reset:
                self.restarts = 0
            self.restarts += 1
            await self._back_off()

    async def _prepared(self) -> Launch:
        """Waits until everything that it refers to is there."""
        while True:
            try:
                launch = await asyncio.to_thread(self._host.prepare)
            except Exception as error:  # noqa: BLE001  whatever it is, the pod waits and says why
                self.waiting_since = self.waiting_since or time.monotonic()
                self._become(*_why_not_made(error))
                await asyncio.sleep(self._host.timing.configuration_retry)
            else:
                self.waiting_since = None
                return launch

    async def _run(self, launch: Launch) -> None:
        """Runs the process once, to its end."""
        exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._launch, self._killed_for, self._asked_to_end = launch, "", False
        pipe = OutputPipe(self._line)
        try:
            self._group = ProcessGroup(
                launch.program.command,
                environment=launch.environment,
                folder=launch.folder,
                output=pipe.writing,
                on_exit=lambda code: None if exited.done() else exited.set_result(code),
            )
        except OSError as error:
            pipe.close_writing()
            pipe.close()
            self._become("CreateContainerError", f"{launch.program.command[0]}: {error.strerror or error}")
            return
        pipe.close_writing()
        pid = self._group.pid
        self._host.began(pid)
        self._become("ContainersNotReady", "it was started and is not ready yet")
        self._begin_probes()
        try:
            code = await exited
        finally:
            self._forget_probes()
            self._group.kill()
            pipe.close()
            self._host.ended(pid)
        self._exited(code)

    def _exited(self, code: int) -> None:
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        self._become("Completed" if code == 0 else "Error", self._killed_for or f"the container {self.spec.name} {how}")
        if self._killed_for:
            self.reason = self._killed_for.split(":")[0]

    async def _back_off(self) -> None:
        seconds = self._host.timing.back_off(self.restarts)
        if seconds:
            self._become("CrashLoopBackOff", f"{self.message}; restarted {self.restarts} times, next in {seconds:g} s")
        await asyncio.sleep(seconds)

    async def _end(self) -> None:
        group, launch = self._group, self._launch
        if group is None or launch is None or not group.running:
            return
        deadline = time.monotonic() + self._grace
        if hook := self.spec.pre_stop:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hook(hook, group), self._grace)
        self._asked_to_end = True
        left = max(deadline - time.monotonic(), _LEAST_GRACE_SECONDS if self.spec.pre_stop else 0.0)
        await group.end(grace_seconds=left, number=launch.program.stop_signal, leader_only=True)

    async def _hook(self, hook: PreStop, group: ProcessGroup) -> None:
        """The preStop hook, for as long as there is a process to stop."""
        work = asyncio.create_task(
            self._execute(hook.command, self._grace) if hook.command else _slept(hook.sleep_seconds)
        )
        end = asyncio.create_task(group.ended())
        try:
            await asyncio.wait({work, end}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            end.cancel()
            await asyncio.gather(work, end, return_exceptions=True)

    # What its probes and its memory say.

    def _begin_probes(self) -> None:
        if self.spec.memory_bytes:
            self._ask(self._watch_memory(self.spec.memory_bytes))
        if self.spec.startup:
            self._asked = self._watch(self.spec.startup, self._startup_changed)
        else:
            self._startup_changed(True, "")

    def _startup_changed(self, holds: bool, problem: str) -> None:
        if not holds:
            self._kill_for(f"StartupProbe: {problem}")
            return
        self.started = True
        if self.spec.liveness:
            self._watch(self.spec.liveness, self._liveness_changed)
        if self.spec.readiness:
            self._asked = self._watch(self.spec.readiness, self._readiness_changed)
        else:
            self._readiness_changed(True, "")

    def _liveness_changed(self, holds: bool, problem: str) -> None:
        if not holds:
            self._kill_for(f"LivenessProbe: {problem}")

    def _readiness_changed(self, holds: bool, problem: str) -> None:
        self.ready = holds and self.started and not self._stopping
        self._become("" if self.ready else "ReadinessProbe", problem, ready=self.ready)

    def _kill_for(self, why: str) -> None:
        self._killed_for = why
        self._line(f"restarted by the sandbox: {why}")
        task = asyncio.create_task(self._end())
        self._killing.add(task)
        task.add_done_callback(self._killing.discard)

    async def _watch_memory(self, limit: int) -> None:
        while self._group and self._group.running:
            used = self._group.memory_mb() * 1024 * 1024
            if used > limit:
                self._killed_for = f"OOMKilled: it used {used >> 20} MiB of the {limit >> 20} MiB of its limit"
                self._line(f"restarted by the sandbox: {self._killed_for}")
                self._group.kill()
            await asyncio.sleep(self._host.timing.memory)

    def _watch(self, probe: Probe, on_change: Callable[[bool, str], None]) -> Watch:
        watch = Watch(probe, self._host.address, self._execute, on_change, impatient=self._host.timing.impatient)
        self._ask(watch.run())
        return watch

    def _ask(self, question: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(question)
        self._watches.add(task)
        task.add_done_callback(self._watches.discard)

    def _forget_probes(self) -> None:
        for task in list(self._watches):
            task.cancel()
        self.started = self.ready = False
        self._asked = None

    async def _execute(self, command: tuple[str, ...], seconds: float) -> int:
        """Runs a command beside the process, with its environment; its exit status."""
        if self._launch is None:
            return 1
        launch, words = self._launch, self._host.localised(command).command
        process = await asyncio.create_subprocess_exec(
            *words,
            env=dict(launch.environment),
            cwd=launch.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return await asyncio.wait_for(process.wait(), seconds)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    # What it tells.

    def _become(self, reason: str, message: str, *, ready: bool = False) -> None:
        self.ready, self.reason, self.message = ready, reason, message
        self._host.changed()

    def _line(self, text: str) -> None:
        self._lines.append(text)
        if _ERROR.search(text):
            self._errors.append(text)
        self._host.write(text)


def _why_not_made(error: Exception) -> tuple[str, str]:
    """Reason and message, as a kubelet gives them."""
    if isinstance(error, ImageNotFoundError):
        return "ErrImagePull", str(error)
    if isinstance(error, ReferenceMissingError):
        return "CreateContainerConfigError", str(error)
    return "CreateContainerError", str(error) if isinstance(error, SandboxError) else f"{type(error).__name__}: {error}"


async def _slept(seconds: float) -> int:
    await asyncio.sleep(seconds)
    return 0
