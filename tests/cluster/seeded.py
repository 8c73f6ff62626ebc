"""Objects with one mistake in them."""

import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.api import Object
from tests.stacks.manifests.editing import ABSENT, edited


@dataclass(frozen=True)
class Mistake:
    """One mistake and how it is refused.

    Attributes:
        name: Of the test.
        kind: The object it is in.
        path: Where: keys and positions with a slash between.
        value: What is there in place of what is right.
        message: Part of the refusal: it names the fault.
    """

    name: str
    kind: str
    path: str
    value: Any
    message: str

    @property
    def object(self) -> Object:
        return edited(healthy(self.kind), self.path, self.value)


def seeded(group: str) -> list[Mistake]:
    """The mistakes of `mistakes.yaml` in `objects`, in `pods` or as `changes`."""
    return [_mistake(item) for item in _read("mistakes.yaml")[group]]


def _mistake(item: dict[str, Any]) -> Mistake:
    kind, _, path = item["in"].partition(" ")
    return Mistake(item["name"], kind, path, item.get("is", ABSENT), item["refused"])


@cache
def _all() -> dict[str, Object]:
    return {item["kind"]: item for item in _read("objects.yaml")}


def _read(name: str) -> Any:
    return yaml.safe_load((Path(__file__).parent / name).read_text())


def healthy(kind: str) -> Object:
    """The object of that kind as it should be."""
    return copy.deepcopy(_all()[kind])


def all_healthy() -> list[Object]:
    """Every one, in an order in which they can be made; the namespace is the first."""
    return [healthy(kind) for kind in _all()]
