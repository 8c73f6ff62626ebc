"""Starts the process that ends what pods have started when the sandbox itself has been killed."""

from __future__ import annotations

import os
import subprocess
import sys

from quintet.sandbox.functions import watchdog


class Watchdog:
    """Tells that process which sessions there are; `functions/watchdog.py` says what it does with them."""

    def __init__(self, mark: str) -> None:
        """Starts it."""
        command = [sys.executable, "-I", "-S", watchdog.__file__, mark, str(os.getpid())]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603  a file of this package

    @property
    def pid(self) -> int:
        """Of that process."""
        return self._process.pid

    def began(self, pid: int) -> None:
        """A process leads a session now."""
        self._tell(f"+{pid}\n")

    def ended(self, pid: int) -> None:
        """It has ended, and all that it started."""
        self._tell(f"-{pid}\n")

    def stop(self) -> None:
        """Lets it end what is left, and waits for it."""
        self._process.communicate()

    def _tell(self, line: str) -> None:
        if self._process.stdin:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
