"""The log of one function: its file, its log group, and the lines that Lambda itself writes there."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from quintet.sandbox.functions.cloudwatch import LogEvent, LogGroupWriter
from quintet.sandbox.functions.output import LogFile

OnLog = Callable[[str, str, str], None]
"""Told each line: function, instance, line."""


class Journal:
    """Takes every line of every instance of a function."""

    def __init__(self, function: str, file: LogFile, on_log: OnLog | None) -> None:
        """Writes to the file at once; `writer` is set by who knows the log group."""
        self.writer: LogGroupWriter | None = None
        self._function, self._file, self._on_log = function, file, on_log

    def write(self, instance: str, stream: str, message: str) -> None:
        """Takes one line of an instance."""
        now = datetime.now(UTC)
        self._file.write(instance, message, now)
        if self.writer:
            self.writer.add(LogEvent(stream, int(now.timestamp() * 1000), message))
        if self._on_log:
            self._on_log(self._function, instance, message)

    def note(self, message: str) -> None:
        """Writes what the sandbox has to say; it stays on this machine, as Lambda writes no such line."""
        self._file.write("sandbox", message)
        if self._on_log:
            self._on_log(self._function, "sandbox", message)

    async def close(self) -> None:
        """Sends what waits and closes the file."""
        if self.writer:
            await self.writer.flush()
        self._file.close()


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the REPORT line of an invocation says; durations in milliseconds."""

    request_id: str
    duration_ms: float
    memory_mb: int
    max_memory_mb: int
    init_ms: float | None = None
    error_type: str = ""

    def __str__(self) -> str:
        """The line, with Lambda's tabs. An image's init has always been billed."""
        billed = math.ceil(self.duration_ms + (self.init_ms or 0))
        fields = [
            f"REPORT RequestId: {self.request_id}",
            f"Duration: {self.duration_ms:.2f} ms",
            f"Billed Duration: {billed} ms",
            f"Memory Size: {self.memory_mb} MB",
            f"Max Memory Used: {self.max_memory_mb} MB",
        ]
        if self.init_ms is not None:
            fields.append(f"Init Duration: {self.init_ms:.2f} ms")
        if self.error_type == "Sandbox.Timedout":
            fields.append("Status: timeout")
        elif self.error_type:
            fields.append(f"Status: error\tError Type: {self.error_type}")
        return "\t".join(fields) + "\t"


def init_report(duration_ms: float, phase: str, error_type: str) -> str:
    """The line about an init that failed; `phase` is `init`, or `invoke` when it was tried again for a call."""
    status = "timeout" if error_type == "Sandbox.Timedout" else f"error\tError Type: {error_type}"
    return f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\tPhase: {phase}\tStatus: {status}"
