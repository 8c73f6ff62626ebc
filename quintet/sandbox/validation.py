"""Checks the parameters of every AWS call against the service's model, as AWS does and botocore does not.

botocore checks types and required members only. The models that it ships also hold patterns, enumerations, lengths
and ranges; ministack checks few of them. A check is built once per operation and holds only the members that have a
constraint, so that a call costs microseconds.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import dataclass
from typing import Any

import regex  # type: ignore[import-untyped]  # its types are a package of their own, for two calls
from botocore.hooks import BaseEventHooks
from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape

from quintet.sandbox.engine.errors import SandboxError

SHOWN_CHARACTERS = 60
SHOWN_CHOICES = 30

Check = Callable[[Any, str], Iterator[str]]
"""`(value, path)` -> what is wrong, one sentence each."""

_UNITS = {"string": " characters", "blob": " bytes", "list": " items", "map": " entries"}
_JAVA_ASTRAL = r"\uD800\uDC00-\uDBFF\uDFFF"
_JAVA_CODE_POINT = regex.compile(r"\\x\{([0-9A-Fa-f]{1,8})\}")


class InvalidParametersError(SandboxError):
    """A call whose parameters AWS would refuse."""

    def __init__(self, operation: str, problems: list[str]) -> None:
        super().__init__(f"{operation}: AWS would refuse this: " + "; ".join(problems))
        self.operation = operation
        self.problems = problems


class ParameterValidator:
    """Checks calls; one serves all clients, from any thread.

    Attributes:
        not_compiled: Patterns of the models met so far that could not be translated, and so are not checked.
    """

    def __init__(self) -> None:
        self.not_compiled: set[str] = set()
        self._checks: dict[tuple[str, str], Check | None] = {}
        self._lock = threading.Lock()

    def register(self, events: BaseEventHooks) -> None:
        """Check every call of the client that these events belong to, after botocore's own changes to parameters."""
        events.register_last("before-parameter-build", self._on_call)

    def check(self, model: OperationModel, parameters: Mapping[str, Any]) -> None:
        """Check the parameters of one call.

        Raises:
            InvalidParametersError: At least one breaks a constraint of the model.
        """
        key = (model.service_model.service_name, model.name)
        if key not in self._checks:
            with self._lock:
                self._checks[key] = _Builder(self.not_compiled).build(model.input_shape) if model.input_shape else None
        check = self._checks[key]
        if check and (problems := list(check(parameters, ""))):
            raise InvalidParametersError(".".join(key), problems)

    def _on_call(self, params: dict[str, Any], model: OperationModel, **_: Any) -> None:  # noqa: ANN401  botocore's hook
        self.check(model, params)


def compile_pattern(pattern: str) -> Any | None:  # noqa: ANN401  regex.Pattern, which carries no types here
    r"""A pattern of an AWS model, which is Java's and meant to match the whole value; None when not translatable.

    Java writes characters beyond U+FFFF as two surrogates, and any character as `\x{...}`.
    """
    translated = pattern.replace(_JAVA_ASTRAL, r"\U00010000-\U0010FFFF")
    translated = _JAVA_CODE_POINT.sub(lambda match: f"\\U{int(match[1], 16):08x}", translated)
    try:
        return regex.compile(translated)
    except regex.error:
        return None


