"""What several kinds need to speak to the emulated AWS: its naming, its tags, its way to say that something is gone."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from quintet.sandbox.engine.errors import SandboxError
from quintet.sandbox.kinds.base import Properties, is_unknown

ONE_REGION: Mapping[str, str] = {"region": "the sandbox has one region"}
"""What every resource of AWS takes and the sandbox does not need."""

_ABSENT = ("NotFound", "NoSuch", "NonExistent", "DoesNotExist", ".Malformed", "404")

_T = TypeVar("_T")


class RefusedError(SandboxError):
    """What the program declares and AWS would refuse."""


def present(call: Callable[[], _T]) -> _T | None:
    """The answer of a call, or None when AWS answers that there is no such thing."""
    try:
        return call()
    except ClientError as error:
        if any(part in error.response["Error"]["Code"] for part in _ABSENT):
            return None
        raise


def absent(call: Callable[[], object]) -> None:
    """Delete something; that it is gone already is not an error."""
    present(call)


def pascal(value: Any, renamed: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401  any JSON value
    """Pulumi's camelCase keys as AWS's PascalCase at every depth, None left out.

    Args:
        value: Properties.
        renamed: Keys that AWS spells otherwise, as `{"sseAlgorithm": "SSEAlgorithm"}`.
    """
    if isinstance(value, dict):
        names = renamed or {}
        items = ((names.get(key, key[:1].upper() + key[1:]), item) for key, item in value.items() if item is not None)
        return {key: pascal(item, renamed) for key, item in items}
    return [pascal(item, renamed) for item in value] if isinstance(value, list) else value


def chosen(inputs: Properties, *names: str, renamed: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Those of the named inputs that are given, as arguments of a call."""
    given = {name: inputs[name] for name in names if inputs.get(name) is not None}
    arguments: dict[str, Any] = pascal(given, renamed)
    return arguments


def tag_list(tags: Mapping[str, str] | None, *, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Tags as most services take them."""
    return [{key: name, value: content} for name, content in (tags or {}).items()]


def removed_tags(old: Properties, new: Properties) -> list[str]:
    """Names of the tags that the new inputs do not have any more."""
    return sorted((old.get("tags") or {}).keys() - (new.get("tags") or {}).keys())


def document(value: str | Mapping[str, Any], what: str) -> str:
    """A policy as JSON text.

    Raises:
        RefusedError: It is text and not JSON.
    """
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        json.loads(value)
    except ValueError as error:
        raise RefusedError(f"{what} is not JSON: {error}") from None
    return value


def require(inputs: Properties, name: str, allowed: Callable[[Any], object], rule: str) -> None:
    """Refuse an input that is given, known, and not allowed.

    Raises:
        RefusedError: The message has the value and the rule.
    """
    value = inputs.get(name)
    if value is not None and not is_unknown(value) and not allowed(value):
        raise RefusedError(f"`{name}` is {value!r}; {rule}")


def require_one_of(inputs: Properties, name: str, choices: Iterable[Any]) -> None:
    """Refuse an input that is given, known, and not among the choices."""
    listed = list(choices)
    require(inputs, name, lambda value: value in listed, f"allowed: {', '.join(map(str, listed))}")


def only(given: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    """Refuse a part of a nested input that the kind would drop in silence.

    Raises:
        RefusedError: The message names it.
    """
    names = sorted(known)
    if unknown := sorted(key for key, value in given.items() if value is not None and key not in names):
        raise RefusedError(f"{what}: the sandbox does not realise `{unknown[0]}`; it knows {', '.join(names)}")
