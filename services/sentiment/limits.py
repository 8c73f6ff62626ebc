"""How much one caller may ask for: texts a minute, and requests at the same time."""

from __future__ import annotations

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger
from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.common.errors import TooManyRequests

WINDOW_SECONDS = 60
MAX_KEYS = 100_000
"""Callers that are remembered in memory: 25 MB at most. The one that was quiet longest is forgotten first."""
REDIS_TIMEOUT_SECONDS = 0.1
REDIS_CONNECTIONS = 16
REDIS_FAILURES = 5
"""So many in a row are no accident of a busy machine."""
REDIS_PAUSE_SECONDS = 5.0
"""How long Redis is left alone then, so that not every request waits for its timeout."""


class RateLimited(TooManyRequests):
    """The caller asked for more texts than it may in a minute."""


class TooManyAtOnce(TooManyRequests):
    """The caller has more requests under way than it may."""


@dataclass(frozen=True)
class Usage:
    """What a caller has used, as a sliding window over two counters sees it.

    The share of the previous minute that still lies within the last 60 s is estimated from its count, as in
    https://blog.cloudflare.com/counting-things-a-lot-of-different-things/ ("sliding window"). `limits` does the same.

    Attributes:
        previous: Texts in the minute before the current one.
        previous_seconds: For how long the previous minute still counts.
        current: Texts in the current minute.
        current_seconds: How long the current minute goes on.
    """

    previous: int
    previous_seconds: float
    current: int
    current_seconds: float

    def fits(self, cost: int, limit: int) -> bool:
        """Whether so many texts more stay within the limit."""
        return math.floor(self.previous * self.previous_seconds / WINDOW_SECONDS) + self.current + cost <= limit

    def seconds_until(self, cost: int, limit: int) -> int:
        """Whole seconds until so many texts fit if nothing else is asked for; from 1 to two minutes."""
        if self.current + cost <= limit:
            wait = _decay(self.previous, self.previous_seconds, limit - self.current - cost)
        else:
            wait = self.current_seconds + _decay(self.current, WINDOW_SECONDS, limit - cost)
        return max(1, min(2 * WINDOW_SECONDS, math.floor(wait) + 1))


def _decay(count: int, seconds: float, room: int) -> float:
    """When a count that fades to 0 within `seconds` is at most `room`, rounded down."""
    return seconds - (room + 1) * WINDOW_SECONDS / count if count else 0.0


class MemoryCounters:
    """Counters of this process. Two numbers a caller, and so many callers at most.

    The memory storage of `limits` reads the wall clock, which may jump, and walks through all keys at each hit.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, max_keys: int = MAX_KEYS) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._counts: OrderedDict[str, tuple[int, int, int]] = OrderedDict()

    def take(self, key: str, cost: int, limit: int) -> Usage | None:
        """Counts so many texts, or returns the usage that leaves no room for them."""
        minute, elapsed = divmod(self._clock(), WINDOW_SECONDS)
        previous, current = self._shifted(key, int(minute))
        usage = Usage(previous, WINDOW_SECONDS - elapsed, current, WINDOW_SECONDS - elapsed)
        fits = usage.fits(cost, limit)
        self._counts[key] = (int(minute), previous, current + cost if fits else current)
        self._counts.move_to_end(key)
        if len(self._counts) > self._max_keys:
            self._counts.popitem(last=False)
        return None if fits else usage

    def _shifted(self, key: str, minute: int) -> tuple[int, int]:
        """The counts of the minute before and of this one."""
        at, previous, current = self._counts.get(key, (minute, 0, 0))
        if at == minute:
            return previous, current
        return (current if at == minute - 1 else 0), 0


class RedisCounters:
    """Counters that all pods share. Each step is one script in Redis, by Redis's own clock."""

    def __init__(self, url: str, *, timeout_seconds: float = REDIS_TIMEOUT_SECONDS) -> None:
        """Connects to nothing yet.

        Args:
            url: redis://, or rediss:// for TLS.
            timeout_seconds: For a connection, and for an answer.
        """
        pool: Any = BlockingConnectionPool.from_url(
            url,
            # Requests share a few connections: each new one costs as much as twenty answers.
            max_connections=REDIS_CONNECTIONS,
            timeout=timeout_seconds,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            # By default redis-py tries three times more, each with its own timeout.
            retry=Retry(NoBackoff(), retries=0),
        )
        self._redis = Redis(connection_pool=pool)
        self._storage = RedisStorage(
            f"async+{url}", implementation="redispy", key_prefix="quintet-sentiment", connection_pool=pool
        )

    async def take(self, key: str, cost: int, limit: int) -> Usage | None:
        """See `MemoryCounters`; raises `RedisError` or `OSError`."""
        # Hashed, as an identity may be somebody's name or address.
        name = RateLimitItemPerMinute(limit).key_for(hashlib.sha256(key.encode()).hexdigest()[:32])
        if await self._storage.acquire_sliding_window_entry(name, limit, WINDOW_SECONDS, cost):
            return None
        previous, previous_ttl, current, current_ttl = await self._storage.get_sliding_window(name, WINDOW_SECONDS)
        return Usage(previous, previous_ttl, current, max(0.0, current_ttl - WINDOW_SECONDS))

    async def close(self) -> None:
        """Closes the connections."""
        await self._redis.aclose(close_connection_pool=True)


