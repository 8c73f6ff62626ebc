"""A sandbox of the benchmark's own: another folder and other ports than the developer's."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Sandbox:
    """How to call the command upon it."""

    home: Path
    port: int

    def quintet(self, *arguments: str) -> str:
        """Standard output of `quintet ARGUMENTS`; raises CalledProcessError with what it said when it fails."""
        environment = {**os.environ, "QUINTET_HOME": str(self.home)}
        command = [sys.executable, "-m", "quintet", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=300
        ).stdout

    def up(self) -> None:
        """`quintet up`, whole."""
        self.quintet("up", "--port", str(self.port))

    def url(self, service: str) -> str:
        """Where a service answers."""
        status: dict[str, Any] = json.loads(self.quintet("status", "--json"))
        return str(status["services"][service]["url"])


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """A sandbox that is not up yet; whatever runs in it at the end is stopped."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        mine = Sandbox(Path(home) / "home", port)
        try:
            yield mine
        finally:
            mine.quintet("down", "--purge")
