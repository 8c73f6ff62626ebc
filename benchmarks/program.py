"""The Pulumi program, evaluated in a fresh process without any cloud."""

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.measurement import Measurement, median_seconds

EVALUATE = "from quintet.sandbox.engine import record; assert record('dev').resources"


def measure() -> Iterator[Measurement]:
    """One figure: process start to the last registered resource of the stack `dev`."""
    command = [sys.executable, "-c", EVALUATE]
    value = median_seconds(lambda: subprocess.run(command, check=True), runs=5, warm_up=1)
    yield Measurement(claim="program evaluated without a cloud", value=value, unit="s", goal=3)
