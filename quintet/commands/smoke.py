"""`quintet smoke`: the checks of the services, against the sandbox or a deployed stack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from quintet import console
from quintet.checkout import Checkout
from quintet.commands.status import current
from quintet.errors import Exit, QuintetError
from quintet.sandbox.summary import STACK
from quintet.smoke import deployed, report
from quintet.smoke.runner import run, select


def smoke(checkout: Checkout, services: Sequence[str], *, stack: str, machine: bool) -> Exit:
    """Runs the checks and prints them; 1 when one fails.

    Raises:
        QuintetError: A service is unknown or not deployed, or the stack cannot be read.
    """
    endpoints = _sandbox(checkout) if stack == STACK else deployed.endpoints(checkout.root, stack)
    results = list(run(select(services, endpoints), endpoints))
    if machine:
        console.as_json({"stack": stack, "checks": [asdict(result) for result in results]})
    else:
        report.show(results)
    return Exit.OK if all(result.ok for result in results) else Exit.FAILED


def _sandbox(checkout: Checkout) -> dict[str, str]:
    services = current(checkout)["services"]
    if services and all(service["state"] == "stopped" for service in services.values()):
        raise QuintetError("The sandbox is stopped.", advice="Run `quintet up`.")
    return {name: service["url"] for name, service in services.items()}
