"""Calls that the emulated AWS refused: one JSON line each in `logs/denials.jsonl`.

The emulator's process writes them, the sandbox reads them: an update that provokes one names the role and the action
that its policies miss.
"""

from dataclasses import dataclass
from pathlib import Path

from quintet.sandbox.calls import Call, CallLog


@dataclass(frozen=True)
class Denial(Call):
    """One refused call."""

    def __str__(self) -> str:
        return f"{self.role} may not {self.action} on {self.resource}"


class DenialLog(CallLog[Denial]):
    """Reads the refused calls, all or those since a mark."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, Denial)
