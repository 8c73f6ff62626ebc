"""The texts that wait for an inference, and which of them go together."""

from __future__ import annotations

import bisect
import itertools
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter

from services.common.errors import ServiceError
from services.sentiment.backends.base import Encoded

MAX_PADDING = 1.25
"""Padded tokens over real ones at most: beyond it a second, shorter batch is faster."""


@dataclass(eq=False, slots=True)
class Job:
    """One text that waits.

    Attributes:
        ids: Its token ids.
        deliver: Given one probability a label, or why there are none (`DeadlineExceeded`: it never ran); called in the
            thread of the event loop.
        deadline: When nobody waits for it any more, in seconds of the queue's clock.
        since: When it began to wait.
        number: Its place in the order of arrival; 0 while it does not wait.
    """

    ids: Encoded
    deliver: Callable[[list[float] | ServiceError], None]
    deadline: float = math.inf
    since: float = 0.0
    number: int = field(default=0, init=False)

    @property
    def length(self) -> int:
        """Its tokens."""
        return len(self.ids)


class Waiting:
    """Jobs in order of arrival and of length. Not safe to share between threads without a lock."""

    def __init__(self) -> None:
        self.tokens = 0
        self._arrivals: deque[Job] = deque()
        self._by_length: list[tuple[int, int, Job]] = []
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._by_length)

    def add(self, job: Job) -> None:
        """Puts a job behind all others."""
        job.number = next(self._numbers)
        self._arrivals.append(job)
        bisect.insort(self._by_length, (job.length, job.number, job), key=itemgetter(0, 1))
        self.tokens += job.length

    def discard(self, job: Job) -> bool:
        """Takes a job out; whether it was waiting."""
        if job.number == 0:
            return False
        index = self._index(job)
        self._remove(index, index + 1)
        return True

    def take(self, budget: int, now: float) -> tuple[list[Job], list[Job]]:
        """Takes out what is to run next: the oldest job and those of the most like length.

        The oldest is always among them, so none starves however long or short it is.

        Args:
            budget: Padded tokens at most; a job that is longer runs alone.
            now: Jobs whose deadline is not after it are not to run.

        Returns:
            Jobs of rising length, none only where none is left; and those taken out that are too late.
        """
        late: list[Job] = []
        while oldest := self._oldest():
            taken = self._around(self._index(oldest), budget)
            late += [job for job in taken if job.deadline <= now]
            if jobs := [job for job in taken if job.deadline > now]:
                return jobs, late
        return [], late

    def _oldest(self) -> Job | None:
        while self._arrivals and self._arrivals[0].number == 0:
            self._arrivals.popleft()
        return self._arrivals[0] if self._arrivals else None

    def _index(self, job: Job) -> int:
        return bisect.bisect_left(self._by_length, (job.length, job.number), key=itemgetter(0, 1))

    def _around(self, anchor: int, budget: int) -> list[Job]:
        """Takes out the jobs around one, nearest length first, while they fit and add little padding."""
        lengths = self._by_length
        start, end, tokens = anchor, anchor + 1, lengths[anchor][0]
        while side := self._nearer(start, end, anchor):
            new = lengths[start - 1 if side < 0 else end][0]
            padded = (end - start + 1) * max(lengths[end - 1][0], new)
            if padded > budget or padded > MAX_PADDING * (tokens + new):
                break
            start, end, tokens = (start - 1, end, tokens + new) if side < 0 else (start, end + 1, tokens + new)
        return self._remove(start, end)

    def _nearer(self, start: int, end: int, anchor: int) -> int:
        """-1 where the next shorter job is nearer in length, 1 where the next longer one is, 0 where there is none."""
        lengths = self._by_length
        length = lengths[anchor][0]
        if start == 0:
            return 1 if end < len(lengths) else 0
        if end == len(lengths):
            return -1
        return -1 if length - lengths[start - 1][0] <= lengths[end][0] - length else 1

    def _remove(self, start: int, end: int) -> list[Job]:
        jobs = [job for _, _, job in self._by_length[start:end]]
        del self._by_length[start:end]
        for job in jobs:
            job.number = 0
            self.tokens -= job.length
        return jobs
