"""A loaded model with what answers for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.common.errors import ModelUnavailable
from services.sentiment.backends.base import Backend
from services.sentiment.contracts import ModelInfo
from services.sentiment.predictor import Predictor, Queue

WARM_UP = ("Ready?", "It took longer than I hoped, and the box was dented, but it works. " * 12)
"""A short text and one as long as a model reads: what is allocated at first is there before anybody waits."""


@dataclass(frozen=True)
class Serving:
    """One model that answers. Holds `services.sentiment.model_keeper.Runner`."""

    predictor: Predictor
    info: ModelInfo

    @property
    def failures(self) -> int:
        """Inferences that failed since the last one that did not."""
        return self.predictor.failures

    @property
    def running_seconds(self) -> float:
        """For how long the longest of the current inferences runs."""
        return self.predictor.running_seconds

    @property
    def queue(self) -> Queue:
        """What waits now."""
        return self.predictor.snapshot()

    async def start(self) -> None:
        """Begins to take work."""
        await self.predictor.start()

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - the predictor's own
        """Does what was begun and ends."""
        await self.predictor.drain(timeout)


def warm_up(backend: Backend) -> None:
    """Infers a short and a long text; raises `ModelUnavailable` where that gives no sound numbers."""
    for text in WARM_UP:
        logits = backend.infer(backend.encode([text]), alone=True)
        if logits.shape != (1, len(backend.labels)) or not np.isfinite(logits).all():
            raise ModelUnavailable(
                f"The model gives no sound numbers: expected {len(backend.labels)} finite logits, "
                f"found shape {logits.shape}."
            )
