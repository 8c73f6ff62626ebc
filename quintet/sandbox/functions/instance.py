"""One execution environment of a function: a process, its Runtime API, and what happens to it between two calls."""

import asyncio
import json
import shutil
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from quintet.sandbox.functions import answers
from quintet.sandbox.functions.answers import Answer, Invocation
from quintet.sandbox.functions.environment import function_environment
from quintet.sandbox.functions.journal import Journal, Report, init_report
from quintet.sandbox.functions.output import OutputPipe
from quintet.sandbox.functions.processes import ProcessGroup
from quintet.sandbox.functions.runtime_api import RuntimeApi
from quintet.sandbox.functions.spec import Credentials, FunctionSpec, InstanceState, InstanceStatus

INIT_SECONDS = 10.0
GRACE_SECONDS = 0.5
_MEMORY_WATCH_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all instances of a sandbox share.

    Attributes:
        interpreter: the Python of the images.
        endpoint_url: the emulated AWS.
        scratch: folder for the instances' own /tmp.
        mark: hexadecimal digits by which the watchdog knows this sandbox's processes.
    """

    interpreter: Path
    endpoint_url: str
    scratch: Path
    mark: str


class Instance:
    """Handles one invocation at a time and is frozen in between."""

    def __init__(
        self, spec: FunctionSpec, credentials: Credentials, surroundings: Surroundings, journal: Journal
    ) -> None:
        """Describes an instance; its process starts with its first invocation."""
        unique = uuid.uuid4().hex
        self.id = unique[:8]
        self.spec, self.credentials = spec, credentials
        self.state: InstanceState = "starting"
        self.started_at = datetime.now(UTC)
        self.idle_since = time.monotonic()
        self._surroundings, self._journal = surroundings, journal
        self._stream = (
            f"{self.started_at:%Y/%m/%d}/[{spec.version}]{surroundings.mark}{unique[: 32 - len(surroundings.mark)]}"
        )
        self._temporary = surroundings.scratch / self.id
        self._api: RuntimeApi | None = None
        self._group: ProcessGroup | None = None
        self._pipe: OutputPipe | None = None
        self._invocation: Invocation | None = None
        self._request_id = ""
        self._outcome: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._watch: asyncio.TimerHandle
        self._invocations = 0
        self._max_memory_mb = 0

    @property
    def reusable(self) -> bool:
        """Whether it waits for an invocation and lives."""
        return self.state == "idle" and self._group is not None and self._group.running

    @property
    def nearly_free(self) -> bool:
        """Whether its caller has the answer while the runtime or an extension is still at work."""
        return self.state == "busy" and self._invocation is not None and self._invocation.answered

    @property
    def status(self) -> InstanceStatus:
        """What there is to know of it."""
        return InstanceStatus(
            id=self.id,
            function=self.spec.name,
            version=self.spec.version,
            state=self.state,
            pid=self._group.pid if self._group else None,
            started_at=self.started_at,
            invocations=self._invocations,
            max_memory_mb=self._max_memory_mb,
        )

    async def handle(self, invocation: Invocation) -> None:
        """Answers the invocation; returns when all work is done and the instance is frozen, or has ended."""
        self._request_id = invocation.request_id
        self._invocations += 1
        began, init_ms, failed = time.perf_counter(), None, None
        if self.state == "starting":
            failed = await self._initialise(INIT_SECONDS, phase="init")
            now = time.perf_counter()
            began, init_ms = now, None if failed else (now - began) * 1000
        self._log(f"START RequestId: {invocation.request_id} Version: {self.spec.version}")
        if failed:
            # Lambda tries once more, now on the function's own time.
            failed = await self._initialise(self.spec.timeout_seconds, phase="invoke")
        if failed:
            await self._give_up(invocation, failed, began)
        else:
            await self._invoke(invocation, began, init_ms)

    async def end(self) -> None:
        """Ends the process and removes what it left in its /tmp."""
        self.state = "ended"
        await self._stop_process()
        await asyncio.to_thread(shutil.rmtree, self._temporary, ignore_errors=True)

    # What the runtime, its extensions and its process tell.

    def settled(self) -> None:
        """The runtime and all extensions wait for their next event."""
        self._finish(None)

    def init_failed(self, answer: Answer) -> None:
        """The runtime said why it cannot load the handler."""
        self._finish(answer)

    def extension_failed(self, kind: str, error_type: str) -> None:
        """An extension gave up, and the instance with it."""
        self._finish(answers.failure(kind, f"an extension reported {error_type}", self._request_id))

    def _exited(self, returncode: int) -> None:
        self._finish(answers.exited(returncode, self._request_id))

    def _timed_out(self, seconds: float) -> None:
        self._finish(answers.timed_out(seconds, self._request_id))

    def _watch_memory(self) -> None:
        # A limit of address space (RLIMIT_AS) would refuse what onnxruntime reserves and never uses; Lambda counts
        # resident memory, and so does this watch. What grows and is given back between two looks is found in _accept.
        if self._group is None:
            return
        if self._group.memory_mb() > self.spec.memory_mb:
            self._finish(answers.out_of_memory(self._request_id))
        self._watch = asyncio.get_running_loop().call_later(_MEMORY_WATCH_SECONDS, self._watch_memory)

    def _accept(self, invocation: Invocation, answer: Answer) -> None:
        # A peak between two looks of the watch is found here, before an answer that Lambda could not have given.
        if self._peak_memory_mb() > self.spec.memory_mb:
            self._finish(answers.out_of_memory(self._request_id))
        else:
            invocation.resolve(answer)

    def _finish(self, outcome: Answer | None) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)

    async def _outcome_within(self, seconds: float, told_seconds: float) -> Answer | None:
        loop = asyncio.get_running_loop()
        limit = loop.call_later(max(seconds, 0), self._timed_out, told_seconds)
        self._watch = loop.call_later(_MEMORY_WATCH_SECONDS, self._watch_memory)
        try:
            return await self._outcome
        finally:
            limit.cancel()
            self._watch.cancel()

    def _peak_memory_mb(self) -> int:
        if self._group:
            self._max_memory_mb = max(self._max_memory_mb, self._group.peak_memory_mb())
        return self._max_memory_mb

    # Its life.

    async def _initialise(self, seconds: float, *, phase: str) -> Answer | None:
        """Starts the process and waits until it is ready; returns why it is not."""
        began = time.perf_counter()
        self._outcome = asyncio.get_running_loop().create_future()
        await self._start_process()
        failed = await self._outcome_within(seconds, seconds)
        if failed:
            await self._stop_process()
            duration_ms = (time.perf_counter() - began) * 1000
            self._log(init_report(duration_ms, phase, failed.error_type))
        return failed

    async def _start_process(self) -> None:
        self._temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._api = RuntimeApi(self.spec, self, accept=self._accept)
        await self._api.start()
        self._pipe = OutputPipe(self._log)
        try:
            self._group = ProcessGroup(
                [str(self._surroundings.interpreter), "-m", "awslambdaric", self.spec.handler],
                environment=function_environment(
                    self.spec,
                    self.credentials,
                    runtime_api=self._api.address,
                    log_stream=self._stream,
                    endpoint_url=self._surroundings.endpoint_url,
                    temporary=self._temporary,
                ),
                folder=self.spec.code_root,
                output=self._pipe.writing,
                on_exit=self._exited,
            )
        finally:
            self._pipe.close_writing()

    async def _stop_process(self) -> None:
        self._peak_memory_mb()
        if self._group:
            await self._group.end(grace_seconds=GRACE_SECONDS if self.state == "ended" else 0)
        if self._pipe:
            self._pipe.close()
        if self._api:
            await self._api.stop()
        self._group = self._pipe = self._api = None

    async def _invoke(self, invocation: Invocation, began: float, init_ms: float | None) -> None:
        if self._api is None or self._group is None:
            raise RuntimeError("an instance without a process cannot be invoked")
        timeout = self.spec.timeout_seconds - (time.perf_counter() - began)
        self.state, self._invocation = "busy", invocation
        self._outcome = asyncio.get_running_loop().create_future()
        invocation.deadline_ms = int((time.time() + timeout) * 1000)
        self._group.thaw()
        self._api.deliver(invocation)
        failed = await self._outcome_within(timeout, self.spec.timeout_seconds)
        if failed:
            await self._give_up(invocation, failed, began, init_ms)
        else:
            self._rest(invocation, began, init_ms)

    def _rest(self, invocation: Invocation, began: float, init_ms: float | None) -> None:
        if self._group and self._pipe:
            self._group.freeze()
            self._pipe.drain()
        self._log_end(invocation, time.perf_counter() - began, init_ms)
        self.state, self.idle_since = "idle", time.monotonic()

    async def _give_up(self, invocation: Invocation, why: Answer, began: float, init_ms: float | None = None) -> None:
        """Answers with the failure (unless there was an answer before it) and ends the instance."""
        duration = time.perf_counter() - began
        if self._group:
            self._peak_memory_mb()
            self._group.kill()
        invocation.resolve(why)
        await self.end()
        if why.error_type == "Sandbox.Timedout":
            now = datetime.now(UTC).isoformat(timespec="milliseconds")[:23]
            self._log(f"{now}Z {invocation.request_id} Task timed out after {self.spec.timeout_seconds:.2f} seconds")
        self._log_end(invocation, duration, init_ms, why.error_type)
        if why.error_type.startswith(("Runtime.Exit", "Runtime.Out", "Extension.")):
            self._log(f"{json.loads(why.body)['errorMessage']}\r{why.error_type}")

    def _log_end(self, invocation: Invocation, duration: float, init_ms: float | None, error_type: str = "") -> None:
        report = Report(
            request_id=invocation.request_id,
            duration_ms=duration * 1000,
            memory_mb=self.spec.memory_mb,
            max_memory_mb=self._peak_memory_mb(),
            init_ms=init_ms,
            error_type=error_type,
        )
        self._log(f"END RequestId: {invocation.request_id}")
        self._log(str(report))

    def _log(self, message: str) -> None:
        self._journal.write(self.id, self._stream, message)