class _Builder:
    """Builds the check of one operation; shapes may contain themselves (a DynamoDB attribute value does)."""

    def __init__(self, not_compiled: set[str]) -> None:
        self._not_compiled = not_compiled
        self._constrained: dict[str, bool] = {}
        self._built: dict[str, Check] = {}

    def build(self, shape: Shape) -> Check | None:
        return self._check(shape) if self._has_constraint(shape, frozenset()) else None

    def _check(self, shape: Shape) -> Check:
        if shape.name not in self._built:

            def later(value: Any, path: str) -> Iterator[str]:  # noqa: ANN401  any parameter
                return self._built[shape.name](value, path)

            self._built[shape.name] = later  # what a shape that contains itself finds while it is built
            self._built[shape.name] = self._own(shape)
        return self._built[shape.name]

    def _own(self, shape: Shape) -> Check:
        checks = [*self._ranges(shape), *self._strings(shape), *self._members(shape)]

        def check(value: Any, path: str) -> Iterator[str]:  # noqa: ANN401  any parameter
            if value is not None:
                for each in checks:
                    yield from each(value, path)

        return check

    def _members(self, shape: Shape) -> Iterator[Check]:
        if isinstance(shape, StructureShape):
            members = {name: check for name, member in shape.members.items() if (check := self.build(member))}
            yield lambda value, path: _in_structure(members, value, path)
        elif isinstance(shape, ListShape):
            if member := self.build(shape.member):
                yield lambda value, path: _in_list(member, value, path)
        elif isinstance(shape, MapShape):
            key, item = self.build(shape.key), self.build(shape.value)
            yield lambda value, path: _in_map(key, item, value, path)

    def _ranges(self, shape: Shape) -> Iterator[Check]:
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if low is not None or high is not None:
            hidden = bool(shape.metadata.get("sensitive"))
            yield _Range(low, high, _UNITS.get(shape.type_name, ""), hidden=hidden)

    def _strings(self, shape: Shape) -> Iterator[Check]:
        if not isinstance(shape, StringShape):
            return
        if choices := shape.metadata.get("enum"):
            yield lambda value, path: _among(value, path, choices)
        if pattern := shape.metadata.get("pattern"):
            if compiled := compile_pattern(pattern):
                hidden = bool(shape.metadata.get("sensitive"))
                yield lambda value, path: _matches(value, path, compiled, hidden=hidden)
            else:
                self._not_compiled.add(pattern)

    def _has_constraint(self, shape: Shape, above: frozenset[str]) -> bool:
        if shape.name in above:
            return False
        if shape.name not in self._constrained:
            own = any(key in shape.metadata for key in ("min", "max", "pattern", "enum"))
            self._constrained[shape.name] = own or any(
                self._has_constraint(part, above | {shape.name}) for part in _parts(shape)
            )
        return self._constrained[shape.name]


def _parts(shape: Shape) -> list[Shape]:
    if isinstance(shape, StructureShape):
        return list(shape.members.values())
    if isinstance(shape, ListShape):
        return [shape.member]
    return [shape.key, shape.value] if isinstance(shape, MapShape) else []


def _in_structure(members: dict[str, Check], value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, check in members.items():
        if name in value:
            yield from check(value[name], f"{path}.{name}" if path else name)


def _in_list(check: Check, value: list[Any], path: str) -> Iterator[str]:
    for index, item in enumerate(value):
        yield from check(item, f"{path}[{index}]")


def _in_map(key: Check | None, item: Check | None, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, content in value.items():
        if key:
            yield from key(name, f"a key of {path}")
        if item:
            yield from item(content, f"{path}[{_shown(name)}]")


@dataclass(frozen=True)
class _Range:
    """Checks a number, or the length of what has one (then `unit` says in what it is counted)."""

    low: float | None
    high: float | None
    unit: str
    hidden: bool

    def __call__(self, value: Any, path: str) -> Iterator[str]:  # noqa: ANN401  any parameter
        if self.unit and not isinstance(value, Sized):
            return  # a file given as a blob: its length is not known before it is read
        size = len(value) if self.unit else value
        if (self.low is not None and size < self.low) or (self.high is not None and size > self.high):
            shown = "" if self.hidden or not self.unit else f"{_shown(value)}, "
            yield f"{path} is {shown}{size}{self.unit}; allowed: {self._allowed()}"

    def _allowed(self) -> str:
        bounds = (("least", self.low), ("most", self.high))
        return ", ".join(f"at {word} {bound}" for word, bound in bounds if bound is not None) + self.unit


def _among(value: str, path: str, choices: list[str]) -> Iterator[str]:
    if value not in choices:
        listed = ", ".join(choices[:SHOWN_CHOICES]) + (", ..." if len(choices) > SHOWN_CHOICES else "")
        yield f"{path} is {_shown(value)}; allowed: {listed}"


def _matches(value: str, path: str, pattern: Any, *, hidden: bool) -> Iterator[str]:  # noqa: ANN401  regex.Pattern
    if not pattern.fullmatch(value):
        shown = "a value that is not shown" if hidden else _shown(value)
        yield f"{path} is {shown}; allowed: what matches {pattern.pattern}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
