"""The instances of one version of a function."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from quintet.sandbox.functions.answers import Invocation, ThrottledError
from quintet.sandbox.functions.instance import Instance, Surroundings
from quintet.sandbox.functions.journal import Journal
from quintet.sandbox.functions.spec import Credentials, FunctionSpec

# A caller that comes right after an answer waits this long for the instance that gave it, which has only to ask for its
# next invocation or to let an extension finish, before another instance is started. Lambda would start one.
NEARLY_FREE_SECONDS = 0.1
# An instance is not used when its credentials end so soon; on Lambda, too, instances live for hours only.
CREDENTIALS_MARGIN = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many instances a version may have and how long they stay.

    Attributes:
        concurrency: most instances at a time. An account on AWS has 1000; a laptop has a few.
        queue_seconds: how long a call beyond that waits, where Lambda would start another or throttle at once.
        idle_seconds: how long an instance stays idle; the last one of the newest version stays for good.
    """

    concurrency: int = 4
    queue_seconds: float = 5.0
    idle_seconds: float = 300.0


class Pool:
    """Gives each invocation an instance of its own."""

    def __init__(
        self,
        spec: FunctionSpec,
        *,
        credentials: Callable[[], Awaitable[Credentials]],
        surroundings: Surroundings,
        journal: Journal,
        limits: Limits,
    ) -> None:
        """Begins without an instance."""
        self.spec = spec
        self.instances: list[Instance] = []
        self._credentials, self._surroundings = credentials, surroundings
        self._journal, self._limits = journal, limits
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._freed = asyncio.Condition()
        self._retired = False

    async def invoke(self, invocation: Invocation) -> None:
        """Has the invocation answered; returns when its instance is free again or has ended.

        Raises:
            ThrottledError: all instances stayed busy.
        """
        try:
            async with asyncio.timeout(self._limits.queue_seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise ThrottledError(self.spec.name) from None
        try:
            await self._handle(invocation)
        finally:
            self._slots.release()
            async with self._freed:
                self._freed.notify_all()

    async def reap(self, *, keep: int) -> None:
        """Ends instances that died, whose credentials run out, or, but for `keep` of them, that were idle for long."""
        idle = [instance for instance in self.instances if instance.state == "idle"]
        longest = time.monotonic() - self._limits.idle_seconds
        spare = sorted(idle, key=lambda instance: instance.idle_since, reverse=True)[keep:]
        ended = [i for i in idle if not self._usable(i)] + [i for i in spare if i.idle_since < longest]
        await asyncio.gather(*(self._drop(instance) for instance in dict.fromkeys(ended)))

    async def retire(self) -> None:
        """Ends all instances; busy ones once they are done."""
        self._retired = True
        await asyncio.gather(*(self._drop(instance) for instance in list(self.instances) if instance.state == "idle"))

    async def stop(self) -> None:
        """Ends all instances at once."""
        self._retired = True
        await asyncio.gather(*(self._drop(instance) for instance in list(self.instances)))

    async def _handle(self, invocation: Invocation) -> None:
        instance = await self._idle() or await self._add()
        try:
            await instance.handle(invocation)
        except BaseException:
            await self._drop(instance)
            raise
        if self._retired or instance.state == "ended":
            await self._drop(instance)

    async def _idle(self) -> Instance | None:
        if not self._usable_ones() and any(instance.nearly_free for instance in self.instances):
            with suppress(TimeoutError):
                async with asyncio.timeout(NEARLY_FREE_SECONDS), self._freed:
                    await self._freed.wait_for(self._usable_ones)
        usable = self._usable_ones()
        if not usable:
            return None
        # The one used last, so that the others grow idle and end.
        latest = max(usable, key=lambda instance: instance.idle_since)
        latest.state = "busy"
        return latest

    async def _add(self) -> Instance:
        instance = Instance(self.spec, await self._credentials(), self._surroundings, self._journal)
        self.instances.append(instance)
        if self._journal.writer:
            self._journal.writer.credentials = instance.credentials
        return instance

    def _usable_ones(self) -> list[Instance]:
        return [instance for instance in self.instances if self._usable(instance)]

    def _usable(self, instance: Instance) -> bool:
        return instance.reusable and instance.credentials.expires_at - CREDENTIALS_MARGIN > datetime.now(UTC)

    async def _drop(self, instance: Instance) -> None:
        if instance in self.instances:
            self.instances.remove(instance)
            await instance.end()
