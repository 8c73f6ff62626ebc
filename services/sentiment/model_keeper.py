"""Keeps a verified, warm model at hand: loads it, tries again where that fails, and exchanges one that fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from aws_lambda_powertools import Logger

from services.common.errors import ModelUnavailable

FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 30.0
SETTLED_SECONDS = 60.0
"""A model that failed sooner after its loading counts as one that could not be loaded."""
FAILURES_BEFORE_RELOAD = 3
STUCK_SECONDS = 30.0
"""An inference takes far less than a second; one that takes this long will never end."""
DRAIN_SECONDS = 30.0
_POLL_SECONDS = 0.2


class Runner(Protocol):
    """What answers with a model, and says how it does."""

    async def start(self) -> None:
        """Begins to take work; raises `ModelUnavailable`."""
        ...

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - the predictor's own
        """Does what was begun and ends."""
        ...

    @property
    def failures(self) -> int:
        """Inferences that failed since the last one that did not."""
        ...

    @property
    def running_seconds(self) -> float:
        """For how long the current inference runs; 0 where there is none."""
        ...


RunnerT = TypeVar("RunnerT", bound=Runner)


@dataclass(frozen=True)
class State:
    """How the model is; None says that nothing is wrong."""

    absent: str | None = None
    failing: str | None = None
    stuck: str | None = None

    @property
    def fault(self) -> str | None:
        """What is wrong, if anything."""
        return self.absent or self.failing or self.stuck


class ModelKeeper(Generic[RunnerT]):
    """One model that answers, or the reason why there is none."""

    def __init__(
        self,
        load: Callable[[], RunnerT],
        *,
        logger: Logger,
        on_load: Callable[[RunnerT], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Loads nothing yet.

        Args:
            load: Returns what is to be started, or raises `ModelUnavailable`; called in a thread.
            logger: Where a failed load is told.
            on_load: Told what answers from now on.
            clock: Seconds that only grow.
        """
        self._load = load
        self._logger = logger
        self._on_load = on_load
        self._clock = clock
        self._runner: RunnerT | None = None
        self._reason = "The model is still being loaded; try again."
        self._retry_seconds = FIRST_RETRY_SECONDS

    def get(self) -> RunnerT:
        """What answers now; raises `ModelUnavailable` with the reason why nothing does."""
        if self._runner is None:
            raise ModelUnavailable(self._reason, retry_after_seconds=max(1, round(self._retry_seconds)))
        return self._runner

    def state(self) -> State:
        """How the model is now."""
        runner = self._runner
        if runner is None:
            return State(absent=self._reason)
        return State(
            failing=_failing(runner) if runner.failures >= FAILURES_BEFORE_RELOAD else None,
            stuck=_stuck(runner) if runner.running_seconds >= STUCK_SECONDS else None,
        )

    async def run(self) -> None:
        """Loads the model and watches over it until it is cancelled."""
        while True:
            if await self._try():
                await self._until_failing()
            await asyncio.sleep(self._retry_seconds)
            self._retry_seconds = min(LAST_RETRY_SECONDS, self._retry_seconds * 2)

    async def close(self) -> None:
        """Does what was begun, for a limited time."""
        if self._runner is not None:
            await self._runner.drain(DRAIN_SECONDS)

    async def _try(self) -> bool:
        """Whether there is a model that does not fail, loaded or recovered."""
        try:
            await self._exchange(await asyncio.to_thread(self._load))
        except ModelUnavailable as error:
            self._fail(error.detail)
        except Exception as error:  # a task's boundary: an error unforeseen must not read as "still loading"
            self._logger.exception("The model could not be loaded")
            self._fail(f"The model could not be loaded: {type(error).__name__}.")
        return self._runner is not None and self.state().fault is None

    async def _exchange(self, runner: RunnerT) -> None:
        await runner.start()
        old, self._runner = self._runner, runner
        self._on_load(runner)
        if old is not None:
            await old.drain(DRAIN_SECONDS)

    def _fail(self, reason: str) -> None:
        self._reason = reason
        extra = {"reason": reason, "next_try_in_seconds": self._retry_seconds}
        self._logger.error("Model unavailable", extra=extra)

    async def _until_failing(self) -> None:
        since = self._clock()
        while self.state().failing is None:  # noqa: ASYNC110 - failures are counted in another thread
            await asyncio.sleep(_POLL_SECONDS)
        if self._clock() - since >= SETTLED_SECONDS:
            self._retry_seconds = FIRST_RETRY_SECONDS
        self._logger.error("The model is loaded anew", extra={"reason": self.state().failing})


def _failing(runner: Runner) -> str:
    return f"The last {runner.failures} inferences failed; the model is being loaded anew."


def _stuck(runner: Runner) -> str:
    return f"An inference has been running for {runner.running_seconds:.0f} s; the process must be started anew."
