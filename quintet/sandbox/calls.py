"""Calls of AWS as the emulated IAM saw them: one JSON line each, written by the emulator, read by the sandbox.

There are two such logs. `logs/denials.jsonl` has every call that was refused (`quintet.sandbox.denials`).
`logs/calls.jsonl` has every call that was allowed to a session of a role, and is kept only where the variable
QUINTET_RECORD_CALLS is set when the sandbox starts: with it tests compare what roles may do with what they did.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

RECORD_VARIABLE = "QUINTET_RECORD_CALLS"
"""Any value but an empty one in the environment of `quintet up` asks for the log of allowed calls."""

FILE = "calls.jsonl"
"""The name of that log, in the folder of the logs."""


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        time: When, in UTC, as ISO 8601.
        principal: ARN of the role session or user, a service's name, or `unauthenticated` with AWS's error code.
        action: The IAM action, as `dynamodb:PutItem`.
        resource: ARN of what policies were asked about; `*` where the emulator does not say.
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


CallType = TypeVar("CallType", bound=Call)


class CallWriter:
    """Appends calls; one short line per write, so that lines never mix."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, principal: str, action: str, resource: str) -> None:
        """Append one call, now."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        entry = {"time": datetime.now(UTC).isoformat(), "principal": principal, "action": action, "resource": resource}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


class CallLog(Generic[CallType]):
    """Reads calls, all or those since a mark."""

    def __init__(self, path: Path, kind: type[CallType]) -> None:
        self._path, self._kind = path, kind

    def mark(self) -> int:
        """The place in the log up to which everything is known now; give it to `since`."""
        return self._path.stat().st_size if self._path.exists() else 0

    def since(self, mark: int = 0) -> list[CallType]:
        """The calls after a mark, oldest first."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(mark)
            return [self._kind(**json.loads(line)) for line in file if line.endswith(b"\n")]


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether allowed calls are to be recorded."""
    return bool(environment.get(RECORD_VARIABLE))
