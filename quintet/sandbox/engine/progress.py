"""What is shared by everything that happens in one deployment: counts, events, the first failure, the wish to stop."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from quintet.sandbox.engine.errors import DeploymentCancelledError, ResourceFailedError, SandboxError
from quintet.sandbox.engine.outcome import OnEvent, Operation, ResourceEvent
from quintet.sandbox.engine.state import Resource


@dataclass
class Progress:
    """The course of one deployment; safe to use from several threads."""

    on_event: OnEvent
    counts: Counter[str] = field(default_factory=Counter)
    first_failure: SandboxError | None = None
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cancel(self) -> None:
        """Begin nothing new."""
        self._cancelled.set()

    def may_begin(self) -> None:
        """Raise where nothing new may begin: after the first failure, or when cancelled.

        Raises:
            SandboxError: The first failure, or the cancellation.
        """
        if self._cancelled.is_set():
            self.fail(DeploymentCancelledError())
        if self.first_failure is not None:
            raise self.first_failure

    def fail(self, error: SandboxError) -> None:
        """Remember an error, if it is the first."""
        with self._lock:
            if self.first_failure is None:
                self.first_failure = error

    def tell(self, operation: Operation, resource: Resource, changed: tuple[str, ...] = ()) -> None:
        """Count an operation that takes no time, and tell of it once."""
        self._count(operation)
        self._emit(operation, resource, changed=changed, done=True)

    @contextmanager
    def step(
        self,
        operation: Operation,
        resource: Resource,
        changed: tuple[str, ...] = (),
        *,
        announced: bool = True,
        counted: bool = True,
    ) -> Iterator[None]:
        """Tell the beginning (where announced) and the end of an operation; what goes wrong fails the resource.

        Raises:
            ResourceFailedError: The operation raised.
        """
        begun = time.monotonic()
        if announced:
            self._emit(operation, resource, changed=changed, done=False)
        try:
            yield
        except Exception as error:
            seconds = time.monotonic() - begun
            failure = ResourceFailedError(resource.urn, error)
            self.fail(failure)
            self._emit("failed", resource, changed=changed, done=True, error=str(failure), seconds=seconds)
            raise failure from error
        if counted:
            self._count(operation)
        self._emit(operation, resource, changed=changed, done=True, seconds=time.monotonic() - begun)

    def _count(self, operation: str) -> None:
        with self._lock:
            self.counts[operation] += 1

    def _emit(
        self,
        operation: Operation,
        resource: Resource,
        *,
        done: bool,
        changed: tuple[str, ...],
        error: str | None = None,
        seconds: float = 0.0,
    ) -> None:
        urn, type_, name = resource.urn, resource.type, resource.name
        self.on_event(ResourceEvent(operation, urn, type_, name, done, changed, error, seconds))
