"""Looking at both versions for a while, and when to judge, so that looking often does not make a verdict likelier."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from quintet.errors import QuintetError
from quintet.rollout.counters import Counters
from quintet.rollout.judge import Decision, Limits, Seen, Verdict, judge
from quintet.rollout.observe import CANDIDATE, STABLE, Observer

_POLL_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When to look.

    Attributes:
        window_seconds: How long both are observed at least.
        timeout_seconds: How long at most, from the deployment of the candidate until it can be judged.
        early_looks: How often within the window a bad candidate may be seen as such.
    """

    window_seconds: float = 60.0
    timeout_seconds: float = 300.0
    early_looks: int = 9


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What was seen.

    Attributes:
        stable: Counts of what is live.
        candidate: Counts of the candidate.
        verdict: What they say.
        seconds: How long both were observed.
        early: Whether it was clear before the end of the window.
    """

    stable: Counters
    candidate: Counters
    verdict: Verdict
    seconds: float
    early: bool


class Clients(Protocol):
    """Sees the service as its clients do."""

    def seen(self) -> Seen:
        """What they saw up to now."""
        ...


Progress = Callable[[float, Counters, Counters], None]
"""Told after each look: seconds since the observation began, counts of what is live, of the candidate."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """One observation.

    Half of `alpha` is spent at the end. The other half is divided by the looks on the way, which may only condemn: so
    all looks together (Bonferroni) keep to `alpha`. The end is set by numbers of requests and by the clock alone, never
    by what was seen in them.

    Attributes:
        observer: Counts.
        limits: How sure to be.
        schedule: When to look.
        clients: What clients see, where somebody looks.
        progress: Told how it goes.
        clock: Seconds that never go back.
        sleep: Waits so many seconds.
    """

    observer: Observer
    limits: Limits
    schedule: Schedule
    clients: Clients | None = None
    progress: Progress = lambda *_: None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def run(self) -> Observation:
        """Observes until both can be judged.

        Raises:
            QuintetError: The candidate does not get ready in time.
        """
        deadline = self.clock() + self.schedule.timeout_seconds
        self._await_both(deadline)
        began = self.clock()
        self.observer.read()
        before = self.clients.seen() if self.clients else None
        looks = 0
        while True:
            self.sleep(self._pause)
            counts, passed = self.observer.read(), self.clock() - began
            stable, candidate = counts[STABLE], counts[CANDIDATE]
            self.progress(passed, stable, candidate)
            over = passed >= self.schedule.window_seconds and self._enough(stable, candidate)
            late = self.clock() >= deadline
            due = int(passed / self.schedule.window_seconds * (self.schedule.early_looks + 1))
            if not over and not late and not looks < due <= self.schedule.early_looks:
                continue
            looks = due
            verdict = judge(stable, candidate, self._share(final=over or late), seen=self._since(before))
            if over or late or verdict.decision is Decision.ROLL_BACK:
                return Observation(
                    stable=stable, candidate=candidate, verdict=verdict, seconds=passed, early=not (over or late)
                )

    @property
    def _pause(self) -> float:
        return min(_POLL_SECONDS, self.schedule.window_seconds / (self.schedule.early_looks + 1))

    def _await_both(self, deadline: float) -> None:
        while missing := [name for name, count in self.observer.ready().items() if not count]:
            if self.clock() >= deadline:
                told = " and ".join("what is live" if name == STABLE else "the candidate" for name in missing)
                raise QuintetError(f"no pod of {told} became ready in {self.schedule.timeout_seconds:.0f} s")
            self.sleep(self._pause)

    def _enough(self, stable: Counters, candidate: Counters) -> bool:
        return min(stable.requests, candidate.requests) >= self.limits.minimum_samples

    def _share(self, *, final: bool) -> Limits:
        """The part of alpha that one look may spend."""
        half = self.limits.alpha / 2
        return replace(self.limits, alpha=half if final else half / self.schedule.early_looks)

    def _since(self, before: Seen | None) -> Seen | None:
        """What clients have seen since the observation began."""
        if self.clients is None or before is None:
            return None
        now = self.clients.seen()
        return Seen(
            stable=now.stable.since(before.stable),
            candidate=now.candidate.since(before.candidate),
            compared=now.compared - before.compared,
            differing=now.differing - before.differing,
        )
