"""A backend that infers when it is let to. Holds `services.sentiment.backends.base.Backend`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from services.common.errors import ModelUnavailable


class GatedBackend:
    """A text that begins with `+` is positive, with `-` negative; its tokens are its characters."""

    name = "gated"
    device = "cpu"
    labels: tuple[str, ...] = ("negative", "neutral", "positive")
    max_length = 2000

    def __init__(self, *, parallel: int = 1, is_open: bool = True) -> None:
        self.parallel = parallel
        self.batches: list[list[str]] = []
        self.alone: list[bool] = []
        self.failing: Exception | None = None
        self.poison: float | None = None
        self._gate = threading.Semaphore(10**6 if is_open else 0)
        self._lock = threading.Lock()

    @property
    def texts(self) -> list[str]:
        """All texts of which the inference began."""
        return [text for batch in self.batches for text in batch]

    def let(self, batches: int = 10**6) -> None:
        """Lets so many inferences end."""
        self._gate.release(batches)

    def encode(self, texts: Sequence[str]):
        return [np.array([ord(character) for character in text[: self.max_length]] or [0]) for text in texts]

    def infer(self, batch, *, alone: bool = False):
        with self._lock:
            self.batches.append(["".join(map(chr, ids)) for ids in batch])
            self.alone.append(alone)
        self._gate.acquire()
        if self.failing is not None:
            raise self.failing
        rows = np.array([[4.0 * (ids[0] == ord(sign)) for sign in "- +"] for ids in batch], dtype=np.float32)
        rows[:, 1] = 1.0
        return rows if self.poison is None else np.full_like(rows, self.poison)


FAILURE = ModelUnavailable("The model broke.")


async def until(holds: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Waits until it holds, or fails."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.002)


class Recorder:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple] = []

    def of(self, kind: str) -> list[tuple]:
        return [event[1:] for event in self.events if event[0] == kind]

    def batch(self, *, texts: int, tokens: int, padding: int, seconds: float) -> None:
        self.events.append(("batch", texts, tokens, padding))

    def waited(self, seconds: float) -> None:
        self.events.append(("waited", seconds))

    def backend_failed(self) -> None:
        self.events.append(("backend_failed",))

    def cache(self, store: str, result: str) -> None:
        self.events.append(("cache", store, result))

    def coalesced(self) -> None:
        self.events.append(("coalesced",))

    def dropped(self, reason: str) -> None:
        self.events.append(("dropped", reason))

    def prediction(self, label: str) -> None:
        self.events.append(("prediction", label))
