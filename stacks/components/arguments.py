"""How a component refuses arguments: every mistake at once, each with what was given and what is allowed."""

import re
from collections.abc import Iterable

# The shortest of what follows a logical name in a child's name; longer ones are checked where the limit is known.
_NAME = re.compile(r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")


class ArgumentsError(ValueError):
    """A component was given arguments that make no sense; the message lists all of them."""


def refuse(component: str, *problems: Iterable[str]) -> None:
    """Raise about all problems found, or return when there is none.

    Args:
        component: What refuses, as `BucketArgs`.
        problems: Groups of sentences, one sentence a mistake.

    Raises:
        ArgumentsError: At least one group is not empty.
    """
    if found := [problem for group in problems for problem in group]:
        raise ArgumentsError(f"{component}: " + "; ".join(found))


def checked_name(name: str) -> str:
    """The logical name of a component, when physical names can be made of it.

    Raises:
        ArgumentsError: It has characters that a bucket, a role or a repository may not have.
    """
    if not _NAME.match(name):
        raise ArgumentsError(
            f"the name {name!r}: allowed are lower-case letters, digits and single hyphens between them"
        )
    return name


def within(field: str, value: float | None, low: float, high: float, unit: str = "") -> list[str]:
    """A complaint when a number is outside its bounds (both included); None is left to the caller and passes."""
    if value is None or low <= value <= high:
        return []
    return [f"{field} is {value}; allowed are {low} to {high}{' ' + unit if unit else ''}"]


def one_of(field: str, value: object, allowed: Iterable[object]) -> list[str]:
    """A complaint when a value is none of those allowed."""
    choices = list(allowed)
    return [] if value in choices else [f"{field} is {value!r}; allowed are {', '.join(map(repr, choices))}"]


def matching(field: str, value: str | None, pattern: str, meaning: str) -> list[str]:
    """A complaint when a text is given and does not match the whole pattern."""
    return [] if value is None or re.fullmatch(pattern, value) else [f"{field} is {value!r}; allowed is {meaning}"]
