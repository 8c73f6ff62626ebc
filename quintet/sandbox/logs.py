"""The logs of the sandbox's parts in `.quintet/logs`, read as one stream in the order of time."""

from __future__ import annotations

import heapq
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from quintet.checkout import Checkout
from quintet.errors import Exit, QuintetError

_TIME = re.compile(r"^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{3})?)(Z?) ?")
_POLL_SECONDS = 0.2
_ERROR = " [ERROR] "
"""With this Lambda's runtime begins what it says of an error; the traceback that follows is long."""


@dataclass(frozen=True, order=True)
class Line:
    """One line of a log.

    Attributes:
        at: When it was written, in UTC; a line without a time of its own has that of the line before.
        source: The log it stands in, which is the file's name.
        text: The line without its time.
    """

    at: datetime
    source: str
    text: str

    def __str__(self) -> str:
        return f"{self.at.isoformat(timespec='milliseconds').replace('+00:00', 'Z')} {self.source}: {self.text}"


class LogReader:
    """Reads one log from its beginning, and again what has been added since."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._at = datetime.fromtimestamp(0, UTC)

    def read(self) -> list[Line]:
        """The lines that were completed since the last call; all of a file that was begun anew."""
        try:
            size = self._path.stat().st_size
            self._offset = self._offset if size >= self._offset else 0
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        return [self._line(text) for text in complete.decode("utf-8", "replace").splitlines()]

    def _line(self, text: str) -> Line:
        if stamped := _TIME.match(text):
            self._at = _instant(*stamped.groups())
            text = text[stamped.end() :]
        return Line(self._at, self._path.stem, text)


def _instant(text: str, zulu: str) -> datetime:
    """A time in UTC, or in the zone of this machine as Python's logging writes it."""
    read = datetime.fromisoformat(text.replace(",", "."))
    return read.replace(tzinfo=UTC) if zulu else read.astimezone(UTC)


def paths(checkout: Checkout, service: str | None) -> list[Path]:
    """The logs of a service's functions and Deployments, or all there are.

    A log has the physical name of a function, or that of a Deployment; the service's name is one of its parts.
    """
    every = sorted(checkout.logs.glob("*.log"))
    return every if service is None else [path for path in every if concerns(path.stem, service)]


def concerns(name: str, service: str) -> bool:
    """Whether the name of a thing has that of a service as one of its parts."""
    return f"-{service}-" in f"-{name}-"


def merged(checkout: Checkout, service: str | None) -> Iterator[Line]:
    """All lines, oldest first.

    Raises:
        QuintetError: There is no log.
    """
    return heapq.merge(*(LogReader(path).read() for path in _required(checkout, service)), key=lambda line: line.at)


def follow(checkout: Checkout, service: str | None) -> Iterator[Line]:
    """All lines, then those that come, without end; a log that begins meanwhile is read, too."""
    readers: dict[Path, LogReader] = {}
    _required(checkout, service)
    while True:
        for path in paths(checkout, service):
            readers.setdefault(path, LogReader(path))
        # Sorted by time alone: lines of one instant keep the order in which they were written.
        yield from sorted((line for reader in readers.values() for line in reader.read()), key=lambda line: line.at)
        time.sleep(_POLL_SECONDS)


def ending(checkout: Checkout, service: str, count: int) -> list[str]:
    """What a service's functions said at the end: from their last error on, or else their last lines.

    Args:
        checkout: Whose sandbox.
        service: The service's name.
        count: At most so many lines.
    """
    every = [line for path in paths(checkout, service) for line in LogReader(path).read()]
    lines = [str(line) for line in sorted(every, key=lambda line: line.at)]
    errors = [index for index, line in enumerate(lines) if _ERROR in line]
    start = errors[-1] if errors else max(0, len(lines) - count)
    return lines[start : start + count]


def _required(checkout: Checkout, service: str | None) -> list[Path]:
    found = paths(checkout, service)
    if found:
        return found
    if service is None:
        raise QuintetError("There are no logs yet.", advice="`quintet up` starts the sandbox.", exit_code=Exit.FAILED)
    sources = ", ".join(path.stem for path in paths(checkout, None)) or "none"
    raise QuintetError(
        f"There is no log of {service}: it has not run yet. There are: {sources}.",
        advice="Its functions start with their first call, as on AWS.",
    )
