"""Nested objects with another value somewhere in them."""

import copy
from typing import Any

ABSENT = object()
"""In place of a value: the field is left out."""


def edited(given: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with another value at a path: keys and positions with a slash between; ~ is a slash within a key."""
    made = copy.deepcopy(given)
    *parents, last = path.split("/")
    place: Any = made
    for key in parents:
        index = _key(place, key)
        place[index] = copy.deepcopy(place[index])  # YAML's anchors are one and the same part in several places
        place = place[index]
    if value is ABSENT:
        del place[_key(place, last)]
    else:
        place[_key(place, last)] = value
    return made


def _key(place: Any, key: str) -> Any:
    return int(key) if isinstance(place, list) else key.replace("~", "/")
