"""What a deployment tells: an event for each step, and what came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from quintet.sandbox.engine.cloud import Properties
from quintet.sandbox.engine.state import Resource

Operation = Literal["create", "update", "replace", "delete", "same", "failed", "read"]


@dataclass(frozen=True)
class ResourceEvent:
    """One step of a deployment, told when it begins and again when it is done.

    Attributes:
        operation: What happens; `failed` when it did not, `read` for a refresh.
        urn: The resource.
        type: Its type token.
        name: Its logical name.
        done: Whether this is the end; a preview and an unchanged resource tell only this.
        changed: Names of the inputs that differ, never values: they may be secret.
        error: Why it failed.
        seconds: How long it took; 0 at the beginning.
    """

    operation: Operation
    urn: str
    type: str
    name: str
    done: bool
    changed: tuple[str, ...] = ()
    error: str | None = None
    seconds: float = 0.0


OnEvent = Callable[[ResourceEvent], None]
"""Called from several threads at once."""


@dataclass(frozen=True)
class Outcome:
    """What came of a deployment.

    Attributes:
        outputs: The stack's outputs, in plain text.
        secret_outputs: Keys of those that must not be shown.
        counts: Resources by operation.
        declared_only: Types that the cloud does not realise, sorted.
        resources: Every resource of the stack by URN, components included, in the order of registration.
    """

    outputs: Properties
    secret_outputs: frozenset[str]
    counts: Mapping[str, int]
    declared_only: tuple[str, ...]
    resources: Mapping[str, Resource]
