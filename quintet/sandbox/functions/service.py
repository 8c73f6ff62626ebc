"""All functions of the sandbox: their pools, their logs, and the promise that nothing outlives the sandbox."""

import asyncio
import os
import shutil
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from botocore.exceptions import ClientError

from quintet.errors import Exit, QuintetError
from quintet.sandbox.functions import watchdog
from quintet.sandbox.functions.answers import Invocation
from quintet.sandbox.functions.cloudwatch import LogGroupWriter
from quintet.sandbox.functions.environment import refuse_invalid
from quintet.sandbox.functions.front import Front, RoleError, UnknownFunctionError
from quintet.sandbox.functions.instance import Surroundings
from quintet.sandbox.functions.interpreter import image_interpreter
from quintet.sandbox.functions.journal import Journal, OnLog
from quintet.sandbox.functions.metrics import EmbeddedMetrics, MetricsClient
from quintet.sandbox.functions.output import LogFile
from quintet.sandbox.functions.pool import Limits, Pool
from quintet.sandbox.functions.spec import Credentials, FunctionSpec, InstanceStatus

_REAP_SECONDS = 5.0
_MARK_DIGITS = 12


class Functions:
    """The sandbox's Lambda for container images.

    Instances start on the first call and are frozen between calls. `forget` may be called from any thread; everything
    else belongs to the event loop that ran `start`.
    """

    def __init__(
        self,
        *,
        describe: Callable[[str], FunctionSpec],
        credentials: Callable[[str, str], Credentials],
        endpoint_url: str,
        scratch: Path,
        logs: Path,
        metrics: MetricsClient | None = None,
        on_log: OnLog | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Describes the service; nothing runs before `start`.

        Args:
            describe: the configuration of an ARN with version; blocks; LookupError or ClientError when unknown.
            credentials: of a role, for a session name; blocks; raises when the role may not be assumed.
            endpoint_url: the emulated AWS, as functions and their logs reach it.
            scratch: a folder of this sandbox alone; `functions` below it is emptied.
            logs: folder of the log files, `<function>.log`.
            metrics: a boto3 `cloudwatch` client with all rights; it gets the metrics that functions write in logs.
            on_log: told each line: function, instance (or `sandbox` for what the sandbox has to say), line.
            limits: how many instances there may be and how long they stay.
        """
        self._describe, self._credentials = describe, credentials
        self._endpoint_url, self._logs = endpoint_url, logs
        self._scratch = scratch / "functions"
        self._metrics, self._on_log, self._limits = EmbeddedMetrics(metrics), on_log, limits or Limits()
        self._mark = uuid.uuid4().hex[:_MARK_DIGITS]
        self._front = Front(self._invoke)
        self._pools: dict[str, Pool] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._journals: dict[tuple[str, str], Journal] = {}
        self._background: list[asyncio.Task[None]] = []
        self._describing = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop
        self._surroundings: Surroundings
        self._watchdog: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Where invocations are posted."""
        return self._front.url

    @property
    def malformed_metrics(self) -> int:
        """Lines so far that were meant as embedded metrics and were malformed."""
        return self._metrics.malformed

    @property
    def lost_log_lines(self) -> dict[str, int]:
        """Lines so far that did not reach their log group, by function."""
        lost: Counter[str] = Counter()
        for (name, _), journal in self._journals.items():
            lost[name] += journal.writer.lost if journal.writer else 0
        return dict(+lost)

    async def start(self, port: int = 0) -> None:
        """Listens on a port of 127.0.0.1; 0 takes a free one.

        Raises:
            QuintetError: the port is in use.
        """
        self._loop = asyncio.get_running_loop()
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True)
        interpreter = await asyncio.to_thread(image_interpreter, self._scratch / "python")
        self._surroundings = Surroundings(
            interpreter=interpreter, endpoint_url=self._endpoint_url, scratch=self._scratch, mark=self._mark
        )
        self._watchdog = self._start_watchdog()
        self._background.append(asyncio.create_task(self._reap()))
        try:
            await self._front.start(port)
        except OSError as error:
            await self.stop()
            raise _cannot_listen(port, error) from error

    async def stop(self) -> None:
        """Ends every instance, sends the last lines, and leaves no process."""
        await self._front.stop()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, *self._leaving, return_exceptions=True)
        await asyncio.gather(*(pool.stop() for pool in self._pools.values()))
        await asyncio.gather(*(journal.close() for journal in self._journals.values()))
        self._pools, self._journals, self._background = {}, {}, []
        # The watchdog ends what left its group, too.
        await asyncio.to_thread(self._watchdog.communicate)
        await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)

    def forget(self, name: str) -> None:
        """Ends the instances of every version of a function; a busy one when its invocation is over."""
        self._loop.call_soon_threadsafe(self._forget, name)

    def snapshot(self) -> list[InstanceStatus]:
        """All instances as they are now."""
        return [instance.status for pool in list(self._pools.values()) for instance in list(pool.instances)]

    def _start_watchdog(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-S", watchdog.__file__, self._mark, str(os.getpid())]
        return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603  a file of this package

    async def _invoke(self, arn: str, invocation: Invocation) -> None:
        pool = await self._pool(arn)
        await pool.invoke(invocation)

    async def _pool(self, arn: str) -> Pool:
        known = self._pools.get(arn)
        if known and known.spec.version != "$LATEST":
            return known
        async with self._describing:
            spec = await asyncio.to_thread(self._described, arn)
            known = self._pools.get(arn)
            if known and known.spec == spec:
                return known
            if known:
                self._retire(arn)
            self._pools[arn] = pool = self._new_pool(spec)
            return pool

    def _described(self, arn: str) -> FunctionSpec:
        try:
            spec = self._describe(arn)
        except LookupError as error:
            raise UnknownFunctionError(f"Function not found: {arn}") from error
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                raise UnknownFunctionError(f"Function not found: {arn}") from error
            raise
        refuse_invalid(spec.environment)
        return spec

    def _new_pool(self, spec: FunctionSpec) -> Pool:
        async def credentials() -> Credentials:
            try:
                return await asyncio.to_thread(self._credentials, spec.role_arn, spec.name)
            except Exception as error:
                self._journal(spec).note(f"the role {spec.role_arn} cannot be assumed: {error}")
                raise RoleError("The role defined for the function cannot be assumed by Lambda.") from error

        return Pool(
            spec,
            credentials=credentials,
            surroundings=self._surroundings,
            journal=self._journal(spec),
            limits=self._limits,
        )

    def _journal(self, spec: FunctionSpec) -> Journal:
        key = spec.name, spec.log_group
        if journal := self._journals.get(key):
            return journal
        journal = Journal(spec.name, LogFile(self._logs / f"{spec.name}.log"), self._on_log)
        journal.writer = LogGroupWriter(
            spec.log_group,
            region=spec.region,
            endpoint_url=self._endpoint_url,
            metrics=self._metrics,
            on_loss=lambda message: self._tell(journal, message),
        )
        self._background.append(asyncio.create_task(journal.writer.run()))
        self._journals[key] = journal
        return journal

    def _tell(self, journal: Journal, message: str) -> None:
        self._loop.call_soon_threadsafe(journal.note, message)

    def _forget(self, name: str) -> None:
        for arn in [arn for arn, pool in self._pools.items() if pool.spec.name == name]:
            self._retire(arn)

    def _retire(self, arn: str) -> None:
        task = asyncio.create_task(self._pools.pop(arn).retire())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(_REAP_SECONDS)
            newest = {pool.spec.name: pool for pool in self._pools.values()}
            kept = [(pool, int(newest[pool.spec.name] is pool)) for pool in self._pools.values()]
            await asyncio.gather(*(pool.reap(keep=keep) for pool, keep in kept))


def _cannot_listen(port: int, error: OSError) -> QuintetError:
    return QuintetError(
        f"The functions of the sandbox cannot listen on port {port}: {error.strerror or error}.",
        advice="Stop what uses that port, or remove the sandbox's folder of state to have another one chosen.",
        exit_code=Exit.PORT_IN_USE,
    )
