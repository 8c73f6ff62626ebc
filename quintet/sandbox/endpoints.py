"""Where services answer, as the stack output `endpoints` says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HEALTH = "/health"
"""Where a service says that it lives, unless its endpoint says otherwise."""


@dataclass(frozen=True)
class Endpoint:
    """Where a service answers.

    Attributes:
        url: Its address.
        health: The path that says whether it is well.
    """

    url: str
    health: str = HEALTH

    @property
    def told(self) -> dict[str, str]:
        """As documents have it: the path only where it is not the usual one."""
        return {"url": self.url, **({} if self.health == HEALTH else {"health": self.health})}


def endpoint(value: Mapping[str, Any]) -> Endpoint:
    """Reads one, from the output or from a document."""
    return Endpoint(str(value["url"]), str(value.get("health") or HEALTH))


def endpoints(outputs: Mapping[str, Any]) -> dict[str, Endpoint]:
    """All in a stack's outputs, by service."""
    return {name: endpoint(value) for name, value in (outputs.get("endpoints") or {}).items()}
