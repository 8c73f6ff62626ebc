"""Answers that were given before: in this process, and in a Redis or Valkey that pods share."""

from __future__ import annotations

import hashlib
import struct
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

from services.sentiment.redis_store import RedisStore

Probabilities = tuple[float, ...]

_MAX_SUM_ERROR = 1e-3


def key_of(namespace: str, text: str) -> bytes:
    """The name of an answer: 32 bytes that do not tell the text.

    Args:
        namespace: What else the answer depends on: the model's version and what runs it.
        text: As `services.sentiment.preprocess.clean` returned it.
    """
    return hashlib.sha256(f"{namespace}\n{text}".encode()).digest()


class MemoryCache:
    """The answers used last; the one unused for longest is forgotten first. Not for several threads."""

    def __init__(self, entries: int, ttl_seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Holds nothing yet.

        Args:
            entries: Answers at most, about 400 bytes each; 0 keeps none.
            ttl_seconds: How long an answer is kept.
            clock: Seconds that only grow.
        """
        self._entries = entries
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._kept: OrderedDict[bytes, tuple[float, Probabilities]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: bytes) -> Probabilities | None:
        """The answer of this name, unless it is not there or too old."""
        found = self._kept.get(key)
        if found is None:
            return None
        if found[0] <= self._clock():
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return found[1]

    def put(self, key: bytes, answer: Probabilities) -> None:
        """Keeps an answer; forgets another one where there is no room."""
        self._kept[key] = (self._clock() + self._ttl_seconds, answer)
        self._kept.move_to_end(key)
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)


class Cache:
    """Two levels: memory, and Redis where there is one. Belongs to an event loop; outlives the model's reloads."""

    def __init__(self, memory: MemoryCache, redis: RedisStore | None = None) -> None:
        self.memory = memory
        self.redis = redis

    async def start(self) -> None:
        """Begins to connect to Redis; returns at once."""
        if self.redis is not None:
            self.redis.start()

    async def close(self) -> None:
        """Closes the connection to Redis."""
        if self.redis is not None:
            await self.redis.close()

    @property
    def is_shared(self) -> bool:
        """Whether there is a Redis, and it is worth asking now."""
        return self.redis is not None and self.redis.is_up

    def look_up(self, keys: Sequence[bytes], done: Callable[[list[Probabilities | None], bool], None]) -> None:
        """Asks Redis, and tells once: an answer or None for each key, and whether Redis could say at all."""
        assert self.redis is not None  # noqa: S101 - asked only while `is_shared`; tells mypy

        def read(values: list[bytes | None] | None) -> None:
            if values is None:
                done([None] * len(keys), False)
                return
            done([decode(key, value) for key, value in zip(keys, values, strict=True)], True)

        self.redis.look_up(keys, read)

    def put(self, key: bytes, answer: Probabilities) -> None:
        """Keeps an answer in both levels; Redis is written to later, or not at all if it cannot keep up."""
        self.memory.put(key, answer)
        if self.redis is not None:
            self.redis.put(key, encode(key, answer))


def encode(key: bytes, answer: Probabilities) -> bytes:
    """An answer in Redis: float32 numbers and a checksum over them and the key."""
    numbers = struct.pack(f"<{len(answer)}f", *answer)
    return numbers + zlib.crc32(key + numbers).to_bytes(4, "little")


def decode(key: bytes, value: bytes | None) -> Probabilities | None:
    """The answer that a value holds; None where there is none, or where it is damaged or another key's."""
    if value is None or len(value) < 2 * 4 or len(value) % 4:
        return None
    numbers, checksum = value[:-4], value[-4:]
    if zlib.crc32(key + numbers).to_bytes(4, "little") != checksum:
        return None
    answer = struct.unpack(f"<{len(numbers) // 4}f", numbers)
    return answer if abs(sum(answer) - 1) < _MAX_SUM_ERROR else None
