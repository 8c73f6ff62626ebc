"""One measured claim, and how a list of seconds becomes one."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A figure with the goal it is held against.

    Attributes:
        claim: What is measured, in a few words.
        value: The figure, in `unit`.
        unit: `s`, `ms` or `x` (a ratio).
        goal: The bound.
        at_least: Whether the figure must reach the goal (ratios) instead of staying under it (times).
    """

    claim: str
    value: float
    unit: str
    goal: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    @property
    def bound(self) -> str:
        """The goal as a reader sees it."""
        return f"{'>=' if self.at_least else '<='} {self.goal:g} {self.unit}"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Figures of several candidates beside each other, of which none is a goal.

    Attributes:
        title: What was done.
        columns: Their heads.
        rows: A cell a column.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def median_seconds(work: Callable[[], object], *, runs: int, warm_up: int = 0) -> float:
    """Median wall-clock seconds of `runs` calls after `warm_up` uncounted ones."""
    for _ in range(warm_up):
        work()
    return statistics.median(seconds(work) for _ in range(runs))
