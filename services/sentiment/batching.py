"""Dynamic batching: what waits is run together, by threads that take it as soon as they are free.

A text is never held back to wait for company: while an inference runs, the queue collects, and what it has collected
when a thread becomes free is the next batch, up to a budget of tokens. So a lone request runs at once, and the more
there is to do, the larger the batches become by themselves.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from services.common.errors import DeadlineExceeded, ModelUnavailable, Overloaded, ServiceError
from services.sentiment.backends.base import Backend, Logits
from services.sentiment.batch_budget import BatchBudget
from services.sentiment.observer import Observer
from services.sentiment.waiting import Job, Waiting

MAX_RETRY_SECONDS = 60
_FIRST_GUESS_TOKENS_PER_SECOND = 5000.0
_SMOOTHING = 0.2
"""Weight of the newest batch in the measured throughput."""


@dataclass(frozen=True)
class BatchLimits:
    """How much may be done and wait.

    Attributes:
        max_batch_tokens: Padded tokens of one inference; a longer text runs alone.
        max_queue_tokens: Tokens that may wait; a request that comes to an empty queue may bring more.
        target_p95_ms: What `services.sentiment.batch_budget` aims at, from a text's arrival to its answer.
    """

    max_batch_tokens: int
    max_queue_tokens: int
    target_p95_ms: float


@dataclass(frozen=True)
class _Taken:
    jobs: Sequence[Job]
    late: Sequence[Job]
    alone: bool
    at: float


@dataclass(frozen=True)
class _Outcome:
    jobs: Sequence[Job]
    result: list[list[float]] | ServiceError
    began: float
    seconds: float


class Batching:
    """A queue and the threads that empty it. All methods are for the event loop's thread."""

    def __init__(
        self,
        backend: Backend,
        limits: BatchLimits,
        observer: Observer,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Starts nothing yet.

        Args:
            backend: What runs the model.
            limits: How much may be done and wait.
            observer: Told about every batch.
            clock: Seconds that only grow; of the jobs' deadlines, too.
        """
        self._backend = backend
        self._limits = limits
        self._observer = observer
        self._clock = clock
        # Guards all that follows it: the threads take jobs out themselves, so that none waits for the event loop.
        self._changed = threading.Condition()
        self._waiting = Waiting()
        self._running: dict[int, float] = {}
        self._runs_alone = False
        self._closing = False
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._budget = BatchBudget(limits.max_batch_tokens, target_seconds=limits.target_p95_ms / 1000)
        self._tokens_per_second = _FIRST_GUESS_TOKENS_PER_SECOND
        self.failures = 0
        """Inferences that failed since the last one that did not."""

    def start(self) -> None:
        """Starts the threads; call it in the event loop."""
        self._loop = asyncio.get_running_loop()
        for number in range(self._backend.parallel):
            thread = threading.Thread(target=self._work, args=(number,), name=f"inference-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def submit(self, jobs: Sequence[Job]) -> None:
        """Puts jobs into the queue, all or none.

        Raises:
            Overloaded: The queue is full; says when it will have been worked off.
            ModelUnavailable: The threads have ended.
        """
        tokens = sum(job.length for job in jobs)
        now = self._clock()
        with self._changed:
            if self._closing:
                raise ModelUnavailable("The model is stopped; try again.", retry_after_seconds=1)
            if self._waiting.tokens and self._waiting.tokens + tokens > self._limits.max_queue_tokens:
                raise self._full()
            for job in jobs:
                job.since = now
                self._waiting.add(job)
            self._changed.notify(len(jobs))

    def discard(self, job: Job) -> bool:
        """Takes a job out of the queue; False where its inference has begun."""
        with self._changed:
            return self._waiting.discard(job)

    async def stop(self, timeout: float) -> None:  # noqa: ASYNC109 - threads are joined, not awaited
        """Ends the threads after what waits is done; gives up on them after `timeout` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        end = time.monotonic() + timeout
        for thread in self._threads:
            await asyncio.to_thread(thread.join, max(0.0, end - time.monotonic()))

    @property
    def texts(self) -> int:
        """Texts that wait."""
        return len(self._waiting)

    @property
    def tokens(self) -> int:
        """Tokens that wait."""
        return self._waiting.tokens

    @property
    def batch_tokens(self) -> int:
        """Padded tokens that one inference may have now."""
        return self._budget.tokens

    @property
    def running_seconds(self) -> float:
        """For how long the longest of the current inferences runs; 0 where there is none."""
        with self._changed:
            return self._clock() - min(self._running.values()) if self._running else 0.0

    def _full(self) -> Overloaded:
        seconds = math.ceil(self._waiting.tokens / self._tokens_per_second)
        return Overloaded(
            "More texts wait than can be answered in time; try again later.",
            retry_after_seconds=max(1, min(MAX_RETRY_SECONDS, seconds)),
        )

    def _work(self, number: int) -> None:
        """A thread's life."""
        while (taken := self._take(number)) is not None:
            if taken.late:
                self._tell(_Outcome(taken.late, _late(), taken.at, 0.0))
            if taken.jobs:
                self._run(number, taken)

    def _take(self, number: int) -> _Taken | None:
        """Waits for something to do; None where there will be nothing any more."""
        with self._changed:
            while not self._waiting or self._runs_alone:
                if self._closing:
                    return None
                self._changed.wait()
            alone = len(self._waiting) == 1 and not self._running
            now = self._clock()
            jobs, late = self._waiting.take(self._share(), now)
            if jobs:
                self._runs_alone = alone
                self._running[number] = now
            return _Taken(jobs, late, alone, now)

    def _run(self, number: int, taken: _Taken) -> None:
        result = self._infer(taken.jobs, alone=taken.alone)
        seconds = self._clock() - taken.at
        with self._changed:
            del self._running[number]
            if taken.alone:
                self._runs_alone = False
                self._changed.notify_all()
        self._tell(_Outcome(taken.jobs, result, taken.at, seconds))

    def _share(self) -> int:
        """The tokens of the next batch: what waits is shared out among the threads that are free."""
        free = self._backend.parallel - len(self._running)
        return min(self._budget.tokens, math.ceil(self._waiting.tokens / free))

    def _infer(self, jobs: Sequence[Job], *, alone: bool) -> list[list[float]] | ServiceError:
        try:
            logits = self._backend.infer([job.ids for job in jobs], alone=alone)
        except ModelUnavailable as error:
            return ModelUnavailable(error.detail, retry_after_seconds=1)
        except Exception as error:  # noqa: BLE001 - a thread's boundary: it must live on, and the callers be told
            return ModelUnavailable(f"The model failed to run: {type(error).__name__}.", retry_after_seconds=1)
        if not np.isfinite(logits).all():
            return ModelUnavailable("The model gave scores that are not finite numbers.", retry_after_seconds=1)
        rows: list[list[float]] = softmax(logits).tolist()
        return rows

    def _tell(self, outcome: _Outcome) -> None:
        assert self._loop is not None  # noqa: S101 - threads are started by `start`; tells mypy
        try:
            self._loop.call_soon_threadsafe(self._deliver, outcome)
        except RuntimeError:  # the event loop is closed: nobody waits any more
            self._closing = True

    def _deliver(self, outcome: _Outcome) -> None:
        jobs, result = outcome.jobs, outcome.result
        if isinstance(result, ServiceError):
            if isinstance(result, ModelUnavailable):
                self.failures += 1
                self._observer.backend_failed()
            for job in jobs:
                job.deliver(result)
            return
        self.failures = 0
        self._measure(outcome)
        now = self._clock()
        for job, row in zip(jobs, result, strict=True):
            self._budget.observe(now - job.since)
            self._observer.waited(outcome.began - job.since)
            job.deliver(row)

    def _measure(self, outcome: _Outcome) -> None:
        tokens = sum(job.length for job in outcome.jobs)
        padding = len(outcome.jobs) * outcome.jobs[-1].length - tokens
        self._observer.batch(texts=len(outcome.jobs), tokens=tokens, padding=padding, seconds=outcome.seconds)
        newest = tokens / max(outcome.seconds, 1e-6) * self._backend.parallel
        self._tokens_per_second += _SMOOTHING * (newest - self._tokens_per_second)


def _late() -> DeadlineExceeded:
    return DeadlineExceeded("No answer within the request's time; send less or wait longer.")


def softmax(logits: Logits) -> Logits:
    """exp(x) / sum(exp(x)) along each row, without overflow."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
