"""The parts of which shapes are made: what a property is called and how its value is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Value = Callable[[Any], Any]


@dataclass(frozen=True)
class Shape:
    """A type as CloudFormation knows it.

    Attributes:
        type: The CloudFormation type.
        names: Properties of inputs that are called otherwise; `A.B` is B within A.
        values: How the value of an input is written, where PascalCase keys are not enough.
        left_out: Inputs that CloudFormation has no place for, each with the reason.
        spread: Inputs that are several properties there, each with what they are.
        owner: The type whose resource this one is a part of there, and the inputs that name it.
    """

    type: str
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    spread: Mapping[str, Callable[[Any], Mapping[str, Any]]] = field(default_factory=dict)
    owner: tuple[str, Mapping[str, str]] | None = None


def pascal(value: Any) -> Any:
    """Every key with a capital, at any depth."""
    if isinstance(value, dict):
        return {key[0].upper() + key[1:]: pascal(item) for key, item in value.items() if item is not None}
    return [pascal(item) for item in value] if isinstance(value, list) else value


def same(value: Any) -> Any:
    return value


def alone(value: Any) -> Any:
    """The only item of a list."""
    [item] = value
    return item


def pairs(key: str, value: str) -> Value:
    return lambda given: [{key: name, value: text} for name, text in given.items()]


def renamed(**names: str) -> Value:
    """Keys of a mapping, or of each in a list, by other names."""

    def write(given: Any) -> Any:
        if isinstance(given, list):
            return [write(item) for item in given]
        return {names.get(key, pascal({key: 0}).popitem()[0]): pascal(item) for key, item in given.items()}

    return write


TAGS: Mapping[str, Value] = {"tags": pairs("Key", "Value")}
