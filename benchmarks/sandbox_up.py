"""`quintet up`: from nothing to healthy services, and again with nothing changed."""

from collections.abc import Iterator

from benchmarks.live import sandbox
from benchmarks.measurement import Measurement, median_seconds, seconds


def measure() -> Iterator[Measurement]:
    """Packages installed, no state; the second figure is the median of three."""
    with sandbox() as mine:
        yield Measurement(claim="quintet up, packages installed", value=seconds(mine.up), unit="s", goal=10)
        again = median_seconds(mine.up, runs=3)
        yield Measurement(claim="quintet up again, nothing changed", value=again, unit="s", goal=3)
