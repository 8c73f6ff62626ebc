"""Counts of both versions, summed over their pods, from the moment the observation begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from quintet.errors import QuintetError
from quintet.rollout.counters import Counters
from quintet.rollout.metrics import Reading, UnreadableMetricsError, parse

STABLE, CANDIDATE = "stable", "canary"
"""The two variants, as the label `quintet/variant` of a pod names them."""

_AT_ONCE = 16


class Observer(Protocol):
    """Sees how two versions do."""

    def ready(self) -> Mapping[str, int]:
        """How many of each variant can answer now."""
        ...

    def read(self) -> Mapping[str, Counters]:
        """What each variant has counted since the first call, which is when the observation begins."""
        ...


@dataclass(frozen=True)
class Pod:
    """One process of a service.

    Attributes:
        name: Its own among those of the service.
        variant: Which version it runs.
        address: Where it answers; what that means is known to who reads it.
        ready: Whether it gets requests.
    """

    name: str
    variant: str
    address: str
    ready: bool


class Pods(Protocol):
    """Finds a service's pods and reads their metrics."""

    def find(self) -> Sequence[Pod]:
        """Those there are now.

        Raises:
            QuintetError: They cannot be asked for.
        """
        ...

    def metrics(self, pod: Pod) -> str:
        """What a pod's `/metrics` answers.

        Raises:
            UnreadableMetricsError: It does not answer.
        """
        ...


@dataclass
class PodObserver:
    """Adds up what pods count, whichever come and go.

    Attributes:
        pods: Where they are.
        prefix: What the names of the service's metrics begin with.
        clock: Seconds since 1970, by which a pod is younger than the observation.
        unread: Why a pod could not be read the last time, by its name.
    """

    pods: Pods
    prefix: str
    clock: Callable[[], float] = time.time
    unread: dict[str, str] = field(default_factory=dict)
    _began: float | None = None
    _last: dict[str, Reading] = field(default_factory=dict)
    _sums: dict[str, Counters] = field(default_factory=dict)

    def ready(self) -> Mapping[str, int]:
        """How many of each variant can answer now."""
        found = self.pods.find()
        return {variant: sum(pod.ready for pod in found if pod.variant == variant) for variant in (STABLE, CANDIDATE)}

    def read(self) -> Mapping[str, Counters]:
        """What each variant has counted since the first call.

        A pod that cannot be read keeps what it was last seen to have, and so does one that is gone.
        """
        first = self._began is None
        self._began = self.clock() if self._began is None else self._began
        found = self._found()
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            readings = list(threads.map(self._reading, found))
        for pod, reading in zip(found, readings, strict=True):
            if reading:
                self._add(pod, reading, first=first)
        return {variant: self._sums.get(variant, Counters()) for variant in (STABLE, CANDIDATE)}

    def _found(self) -> Sequence[Pod]:
        try:
            return self.pods.find()
        except QuintetError as error:
            self.unread = {"pods": error.message}
            return ()

    def _reading(self, pod: Pod) -> Reading | None:
        try:
            reading = parse(self.pods.metrics(pod), self.prefix)
        except UnreadableMetricsError as error:
            self.unread[pod.name] = str(error)
            return None
        self.unread.pop(pod.name, None)
        return reading

    def _add(self, pod: Pod, reading: Reading, *, first: bool) -> None:
        last, self._last[pod.name] = self._last.get(pod.name), reading
        new = self._new(reading, last, first=first)
        self._sums[pod.variant] = self._sums.get(pod.variant, Counters()) + new

    def _new(self, reading: Reading, last: Reading | None, *, first: bool) -> Counters:
        """What a pod has counted since it was last read: all, where its process began after that."""
        if last is None:
            young = not first and self._began is not None and reading.started >= self._began
            return reading.counters if young else Counters()
        if reading.started > last.started:
            return reading.counters
        return reading.counters.since(last.counters)
