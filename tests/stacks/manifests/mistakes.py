"""For each check programs that are wrong in one point, read from counter_examples.yaml."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.stacks.manifests.declared import Declared, Workload
from tests.stacks.manifests.editing import ABSENT
from tests.stacks.manifests.ports import INGRESS, TARGETS

FILE = Path(__file__).parent / "counter_examples.yaml"
OPERATOR = "operator"


@dataclass(frozen=True)
class CounterExample:
    """A mistake and who finds it.

    Attributes:
        check: The name of the check.
        says: Part of what it says.
        variant: Of the program.
        action: What is done to it: one of `_ACTIONS`.
        entry: All that is written of it.
    """

    check: str
    says: str
    variant: str
    action: str
    entry: dict[str, Any]

    def made(self, declared: Declared) -> Declared:
        """The program with the mistake in it."""
        return _ACTIONS[self.action](declared, self.entry)


def counter_examples() -> list[CounterExample]:
    return [_read(entry) for entry in yaml.safe_load(FILE.read_text())]


def _read(entry: dict[str, Any]) -> CounterExample:
    [action] = entry.keys() & _ACTIONS.keys()
    return CounterExample(entry["check"], entry["says"], entry.get("variant", OPERATOR), action, entry)


def _edit(declared: Declared, entry: dict[str, Any]) -> Declared:
    return declared.edited(entry["edit"], entry.get("is", ABSENT))


def _text(declared: Declared, entry: dict[str, Any]) -> Declared:
    return declared.replaced(entry["text"], entry["old"], entry["new"])


def _variable(declared: Declared, entry: dict[str, Any]) -> Declared:
    config = _service(declared).container["envFrom"][0]["configMapRef"]["name"]
    return declared.edited(f"ConfigMap {config} data/{entry['variable']}", entry.get("is", ABSENT))


def _leak(declared: Declared, entry: dict[str, Any]) -> Declared:
    name = entry["leak"]
    return _variable(declared, {"variable": name, "is": dict(_service(declared).environment())[name]})


def _service(declared: Declared) -> Workload:
    [workload] = [each for each in declared.workloads() if each.name == "sentiment"]
    return workload


def _without(declared: Declared, entry: dict[str, Any]) -> Declared:
    kind, name = entry["without"].split()
    return declared.without(kind, name)


def _first(declared: Declared, entry: dict[str, Any]) -> Declared:
    item = declared.one(*entry["first"].split())
    return Declared((item, *(each for each in declared.objects if each is not item)), declared.recording)


def _targets(declared: Declared, entry: dict[str, Any]) -> Declared:
    return declared.aws(TARGETS, **entry["targets"])


def _door(declared: Declared, entry: dict[str, Any]) -> Declared:
    for rule in declared.recording.of(INGRESS):
        declared = declared.aws(INGRESS, rule.name, toPort=entry["door"])
    return declared


_ACTIONS: dict[str, Callable[[Declared, dict[str, Any]], Declared]] = {
    "edit": _edit,
    "text": _text,
    "variable": _variable,
    "leak": _leak,
    "without": _without,
    "first": _first,
    "targets": _targets,
    "door": _door,
}
