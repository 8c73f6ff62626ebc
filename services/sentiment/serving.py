"""A loaded model with all that answers for it: the backend, watched, and the predictor that feeds it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from services.common.errors import ModelUnavailable
from services.common.text_classifier import Logits, TokenIds
from services.sentiment.backends.protocol import Backend
from services.sentiment.contracts import ModelInfo
from services.sentiment.predictor import Predictor

WARM_UP = ("Ready?", "It took longer than I hoped, and the box was dented, but it works. " * 12)
"""One short text and one as long as a model reads: what is allocated or compiled at first is, before anybody waits."""


class WatchedBackend:
    """A backend, and what its last inferences tell of its health. Inferences may run in several threads."""

    def __init__(
        self, backend: Backend, *, on_failure: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._backend = backend
        self._on_failure = on_failure
        self._clock = clock
        self._running: dict[int, float] = {}
        self.name = backend.name
        self.device = backend.device
        self.labels = backend.labels
        self.max_length = backend.max_length
        self.parallel = backend.parallel
        self.failures = 0

    @property
    def running_seconds(self) -> float:
        """For how long the oldest of the inferences runs; 0 where there is none."""
        # A copy, made at once: threads begin and end inferences meanwhile.
        return max((self._clock() - since for since in list(self._running.values())), default=0.0)

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """See `Backend`."""
        return self._backend.encode(texts)

    def infer(self, batch: Sequence[TokenIds], *, alone: bool = False) -> Logits:
        """See `Backend`."""
        thread = threading.get_ident()
        self._running[thread] = self._clock()
        try:
            logits = self._backend.infer(batch, alone=alone)
        except Exception:
            self.failures += 1
            self._on_failure()
            raise
        finally:
            del self._running[thread]
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
