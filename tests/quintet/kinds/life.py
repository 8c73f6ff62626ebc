"""How a kind is tried from the beginning to the end of one resource."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.quintet.kinds.deploying import Deployer


@dataclass
class Life:
    """Inputs of a resource, and those that change it in place; both may need others, which a function makes."""

    token: str
    made: Callable[[Deployer], dict[str, Any]]
    changed: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    outlives: bool = field(default=False)
    """Whether `read` still finds it after its deletion: what a setting without a delete call does."""

    def __str__(self) -> str:
        return self.token


def with_(**more: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda inputs: {**inputs, **more}
