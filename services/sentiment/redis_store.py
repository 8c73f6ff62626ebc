"""Redis or Valkey as a place where small values may be: never waited for longer than a few milliseconds.

One task owns the only connection. It sends what requests want to read and write together, one round trip at a time,
so that a round trip serves many requests and no request opens a connection. It is the circuit breaker, too: after a
failure or too many slow answers nothing is asked any more, until a PING of the task's own, ever more rarely, is
answered; only then do requests use Redis again.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

PREFIX = b"quintet:{sentiment}:1:"
"""Of every key; the number changes with the format of the values.

What is in braces puts all keys into one slot: ElastiCache Serverless is a cluster and refuses an MGET over several. One
slot takes 30 000 units a second there, more than the cache is declared with.
"""

Read = Callable[[list[bytes | None] | None], None]
"""Given the values, None for each that is not there; or None where Redis gave no answer in time."""


@dataclass(frozen=True)
class RedisTimes:
    """How patient the store is, in seconds.

    Attributes:
        budget: What a request waits for an answer.
        round_trip: After which the connection counts as broken.
        connect: For a connection and a first answer; TLS takes several round trips.
        first_pause: Between a failure and the next attempt; doubled up to `last_pause`.
        last_pause: Between attempts at most.
    """

    budget: float = 0.005
    round_trip: float = 0.1
    connect: float = 1.0
    first_pause: float = 0.25
    last_pause: float = 5.0


SLOW_IN_A_ROW = 5
"""So many round trips beyond the budget in a row are no accident: Redis is left alone for a while."""
MAX_KEYS_AT_ONCE = 512
MAX_WAITING_WRITES = 4096
"""Values that wait to be written: a few hundred KB. Beyond it the oldest are lost, which costs an inference each."""


class Listener(Protocol):
    """Where changes are told: a logger."""

    def warning(self, msg: str, *, extra: dict[str, Any]) -> None:
        """One line."""
        ...


@dataclass(eq=False)
class _LookUp:
    keys: Sequence[bytes]
    read: Read
    timer: asyncio.TimerHandle | None = None

    def answer(self, values: list[bytes | None] | None) -> None:
        """Tells it, unless it was told before."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
            self.read(values)


class RedisStore:
    """Values by key, perhaps. All methods are for the event loop's thread."""

    def __init__(self, url: str, *, ttl_seconds: int, logger: Listener, times: RedisTimes | None = None) -> None:
        """Connects to nothing yet.

        Args:
            url: redis://, or rediss:// for TLS.
            ttl_seconds: How long Redis keeps a value.
            logger: Told when Redis is used and when no longer; neither with the address nor with a key.
            times: How patient to be.
        """
        self.is_up = False
        self._ttl_seconds = ttl_seconds
        self._logger = logger
        self._times = times or RedisTimes()
        self._look_ups: deque[_LookUp] = deque()
        self._writes: deque[tuple[bytes, bytes]] = deque(maxlen=MAX_WAITING_WRITES)
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._slow = 0
        self._pause = self._times.first_pause
        self._redis = Redis.from_url(
            url,
            max_connections=1,
            socket_connect_timeout=self._times.connect,
            # By default redis-py tries three times more, each with its own timeout.
            retry=Retry(NoBackoff(), retries=0),
        )

    def start(self) -> None:
        """Begins to connect."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Ends; what is not written yet is lost."""
        # Said twice, as redis-py may turn a cancellation in the middle of a round trip into an error of its own.
        self._closing.set()
        self._work.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._down()

    def look_up(self, keys: Sequence[bytes], read: Read) -> None:
        """Calls `read` once, later: with the values, or with None when the budget is over or Redis fails."""
        look_up = _LookUp(keys, read)
        loop = asyncio.get_running_loop()
        look_up.timer = loop.call_later(self._times.budget, look_up.answer, None)
        self._look_ups.append(look_up)
        self._work.set()

    def put(self, key: bytes, value: bytes) -> None:
        """Writes a value some time soon, if Redis is there."""
        if self.is_up:
            self._writes.append((key, value))
            self._work.set()

    async def _run(self) -> None:
        while not self._closing.is_set():
            try:
                await self._connect()
                await self._serve()
            except Exception as error:  # noqa: BLE001 - a task's boundary: whatever Redis does, requests go on without
                await self._down(type(error).__name__)
            if self._closing.is_set():
                return
            await asyncio.sleep(self._pause)
            self._pause = min(self._times.last_pause, self._pause * 2)

    async def _connect(self) -> None:
        async with asyncio.timeout(self._times.connect):
            await self._redis.ping()
        # Once more, without the making of the connection: one that is slow would only be given up again.
        async with asyncio.timeout(self._times.round_trip):
            await self._redis.ping()
        self.is_up = True
        self._logger.warning("Redis is used", extra={})

    async def _serve(self) -> None:
        """Makes round trips while they are fast; raises whatever goes wrong."""
        self._slow = 0
        while self._slow < SLOW_IN_A_ROW:
            await self._work.wait()
            if self._closing.is_set():
                return
            self._work.clear()
            while self._look_ups or self._writes:
                await self._round_trip()
                if self._slow >= SLOW_IN_A_ROW:
                    break
        raise TimeoutError

    async def _round_trip(self) -> None:
        look_ups = self._next_look_ups()
        writes = [self._writes.popleft() for _ in range(min(len(self._writes), MAX_KEYS_AT_ONCE))]
        if not look_ups and not writes:
            return
        pipeline = self._redis.pipeline(transaction=False)
        if look_ups:
            pipeline.mget([PREFIX + key for look_up in look_ups for key in look_up.keys])
        for key, value in writes:
            pipeline.set(PREFIX + key, value, ex=self._ttl_seconds)
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._times.round_trip):
                answers = await pipeline.execute(raise_on_error=False)
            values = _values(answers[0], look_ups) if look_ups else []
        except BaseException:
            _tell(look_ups, None)
            raise
        if look_ups:
            self._judge(time.monotonic() - began)
        _tell(look_ups, values)

    def _judge(self, seconds: float) -> None:
        if seconds > self._times.budget:
            self._slow += 1
        else:
            self._slow = 0
            self._pause = self._times.first_pause

    def _next_look_ups(self) -> list[_LookUp]:
        """Those that somebody still waits for."""
        found: list[_LookUp] = []
        keys = 0
        while self._look_ups and keys < MAX_KEYS_AT_ONCE:
            look_up = self._look_ups.popleft()
            if look_up.timer is not None:
                found.append(look_up)
                keys += len(look_up.keys)
        return found

    async def _down(self, reason: str = "") -> None:
        if self.is_up and reason:
            self._logger.warning("Redis is not used", extra={"reason": reason})
        self.is_up = False
        unanswered = [*self._look_ups]
        self._look_ups.clear()
        _tell(unanswered, None)
        self._writes.clear()
        with suppress(Exception):  # a connection that is broken may fail to close, too
            await self._redis.connection_pool.disconnect()


def _values(answer: object, look_ups: Sequence[_LookUp]) -> list[bytes | None]:
    """What MGET answered, if it did; raises `ValueError` where that is no answer to what was asked."""
    expected = sum(len(look_up.keys) for look_up in look_ups)
    if not isinstance(answer, list) or len(answer) != expected:
        raise ValueError("MGET was not answered with one value for each key.")
    return [value if isinstance(value, bytes) else None for value in answer]


def _tell(look_ups: Sequence[_LookUp], values: list[bytes | None] | None) -> None:
    start = 0
    for look_up in look_ups:
        end = start + len(look_up.keys)
        look_up.answer(None if values is None else values[start:end])
        start = end
