"""Amounts as Kubernetes writes them: `250m`, `512Mi`, `1.5`, `25%`."""

from __future__ import annotations

import math
import re

from quintet.sandbox.kubernetes.errors import InvalidObjectError

_SUFFIXES = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40,
}  # fmt: skip
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)([a-zA-Z]*)")


def quantity(text: str) -> float:
    """An amount as a number: CPUs, bytes.

    Raises:
        InvalidObjectError: It is none.
    """
    match = _QUANTITY.fullmatch(str(text))
    if match is None or match[2] not in _SUFFIXES:
        raise InvalidObjectError(f"{text!r} is no quantity of Kubernetes; write 250m, 1.5, 512Mi or 2Gi")
    return float(match[1]) * _SUFFIXES[match[2]]


def divided(text: str, divisor: str) -> int:
    """An amount counted in a divisor and rounded up, as `resourceFieldRef` gives it."""
    return math.ceil(quantity(text) / (quantity(divisor) or 1))


def share(value: int | str, whole: int, *, up: bool) -> int:
    """`maxSurge` (rounded up) or `maxUnavailable` (rounded down) of so many replicas.

    Raises:
        InvalidObjectError: It is neither a number nor a percentage.
    """
    text = str(value)
    if text.endswith("%") and text[:-1].isdigit():
        exact = whole * int(text[:-1]) / 100
        return math.ceil(exact) if up else math.floor(exact)
    if not text.isdigit():
        raise InvalidObjectError(f"{value!r} is neither a number of pods nor a percentage")
    return int(text)
