"""The document of `quintet status --json`, and what is left of it when nothing runs.

Its shape is a contract with everyone who reads it:
`{"stack", "aws": {"endpoint_url", "region"}, "services": {name: {"url", "state"[, "reason"]}}, "declared_only": []}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quintet.checkout import Checkout
from quintet.files import read_json, write_json
from quintet.sandbox.ports import DEFAULT_PORT, HOST, remembered

STACK = "sandbox"
REGION = "us-east-1"


def document(
    endpoint_url: str, region: str, services: Mapping[str, Mapping[str, str]], declared_only: Sequence[str]
) -> dict[str, Any]:
    """The document.

    Args:
        endpoint_url: The emulated AWS.
        region: Its region.
        services: `url`, `state` and perhaps `reason` by service.
        declared_only: Types of resources that the sandbox does not run.
    """
    return {
        "stack": STACK,
        "aws": {"endpoint_url": endpoint_url, "region": region},
        "services": {name: dict(service) for name, service in sorted(services.items())},
        "declared_only": sorted(declared_only),
    }


def keep(checkout: Checkout, summary: Mapping[str, Any]) -> None:
    """Remembers a document for the time when nothing runs."""
    write_json(checkout.summary, dict(summary))


def kept(checkout: Checkout) -> dict[str, Any] | None:
    """The document of the last `up` that succeeded, or None."""
    return read_json(checkout.summary)


def stopped(checkout: Checkout) -> dict[str, Any]:
    """The document when no sandbox runs: every service of the last `up`, stopped."""
    last = kept(checkout)
    if last is None:
        ports = remembered(checkout)
        return document(f"http://{HOST}:{ports.emulator if ports else DEFAULT_PORT}", REGION, {}, ())
    services = {name: {"url": service["url"], "state": "stopped"} for name, service in last["services"].items()}
    return document(last["aws"]["endpoint_url"], last["aws"]["region"], services, last["declared_only"])
