"""Work that is done after the answer has gone out, and that neither delays nor fails it.

Lambda freezes a function as soon as its runtime asks for the next event, background threads included. An internal
extension may keep it running: the invocation ends only when every registered extension has asked for its next event
as well (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html). So a thread registers as one and
asks only after the pending work is done; the caller has its answer meanwhile. Outside Lambda a plain thread works.
"""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from aws_lambda_powertools import Logger

from services.common.lambda_extension import ExtensionFailed, ExtensionsApi

Work = Callable[[], None]

# What the runtime needs to hand the answer over; work that began at once would compete with it for Python's lock.
HAND_OVER_SECONDS = 0.002


class AfterResponse(Protocol):
    """Where a request leaves work behind."""

    def submit(self, work: Work) -> None:
        """Takes work that raises nothing a caller should see; a full queue refuses it, and that is counted."""
        ...

    def answered(self) -> None:
        """Says that the handler is about to return: what was submitted belongs to an answered request."""
        ...

    def close(self, *, timeout_seconds: float) -> None:
        """Does what is pending, for at most this long, and ends."""
        ...


class Pending:
    """A bounded queue of work. Failures are given to `on_failure` and go no further."""

    def __init__(self, *, capacity: int, logger: Logger, on_failure: Callable[[], None]) -> None:
        self._queue: queue.Queue[Work | None] = queue.Queue(capacity)
        self._logger = logger
        self._on_failure = on_failure

    def put(self, work: Work) -> None:
        """Adds work, with the context of its request (the ids in its log lines)."""
        context = contextvars.copy_context()
        try:
            self._queue.put_nowait(lambda: context.run(self._attempt, work))
        except queue.Full:
            self._logger.exception("Work after the answer refused: too much is pending")
            self._on_failure()

    def stop(self, *, timeout_seconds: float) -> None:
        """Ends `run_until_stopped` once it has done what was put before."""
        self._queue.put(None, timeout=timeout_seconds)

    def run_what_is_there(self) -> None:
        """Does all work that is in the queue now."""
        while True:
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                return
            if work is not None:
                work()

    def run_until_stopped(self) -> None:
        """Does work as it comes, until `stop`."""
        while (work := self._queue.get()) is not None:
            work()

    def _attempt(self, work: Work) -> None:
        try:
            work()
        except Exception:  # a thread's boundary: nobody waits for this work any more
            self._logger.exception("Work after the answer failed")
            self._on_failure()


class WorkerThread:
    """Outside Lambda: work is done at once in a thread of its own."""

    def __init__(self, pending: Pending) -> None:
        self._pending = pending
        self._thread = threading.Thread(target=pending.run_until_stopped, name="after-response", daemon=True)
        self._thread.start()

    def submit(self, work: Work) -> None:
        """See `AfterResponse`."""
        self._pending.put(work)

    def answered(self) -> None:
        """See `AfterResponse`; the thread needs no telling."""

    def close(self, *, timeout_seconds: float) -> None:
        """See `AfterResponse`."""
        try:
            self._pending.stop(timeout_seconds=timeout_seconds)
        except queue.Full:
            return
        self._thread.join(timeout_seconds)


class InternalExtension:
    """In Lambda: work is done after the answer and before the function may freeze."""

    def __init__(self, pending: Pending, api: ExtensionsApi, *, logger: Logger) -> None:
        """Registers and begins to wait for events; call it while the function initialises, Lambda takes none later.

        Where Lambda refuses, work is done before the answer instead: slower, but none is lost.
        """
        self._pending = pending
        self._logger = logger
        self._api = api
        self._answered = threading.Semaphore(0)
        self._registered = self._register()
        if self._registered:
            threading.Thread(target=self._serve, name="after-response", daemon=True).start()

    def submit(self, work: Work) -> None:
        """See `AfterResponse`."""
        self._pending.put(work)

    def answered(self) -> None:
        """See `AfterResponse`."""
        if self._registered:
            self._answered.release()
        else:
            self._pending.run_what_is_there()

    def close(self, *, timeout_seconds: float) -> None:  # noqa: ARG002 - the protocol's; Lambda sends internal extensions no shutdown
        """See `AfterResponse`."""
        self._pending.run_what_is_there()

    def _register(self) -> bool:
        try:
            self._api.register("after-response")
        except ExtensionFailed:
            self._logger.exception("Not registered as an extension: work is done before the answer")
            return False
        return True

    def _serve(self) -> None:
        try:
            while True:
                self._finish(self._api.next_event())
        except ExtensionFailed:
            self._registered = False
            self._logger.exception("Lost the Extensions API: work is done before the answer")
            self._pending.run_what_is_there()

    def _finish(self, event: dict[str, Any]) -> None:
        """One invocation: waits for its answer, then does what it left behind."""
        remaining = event.get("deadlineMs", 0) / 1000 - time.time()
        if self._answered.acquire(timeout=max(0.0, remaining)):
            time.sleep(HAND_OVER_SECONDS)
            self._pending.run_what_is_there()


def after_response(
    *, runtime_api: str | None, logger: Logger, on_failure: Callable[[], None], capacity: int = 64
) -> AfterResponse:
    """The way of this place: an internal extension in Lambda, a thread elsewhere.

    Args:
        runtime_api: Host and port of Lambda's APIs, or None outside Lambda.
        logger: Where failures are told.
        on_failure: Called, in the worker's thread, once for each work that failed or was refused.
        capacity: How much work may be pending.
    """
    pending = Pending(capacity=capacity, logger=logger, on_failure=on_failure)
    if runtime_api is None:
        return WorkerThread(pending)
    return InternalExtension(pending, ExtensionsApi(runtime_api), logger=logger)
