"""`.quintet/overrides.json`: settings that a rollout has put over those of `Pulumi.sandbox.yaml`.

Every deployment and preview of the sandbox reads them: so the next `quintet up` leaves things as a rollout has left
them.
`quintet up --fresh` and `quintet down --purge` drop them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quintet.checkout import Checkout
from quintet.files import read_json, write_json


def kept(checkout: Checkout) -> dict[str, Any]:
    """The settings by their keys."""
    return read_json(checkout.overrides) or {}


def keep(checkout: Checkout, changes: Mapping[str, Any]) -> None:
    """Changes some of them, in one step; None takes one away."""
    merged = {**kept(checkout), **changes}
    write_json(checkout.overrides, {key: value for key, value in merged.items() if value is not None})
