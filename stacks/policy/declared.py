"""What a rule looks at: resources as they are declared, one or all of a stack."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

UNKNOWN = type("Unknown", (), {"__repr__": lambda _: "<unknown>"})()
"""Stands for a value that only an update can tell. A rule that meets it says nothing: the update's own run will."""

_REASON = re.compile(r"\w+\W+\w+\W+\w+")


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A resource.

    Attributes:
        urn: Its name within all stacks; tells the stack and the components it is in, too.
        type: The type token.
        name: The logical name.
        props: Inputs, and outputs where they are known, camelCase.
        tags: Its own and those that its provider puts on everything.
        protected: Pulumi does not delete it.
        sources: For each input the URNs of the resources that its value comes from.
    """

    urn: str
    type: str
    name: str
    props: Mapping[str, Any]
    tags: Mapping[str, Any] = field(default_factory=dict)
    protected: bool = False
    sources: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def stack(self) -> str:
        """The stack's name, which is the environment: `urn:pulumi:<stack>::<project>::...`."""
        return self.urn.split("::", maxsplit=1)[0].rpartition(":")[2]

    @property
    def within(self) -> tuple[str, ...]:
        """The types of the components it is in, outermost first."""
        return tuple(self.urn.split("::")[2].split("$")[:-1])

    @property
    def taggable(self) -> bool:
        """Whether its type takes tags: AWS then tells all of them in `tagsAll`."""
        return "tags" in self.props or "tagsAll" in self.props

    def get(self, path: str) -> Any:  # noqa: ANN401  any JSON
        """A property by its path, as `loggingConfig.logGroup`; None when it is not there."""
        value: Any = self.props
        for key in path.split("."):
            # The provider gives some single blocks as lists of one.
            value = value[0] if isinstance(value, list) and value else value
            value = value.get(key) if isinstance(value, Mapping) else value if value is UNKNOWN else None
        return value

    def exemption(self, rule: str) -> str | None:
        """The reason written beside it why a rule does not hold here, if it has three words at least."""
        reason = self.tags.get(f"exempt/{rule}")
        return reason if isinstance(reason, str) and _REASON.search(reason) else None


@dataclass(frozen=True)
class Stack:
    """All resources that are declared together.

    Attributes:
        resources: In any order.
    """

    resources: tuple[Declared, ...] = ()

    def of(self, *types: str) -> Iterator[Declared]:
        """Every resource of one of the types."""
        return (resource for resource in self.resources if resource.type in types)

    def about(self, resource: Declared, type_: str, key: str, *names: object) -> list[Declared]:
        """The resources of a type whose input `key` comes from another resource, or is one of its names."""
        return [
            other for other in self.of(type_) if resource.urn in other.sources.get(key, ()) or other.get(key) in names
        ]


@dataclass(frozen=True)
class Finding:
    """A breach of a rule.

    Attributes:
        found: What is there, as the end of a sentence about the resource.
        fix: What to do.
    """

    found: str
    fix: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        name: In words with hyphens.
        why: What it keeps from happening, in a sentence.
        check: Gives the findings about one resource.
        whole: It needs the other resources of the stack, too, which Pulumi shows only at the end.
    """

    name: str
    why: str
    check: Callable[[Declared, Stack], Iterable[Finding]]
    whole: bool = False

    def messages(self, resource: Declared, stack: Stack) -> list[str]:
        """What it has to say about a resource."""
        return [
            f"{resource.type} {resource.name}: {finding.found}. {finding.fix}."
            for finding in self.check(resource, stack)
        ]


def listed(value: Any) -> list[Any]:  # noqa: ANN401  any JSON
    """What may stand alone or in a list, as a list; nothing and what is unknown are empty."""
    if value is None or value is UNKNOWN:
        return []
    return value if isinstance(value, list) else [value]
