"""A bounded load on a local server, by wrk: a light generator, as the server needs the machine's cores."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is asked.

    Attributes:
        url: Of the server, without a path.
        path: Of the POST request.
        body: Its JSON, where %s stands for the text as a JSON string; without it every request is the same.
    """

    url: str
    path: str
    body: str


@dataclass(frozen=True, kw_only=True)
class Load:
    """What came of it; latencies in milliseconds."""

    requests: int
    seconds: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    failed: int

    @property
    def per_second(self) -> float:
        """Requests a second that were answered with success."""
        return (self.requests - self.failed) / self.seconds


def load(target: Target, texts: Path, *, clients: int, seconds: int, first: int = 0) -> Load:
    """A closed loop of so many clients for so long.

    Args:
        target: What is asked.
        texts: One JSON string a line.
        clients: Each sends its next request when it has its answer.
        seconds: How long.
        first: How many of the texts to pass over.

    Raises:
        RuntimeError: wrk is not installed, or a request failed.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise RuntimeError("the load is made by wrk, which is not installed (Debian: apt-get install wrk)")
    environment = {
        **os.environ,
        "LOAD_PATH": target.path,
        "LOAD_BODY": target.body,
        "LOAD_TEXTS": str(texts),
        "LOAD_FROM": str(first),
    }
    command = [wrk, "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "-s", str(SCRIPT), target.url]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=seconds + 60)
    result = Load(**json.loads(done.stdout.strip().splitlines()[-1]))
    if result.failed or not result.requests:
        raise RuntimeError(f"{result.failed} of {result.requests} requests to {target.url}{target.path} failed")
    return result
