"""A cold start of the moderation function: from nothing to its first answer, the model on its disk."""

import asyncio
import statistics
import time
from collections.abc import Iterator

from benchmarks.local_function import local_function
from benchmarks.measurement import Measurement

RUNS = 7
NOWHERE = "http://127.0.0.1:9"
"""Nothing answers there; a cold start may not need it."""


def measure() -> Iterator[Measurement]:
    """Median of seven, after one that fills the disk's caches."""
    value = statistics.median(asyncio.run(_cold_starts())[1:])
    yield Measurement(claim="cold start of moderation to its first answer", value=value, unit="s", goal=1.5)


async def _cold_starts() -> list[float]:
    taken = []
    async with local_function(NOWHERE) as function:
        for _ in range(RUNS + 1):
            begin = time.perf_counter()
            await function.moderate()
            taken.append(time.perf_counter() - begin)
            await function.end_instances()
    return taken
