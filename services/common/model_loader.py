"""Loads a model once, beside whatever else starts; a failed load is tried again by later requests, ever more rarely."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from aws_lambda_powertools import Logger

from services.common.errors import ModelUnavailable

FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 30.0

ModelT = TypeVar("ModelT")


class ModelLoader(Generic[ModelT]):
    """One model that is there, on its way, or absent for a stated reason. Safe to share between threads."""

    def __init__(
        self,
        load: Callable[[], ModelT],
        *,
        logger: Logger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            load: Returns the model or raises `ModelUnavailable`; called in a thread of its own.
            logger: Where a failed load is told.
            clock: Seconds that only grow.
        """
        self._load = load
        self._logger = logger
        self._clock = clock
        self._lock = threading.Lock()
        self._model: ModelT | None = None
        self._failure: ModelUnavailable | None = None
        self._failures = 0
        self._next_try = 0.0
        self._running: threading.Thread | None = None

    def start(self) -> threading.Thread | None:
        """Begins to load unless the model is there, on its way, or failed too recently; returns the load under way."""
        with self._lock:
            if self._running is None and self._model is None and self._clock() >= self._next_try:
                self._running = threading.Thread(target=self._run, name="model-loader", daemon=True)
                self._running.start()
            return self._running

    def get(self, *, timeout_seconds: float) -> ModelT:
        """The model; waits for a load that is under way, and begins one where it is time to.

        Raises:
            ModelUnavailable: The last load failed, or the model is not there within the timeout; says when to retry.
        """
        running = self.start()
        if running is not None:
            running.join(timeout_seconds)
        model = self._model
        if model is None:
            raise self._explain()
        return model

    def _explain(self) -> ModelUnavailable:
        with self._lock:
            if self._failure is None or self._running is not None:
                return ModelUnavailable("The model is still being loaded; try again.", retry_after_seconds=1)
            wait = max(1, math.ceil(self._next_try - self._clock()))
            return ModelUnavailable(self._failure.detail, retry_after_seconds=wait)

    def _run(self) -> None:
        try:
            self._finish(self._load())
        except ModelUnavailable as error:
            self._fail(error)
        except Exception as error:  # a thread's boundary: an error unforeseen must not read as "still loading"
            self._logger.exception("The model could not be loaded")
            self._fail(ModelUnavailable(f"The model could not be loaded: {type(error).__name__}."))

    def _finish(self, model: ModelT) -> None:
        with self._lock:
            self._model, self._failure, self._running = model, None, None

    def _fail(self, error: ModelUnavailable) -> None:
        with self._lock:
            wait = min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2**self._failures)
            self._failures += 1
            self._next_try = self._clock() + wait
            self._failure, self._running = error, None
        self._logger.error("Model unavailable", extra={"reason": error.detail, "next_try_in_seconds": wait})
