"""Paths into properties, as `ignore_changes` and `replace_on_changes` name them: `tags.owner`, `rules[0].port`."""

import re
from typing import Any

from quintet.sandbox.engine.cloud import Properties
from quintet.sandbox.engine.errors import SandboxUnsupported

_STEP = re.compile(r"""\.?(?P<key>[^.\[\]"]+)|\[(?P<index>\d+)\]|\["(?P<quoted>[^"]*)"\]""")
_ABSENT = object()

Step = str | int


def parse(path: str) -> tuple[Step, ...]:
    """The steps of a path.

    Raises:
        SandboxUnsupported: It holds a wildcard, or cannot be read.
    """
    steps: list[Step] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None or match["key"] == "*":
            raise SandboxUnsupported(f"the property path `{path}`")
        steps.append(int(match["index"]) if match["index"] else match["quoted"] or match["key"])
        position = match.end()
    return tuple(steps)


def differs(path: str, old: Properties, new: Properties) -> bool:
    """Whether what lies at a path is not the same; the path `*` means everything."""
    if path == "*":
        return old != new
    steps = parse(path)
    return bool(_get(old, steps) != _get(new, steps))


def keeping(new: Properties, old: Properties, paths: tuple[str, ...]) -> Properties:
    """New properties with the old values at the given paths; where there was none there will be none."""
    for path in paths:
        new = _with(new, parse(path), old)
    return new


def _get(value: Any, steps: tuple[Step, ...]) -> Any:  # noqa: ANN401  any JSON
    for step in steps:
        value = _child(value, step)
    return value


def _child(value: Any, step: Step) -> Any:  # noqa: ANN401
    if isinstance(value, dict) and isinstance(step, str):
        return value.get(step, _ABSENT)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return _ABSENT


def _with(new: Any, steps: tuple[Step, ...], old: Any) -> Any:  # noqa: ANN401
    """A copy of `new` with the value of `old` at the steps; unchanged where the way there does not exist in both."""
    step, *rest = steps
    before, now = _child(old, step), _child(new, step)
    if rest:
        if before is _ABSENT or now is _ABSENT:
            return new
        before = _with(now, tuple(rest), before)
    if isinstance(new, dict):
        return {key: item for key, item in {**new, step: before}.items() if item is not _ABSENT}
    if isinstance(new, list) and isinstance(step, int) and step < len(new) and before is not _ABSENT:
        return [*new[:step], before, *new[step + 1 :]]
    return new
