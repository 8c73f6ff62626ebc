"""A loaded model with all that answers for it: the backend, watched, and the predictor that feeds it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.common.errors import ModelUnavailable
from services.sentiment.backends.base import Backend, Encoded
from services.sentiment.contracts import ModelInfo
from services.sentiment.predictor import Predictor

WARM_UP = ("Ready?", "It took longer than I hoped, and the box was dented, but it works. " * 12)
"""One short text and one as long as a model reads: what is allocated or compiled at first is, before anybody waits."""


class WatchedBackend:
    """A backend, and what its last inferences tell of its health. Its state is written by the thread that infers."""

    def __init__(self, backend: Backend, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._backend = backend
        self._clock = clock
        self._running_since: float | None = None
        self.name = backend.name
        self.labels = backend.labels
        self.max_length = backend.max_length
        self.failures = 0

    @property
    def running_seconds(self) -> float:
        """For how long the current inference runs; 0 where there is none."""
        since = self._running_since
        return 0.0 if since is None else self._clock() - since

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """See `Backend`."""
        return self._backend.encode(texts)

    def infer(self, batch: Sequence[Encoded]) -> NDArray[np.float32]:
        """See `Backend`."""
        self._running_since = self._clock()
        try:
            logits = self._backend.infer(batch)
        except ModelUnavailable:
            self.failures += 1
            raise
        finally:
            self._running_since = None
        self.failures = 0
        return logits

    def warm_up(self) -> None:
        """Infers a short and a long text; raises `ModelUnavailable` where that gives no sound numbers."""
        for text in WARM_UP:
            logits = self.infer(self.encode([text]))
            if logits.shape != (1, len(self.labels)) or not np.isfinite(logits).all():
                raise ModelUnavailable(
                    f"The model gives no sound numbers: expected {len(self.labels)} finite logits, "
                    f"found shape {logits.shape}."
                )


@dataclass(frozen=True)
class Serving:
    """One model that answers. Holds `services.sentiment.model_keeper.Runner`."""

    predictor: Predictor
    backend: WatchedBackend
    info: ModelInfo

    @property
    def failures(self) -> int:
        """Inferences that failed since the last one that did not."""
        return self.backend.failures

    @property
    def running_seconds(self) -> float:
        """For how long the current inference runs."""
        return self.backend.running_seconds

    @property
    def queued_texts(self) -> int:
        """Texts that wait."""
        return self.predictor.snapshot().texts

    async def start(self) -> None:
        """Begins to take work."""
        await self.predictor.start()

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - the predictor's own
        """Does what was begun and ends."""
        await self.predictor.drain(timeout)
