"""Whether this process lives, whether it can answer, and whether it should be asked."""

from __future__ import annotations

from collections.abc import Callable

from services.common.errors import ModelUnavailable
from services.sentiment.metrics import Metrics
from services.sentiment.model_keeper import State

RETRY_SECONDS = 1


class Health:
    """The state behind the three health routes and the metric `sentiment_ready`."""

    def __init__(self, state: Callable[[], State], metrics: Metrics) -> None:
        self._state = state
        self._metrics = metrics
        self.draining = False

    def drain(self) -> None:
        """From now on this process is not ready, and clients are told to go elsewhere."""
        self.draining = True
        self.show()

    def require_live(self) -> None:
        """Raises `ModelUnavailable` where only another process would help."""
        _require_none(self._state().stuck)

    def require_healthy(self) -> None:
        """Raises `ModelUnavailable` where requests cannot be answered."""
        _require_none(self._state().fault)

    def require_ready(self) -> None:
        """Raises `ModelUnavailable` where no request should be sent here."""
        self.show()
        if self.draining:
            raise ModelUnavailable("The process is shutting down; ask another one.", retry_after_seconds=RETRY_SECONDS)
        self.require_healthy()

    def show(self) -> None:
        """Tells the metrics how it is now."""
        self._metrics.ready(ready=not self.draining and self._state().fault is None)


def _require_none(fault: str | None) -> None:
    if fault is not None:
        raise ModelUnavailable(fault, retry_after_seconds=RETRY_SECONDS)
