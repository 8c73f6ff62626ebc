"""What the predictor tells about its work, for metrics."""

from __future__ import annotations

from typing import Literal, Protocol

Store = Literal["memory", "redis"]
LookUp = Literal["hit", "miss", "error"]
Drop = Literal["queue_full", "expired", "disconnected"]


class Observer(Protocol):
    """Told in the event loop's thread, in the middle of a request: must not block."""

    def batch(self, *, texts: int, tokens: int, padding: int, seconds: float) -> None:
        """One inference ended: its texts, their tokens, the padding computed beside them, how long it took."""
        ...

    def waited(self, seconds: float) -> None:
        """A text waited so long for its inference to begin."""
        ...

    def backend_failed(self) -> None:
        """One inference failed."""
        ...

    def cache(self, store: Store, result: LookUp) -> None:
        """One text was looked up in a cache."""
        ...

    def coalesced(self) -> None:
        """A text shares the inference of an identical one under way."""
        ...

    def dropped(self, reason: Drop) -> None:
        """A request is no longer worked for, or never was."""
        ...

    def prediction(self, label: str) -> None:
        """A text was given a label, by the model or from a cache."""
        ...


class Unobserved:
    """Nobody looks."""

    def batch(self, *, texts: int, tokens: int, padding: int, seconds: float) -> None:
        """See `Observer`."""

    def waited(self, seconds: float) -> None:
        """See `Observer`."""

    def backend_failed(self) -> None:
        """See `Observer`."""

    def cache(self, store: Store, result: LookUp) -> None:
        """See `Observer`."""

    def coalesced(self) -> None:
        """See `Observer`."""

    def dropped(self, reason: Drop) -> None:
        """See `Observer`."""

    def prediction(self, label: str) -> None:
        """See `Observer`."""