class RateLimit:
    """Texts a minute for each caller: in Redis while it answers, else in memory, where each pod counts for itself."""

    def __init__(
        self,
        limit: int,
        *,
        memory: MemoryCounters,
        redis: RedisCounters | None,
        logger: Logger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Counts nothing yet.

        Args:
            limit: Texts a minute and caller.
            memory: Counters of this process.
            redis: Counters that pods share, where there are some.
            logger: Where a change between the two is told.
            clock: Seconds that only grow.
        """
        self._limit = limit
        self._memory = memory
        self._redis = redis
        self._logger = logger
        self._clock = clock
        self._redis_from = 0.0
        self._failures = 0
        self._shared = redis is not None

    async def take(self, key: str, texts: int) -> None:
        """Counts so many texts of a caller; raises `RateLimited`, which counts none."""
        if texts > self._limit:
            raise RateLimited(
                f"{texts} texts are more than the {self._limit} of a minute; send fewer at once.",
                retry_after_seconds=WINDOW_SECONDS,
            )
        usage = await self._take(key, texts)
        if usage is not None:
            wait = usage.seconds_until(texts, self._limit)
            raise RateLimited(
                f"You may send {self._limit} texts a minute; try again in {wait} s.", retry_after_seconds=wait
            )

    async def close(self) -> None:
        """Closes what it holds open."""
        if self._redis is not None:
            await self._redis.close()

    async def _take(self, key: str, texts: int) -> Usage | None:
        if self._redis is None or self._clock() < self._redis_from:
            return self._memory.take(key, texts, self._limit)
        try:
            usage = await self._redis.take(key, texts, self._limit)
        except (RedisError, OSError) as error:
            self._fail(type(error).__name__)
            return self._memory.take(key, texts, self._limit)
        self._failures = 0
        self._tell(shared=True, reason="")
        return usage

    def _fail(self, reason: str) -> None:
        self._failures += 1
        if self._failures >= REDIS_FAILURES:
            self._failures = 0
            self._redis_from = self._clock() + REDIS_PAUSE_SECONDS
            self._tell(shared=False, reason=reason)

    def _tell(self, *, shared: bool, reason: str) -> None:
        if shared != self._shared:
            line = "Rate limits are counted in Redis again" if shared else "Rate limits are counted in memory"
            self._logger.warning(line, extra={"reason": reason})
            self._shared = shared


class Concurrency:
    """Requests of one caller at the same time. Only callers with a request under way are remembered."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._running: dict[str, int] = {}

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Counts a request while the block lasts; raises `TooManyAtOnce`."""
        running = self._running.get(key, 0)
        if self._limit and running >= self._limit:
            raise TooManyAtOnce(
                f"You may have {self._limit} requests under way; wait for one of them to end.", retry_after_seconds=1
            )
        self._running[key] = running + 1
        try:
            yield
        finally:
            self._release(key)

    def _release(self, key: str) -> None:
        if self._running[key] == 1:
            del self._running[key]
        else:
            self._running[key] -= 1
