"""Lines of a function: from its pipe to its log file and to whoever publishes them."""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

# CloudWatch Logs refuses longer events (256 KiB with 26 bytes of overhead); Lambda cuts a longer line in pieces.
LINE_LIMIT_BYTES = 256 * 1024 - 26
_READ_BYTES = 64 * 1024


class OutputPipe:
    """The pipe that carries stdout and stderr of one process, in the order in which they were written."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        """Opens the pipe and reads it in the running loop.

        Args:
            on_line: called with each line, without its end.
        """
        self._on_line = on_line
        self._rest = b""
        self._loop = asyncio.get_running_loop()
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._loop.add_reader(self._reading, self._read)

    def close_writing(self) -> None:
        """Closes this process's own copy of the writing end, once the child has its."""
        os.close(self.writing)

    def drain(self) -> None:
        """Takes all that was written so far, so that a line which follows is later in the log, too."""
        while self._read():
            pass

    def close(self) -> None:
        """Takes the rest and closes the pipe."""
        self.drain()
        if self._rest:
            self._emit(self._rest)
            self._rest = b""
        self._loop.remove_reader(self._reading)
        os.close(self._reading)

    def _read(self) -> bool:
        try:
            data = os.read(self._reading, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._reading)
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._emit(line)
        if len(self._rest) > LINE_LIMIT_BYTES:
            self._emit(self._rest)
            self._rest = b""
        return True

    def _emit(self, line: bytes) -> None:
        for start in range(0, max(len(line), 1), LINE_LIMIT_BYTES):
            self._on_line(line[start : start + LINE_LIMIT_BYTES].decode("utf-8", "replace"))


class LogFile:
    """`.quintet/logs/<function>.log`: each line with its time and the instance that wrote it."""

    def __init__(self, path: Path) -> None:
        """Appends to the file, which only its owner may read: a function may log what its callers sent."""
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "a", encoding="utf-8", errors="replace", buffering=1)

    def write(self, instance: str, message: str, at: datetime | None = None) -> None:
        """Writes one event; awslambdaric joins the lines of a traceback by carriage returns."""
        time = (at or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for line in message.split("\r"):
            self._file.write(f"{time} {instance} {line}\n")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
