"""What the real engine has deployed here: its state of the stack, read as the file that it is.

The file is the CLI's, of the layout that `pulumi login file://` gives
(https://www.pulumi.com/docs/iac/concepts/state-and-backends/); nothing here writes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from quintet.checkout import Checkout
from quintet.files import read_json
from quintet.sandbox.endpoints import Endpoint, endpoints
from quintet.sandbox.real.secrets import opened

_FILE = "sandbox.json"
_STACK_TYPE = "pulumi:pulumi:Stack"
_OF_THE_ENGINE = "pulumi:"
"""Prefix of the types of stacks and of providers: what exists in no cloud."""


@dataclass(frozen=True)
class Checkpoint:
    """The state of the stack `sandbox`.

    Attributes:
        exists: The engine knows the stack.
        resources: What it has made, as the file has it.
        outputs: The stack's outputs; secret ones are encrypted.
        salt: What its secrets are encrypted with, beside the passphrase.
    """

    exists: bool = False
    resources: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    outputs: dict[str, Any] = field(default_factory=dict, repr=False)
    salt: str = ""

    @classmethod
    def of(cls, checkout: Checkout) -> Checkpoint:
        """The state that the real engine has in a checkout; an empty one where it has none."""
        found = sorted(checkout.pulumi.glob(f".pulumi/stacks/*/{_FILE}"))
        content = read_json(found[0]) if found else None
        if content is None:
            return cls()
        latest = content["checkpoint"].get("latest") or {}
        known = latest.get("resources") or []
        salt = ((latest.get("secrets_providers") or {}).get("state") or {}).get("salt", "")
        outputs: dict[str, Any] = next((item.get("outputs", {}) for item in known if item["type"] == _STACK_TYPE), {})
        made = [item for item in known if item.get("custom") and not item["type"].startswith(_OF_THE_ENGINE)]
        return cls(True, tuple(made), outputs, salt)

    def opened_resources(self) -> list[dict[str, Any]]:
        """The resources with their secrets in plain text; takes half a second where there are any.

        Raises:
            SandboxError: They are of another passphrase.
        """
        return list(opened(list(self.resources), self.salt))

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """By service, in the stack output `endpoints`."""
        return endpoints(self.outputs)

    @property
    def types(self) -> frozenset[str]:
        """The types of what was made."""
        return frozenset(item["type"] for item in self.resources)
