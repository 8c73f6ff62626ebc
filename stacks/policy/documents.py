"""IAM policies among the properties of a resource, whatever the property is called."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stacks.policy.declared import Declared, listed

_LIMITS = frozenset(
    {
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceorgid",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "kms:calleraccount",
    }
)
"""Condition keys that keep a statement for everybody to those one knows."""


@dataclass(frozen=True)
class Statement:
    """A statement of a policy, with lists where the language allows a single value."""

    text: Mapping[str, Any]

    @property
    def allows(self) -> bool:
        """Whether it grants something."""
        return self.text.get("Effect") == "Allow"

    @property
    def sid(self) -> str:
        """Its name, in which a reason can be written."""
        return str(self.text.get("Sid") or "")

    @property
    def actions(self) -> list[str]:
        """What it is about."""
        return [str(action) for action in listed(self.text.get("Action"))]

    @property
    def resources(self) -> list[str]:
        """On what."""
        return [str(resource) for resource in listed(self.text.get("Resource"))]

    @property
    def inverted(self) -> list[str]:
        """Elements that name what is excepted, and so allow all the rest."""
        return [key for key in ("NotAction", "NotResource", "NotPrincipal") if key in self.text]

    @property
    def for_everybody(self) -> bool:
        """Whether anyone may, in any account."""
        principal = self.text.get("Principal")
        named = principal.get("AWS") if isinstance(principal, Mapping) else principal
        return "*" in listed(named) and not self._limited()

    def _limited(self) -> bool:
        conditions = listed(self.text.get("Condition"))
        tests = [test for condition in conditions for operator, test in condition.items() if _names(operator)]
        return any(key.lower() in _LIMITS and "*" not in listed(value) for test in tests for key, value in test.items())


def _names(operator: str) -> bool:
    """Whether a condition's operator says who is meant, not who is not."""
    return operator.rpartition(":")[2] in {"StringEquals", "StringLike", "ArnEquals", "ArnLike"}


def statements(resource: Declared) -> Iterator[Statement]:
    """Every statement of every policy among the resource's properties."""
    for document in _documents(resource.props):
        for statement in listed(document.get("Statement")):
            if isinstance(statement, Mapping):
                yield Statement(statement)


def _documents(value: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401  any JSON
    if isinstance(value, str) and '"Statement"' in value:
        value = _parsed(value)
    if isinstance(value, Mapping) and "Statement" in value:
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _documents(item)
    elif isinstance(value, list):
        for item in value:
            yield from _documents(item)


def _parsed(text: str) -> Any:  # noqa: ANN401  any JSON
    try:
        return json.loads(text)
    except ValueError:
        return None
