"""How large a batch may be so that answers come within the target: found by trying, as it depends on the machine.

On CPUs small batches are nearly as fast a text as large ones, and larger ones let more texts overtake the oldest: the
p95 of 64 clients is a quarter lower with 128 tokens than with 512. On a GPU it is the other way round, as only large
batches use it. So the budget is moved while the p95 is beyond the target, and in the other direction as soon as that
makes it worse; while the target holds, it stays.
"""

from __future__ import annotations

SMALLEST_TOKENS = 128
FIRST_TOKENS = 512
WINDOW = 192
"""Answers between two looks. The first half after a change is not judged: it began to wait under the old budget."""
_STEP = 0.5
_WORSE = 1.1
"""A p95 that rose by less is noise."""


class BatchBudget:
    """The padded tokens of one inference. `observe` is for one thread; `tokens` may be read from any."""

    def __init__(self, largest: int, *, target_seconds: float) -> None:
        """Begins in the middle.

        Args:
            largest: What is never exceeded.
            target_seconds: What 95 of 100 answers should not exceed.
        """
        self.tokens = min(FIRST_TOKENS, largest)
        self._largest = largest
        self._smallest = min(SMALLEST_TOKENS, largest)
        self._target_seconds = target_seconds
        self._seconds: list[float] = []
        self._shrinks = True
        self._before: float | None = None

    def observe(self, seconds: float) -> None:
        """Learns how long one text took, from its arrival to its answer."""
        self._seconds.append(seconds)
        if len(self._seconds) == WINDOW:
            self._decide(_p95(self._seconds[WINDOW // 2 :]))
            self._seconds.clear()

    def _decide(self, found: float) -> None:
        if found <= self._target_seconds:
            self._before = None
            return
        if self._before is not None and found > _WORSE * self._before:
            self._shrinks = not self._shrinks
        self._before = found
        changed = self.tokens * _STEP if self._shrinks else self.tokens / _STEP
        self.tokens = max(self._smallest, min(self._largest, round(changed)))


def _p95(values: list[float]) -> float:
    return sorted(values)[len(values) * 95 // 100]
