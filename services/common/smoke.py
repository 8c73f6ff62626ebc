"""What a service says about how it is tried: one example call, and checks that hold in any environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    # The service's image does not carry httpx; whoever runs the checks brings the client.
    import httpx

Check: TypeAlias = "Callable[[httpx.Client], None]"
"""Calls the service through a client whose `base_url` is set; raises `CheckFailed`."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One call that shows what the service does; printed as a curl line.

    Attributes:
        method: The HTTP method.
        path: The path below the service's address, "/moderate".
        body: What is sent as JSON, or None for a call without a body.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    body: dict[str, Any] | None = None


class CheckFailed(Exception):  # noqa: N818 - the name says what happened to a check, not to a program
    """A check does not hold; the message says what was expected and what was found."""


def expect(holds: bool, message: str) -> None:
    """Raises `CheckFailed(message)` unless `holds`."""
    if not holds:
        raise CheckFailed(message)
