"""`.quintet/rollout-STACK.json`: how far a rollout has come, for the command that comes after a killed one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from quintet.checkout import Checkout
from quintet.files import read_json, write_json
from quintet.rollout.target import Version


class Phase(StrEnum):
    """What was last done."""

    BEGUN = "begun"
    """A candidate may be there, and may get requests."""
    PROMOTING = "promoting"
    """The judgement was good; the candidate is becoming what is live."""
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"


class Entry(BaseModel):
    """The last rollout of a service.

    Attributes:
        phase: How far it came.
        live: What was live before.
        before: The settings that it changed, as they were; None for those that had no value.
        candidate: What was tried, once it is known.
        held: Whether a setting keeps `live` live, as the program's own version is the refused one.
    """

    model_config = ConfigDict(frozen=True)
    phase: Phase
    live: Version
    before: dict[str, Any]
    candidate: Version | None = None
    held: bool = False

    @property
    def under_way(self) -> bool:
        """Whether it has not come to its end."""
        return self.phase in {Phase.BEGUN, Phase.PROMOTING}


@dataclass(frozen=True)
class Journal:
    """The rollouts of one stack."""

    checkout: Checkout
    stack: str

    def read(self, service: str) -> Entry | None:
        """The last rollout of a service; None where there was none, or its file cannot be read."""
        return self.entries().get(service)

    def entries(self) -> dict[str, Entry]:
        """The last rollout of each service."""
        found = {}
        for service, kept in self._all().items():
            with suppress(ValidationError):
                found[service] = Entry.model_validate(kept)
        return found

    def write(self, service: str, entry: Entry) -> None:
        """Keeps it, in one step."""
        self.checkout.prepare()
        write_json(self.checkout.rollouts(self.stack), {**self._all(), service: entry.model_dump(mode="json")})

    def forget(self, service: str) -> None:
        """Drops what is known of a service."""
        write_json(
            self.checkout.rollouts(self.stack), {name: kept for name, kept in self._all().items() if name != service}
        )

    def _all(self) -> dict[str, Any]:
        return read_json(self.checkout.rollouts(self.stack)) or {}
