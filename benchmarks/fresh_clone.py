"""A new user's first minutes: clone the repository, `make up`."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.live import ROOT
from benchmarks.measurement import Measurement, seconds


def measure() -> Iterator[Measurement]:
    """One figure, packages downloaded or taken from the package installers' own caches, as this machine has them."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "quintet"
        environment = {name: value for name, value in os.environ.items() if name != "QUINTET_HOME"}

        def clone_and_up() -> None:
            subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
            subprocess.run(["make", "up"], cwd=clone, env=environment, check=True, stdout=subprocess.DEVNULL)

        try:
            yield Measurement(claim="fresh clone to live services", value=seconds(clone_and_up), unit="s", goal=180)
        finally:
            if (clone / ".venv").exists():
                subprocess.run(["make", "down"], cwd=clone, env=environment, check=True, stdout=subprocess.DEVNULL)
