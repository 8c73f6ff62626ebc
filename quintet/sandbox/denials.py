"""Calls that the emulated AWS refused: one JSON line each in `logs/denials.jsonl`.

The emulator's process writes them, the sandbox reads them: an update that provokes one names the role and the action
that its policies miss.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Denial:
    """One refused call.

    Attributes:
        time: When, in UTC, as ISO 8601.
        principal: ARN of the role session or user, a service's name, or `unauthenticated` with AWS's error code.
        action: The IAM action, as `dynamodb:PutItem`.
        resource: ARN of what it was refused on; `*` where the emulator does not say.
    """

    time: str
    principal: str
    action: str
    resource: str

    @property
    def role(self) -> str:
        """The name of the role of a role session; else the principal itself."""
        session = self.principal.partition(":assumed-role/")[2]
        return session.partition("/")[0] or self.principal

    def __str__(self) -> str:
        return f"{self.role} may not {self.action} on {self.resource}"


class DenialWriter:
    """Appends refused calls; one short line per write, so that lines never mix."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, principal: str, action: str, resource: str) -> None:
        """Append one refused call, now."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        entry = {"time": datetime.now(UTC).isoformat(), "principal": principal, "action": action, "resource": resource}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


class DenialLog:
    """Reads the refused calls, all or those since a mark."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> int:
        """The place in the log up to which everything is known now; give it to `since`."""
        return self._path.stat().st_size if self._path.exists() else 0

    def since(self, mark: int = 0) -> list[Denial]:
        """The refused calls after a mark, oldest first."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(mark)
            return [Denial(**json.loads(line)) for line in file if line.endswith(b"\n")]
