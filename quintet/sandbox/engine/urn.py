"""Names of resources within all stacks: `urn:pulumi:<stack>::<project>::<parent types>$<type>::<name>`."""

from collections.abc import Iterable
from dataclasses import dataclass

STACK_TYPE = "pulumi:pulumi:Stack"


def make_urn(*, stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """The URN of a resource; `parent` is a URN, or empty."""
    parent_types = types_of(parent) if parent else ""
    chain = f"{parent_types}${type_}" if parent_types and parent_types != STACK_TYPE else type_
    return f"urn:pulumi:{stack}::{project}::{chain}::{name}"


def types_of(urn: str) -> str:
    """The chain of types in a URN, from the outermost parent to the resource's own."""
    return urn.split("::", 3)[2]


def name_of(urn: str) -> str:
    """The logical name in a URN."""
    return urn.split("::", 3)[3]


@dataclass(frozen=True)
class Alias:
    """Another way in which a resource was declared before; None means as it is now."""

    name: str | None = None
    type_: str | None = None
    parent: str | None = None
    stack: str | None = None
    project: str | None = None


def aliases_of(
    own: Iterable[str | Alias],
    parent_aliases: Iterable[str],
    *,
    stack: str,
    project: str,
    parent: str,
    type_: str,
    name: str,
) -> tuple[str, ...]:
    """Every URN that a resource may have had: by its own aliases and by those of its parent.

    As in the real engine a child of a renamed parent is sought under the parent's old name too, where its own name
    began with the parent's.

    Args:
        own: The declared aliases: URNs or what differs.
        parent_aliases: The URNs that the parent may have had.
        stack: The stack's name.
        project: The project's name.
        parent: The parent's URN, or empty.
        type_: The resource's type token.
        name: Its logical name.
    """
    declared = tuple(own)
    variants = [Alias(), *(alias for alias in declared if isinstance(alias, Alias))]
    found = [alias for alias in declared if isinstance(alias, str)]
    for variant in variants:
        variant_name = variant.name or name
        parents = [(parent if variant.parent is None else variant.parent, variant_name)]
        if variant.parent is None:
            parents += [(old, _inherited(variant_name, parent, old)) for old in parent_aliases]
        found += [
            make_urn(
                stack=variant.stack or stack,
                project=variant.project or project,
                parent=old_parent,
                type_=variant.type_ or type_,
                name=old_name,
            )
            for old_parent, old_name in parents
        ]
    now = make_urn(stack=stack, project=project, parent=parent, type_=type_, name=name)
    return tuple(dict.fromkeys(urn for urn in found if urn != now))


def _inherited(name: str, parent: str, old_parent: str) -> str:
    prefix = name_of(parent)
    return name_of(old_parent) + name.removeprefix(prefix) if name.startswith(prefix) else name
