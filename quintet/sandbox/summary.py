"""The document of `quintet status --json`, and what is left of it when nothing runs.

Its shape is a contract with everyone who reads it:
`{"stack", "aws": {"endpoint_url", "region"}, "services": {name: {"url", "state"[, "reason"]}}, "declared_only": []}`.
A service on Kubernetes also has `pods`; one whose health has a path of its own has `health`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quintet.checkout import Checkout
from quintet.files import read_json, write_json
from quintet.sandbox.endpoints import Endpoint, endpoint
from quintet.sandbox.engines import Engine, owner
from quintet.sandbox.ports import DEFAULT_PORT, HOST, remembered
from quintet.sandbox.real.checkpoint import Checkpoint

STACK = "sandbox"
REGION = "us-east-1"


def document(
    endpoint_url: str, region: str, services: Mapping[str, Mapping[str, Any]], declared_only: Sequence[str]
) -> dict[str, Any]:
    """The document.

    Args:
        endpoint_url: The emulated AWS.
        region: Its region.
        services: `url`, `state` and perhaps `reason`, `health` and `pods` by service.
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


def endpoints(checkout: Checkout) -> dict[str, Endpoint]:
    """Where every service answers of what is deployed, whichever engine did it and whoever ran it."""
    checkpoint = Checkpoint.of(checkout)
    if checkpoint.exists and owner(checkout) is not Engine.SANDBOX:
        return checkpoint.endpoints
    return {name: endpoint(service) for name, service in (kept(checkout) or {}).get("services", {}).items()}


def stopped(checkout: Checkout) -> dict[str, Any]:
    """The document when no sandbox runs: every service that is deployed, stopped."""
    ports = remembered(checkout)
    services = {name: {**known.told, "state": "stopped"} for name, known in endpoints(checkout).items()}
    declared_only = (kept(checkout) or {}).get("declared_only", ()) if services else ()
    return document(f"http://{HOST}:{ports.emulator if ports else DEFAULT_PORT}", REGION, services, declared_only)
