"""`quintet status`: what runs, where it answers, and what is only declared."""

from __future__ import annotations

from typing import Any

from quintet import console
from quintet.checkout import Checkout
from quintet.errors import Exit
from quintet.sandbox.client import Client
from quintet.sandbox.summary import stopped


def current(checkout: Checkout) -> dict[str, Any]:
    """The document of `quintet status --json`, from the sandbox or, when none runs, from what the last `up` left."""
    client = Client.find(checkout)
    return client.status() if client else stopped(checkout)


def status(checkout: Checkout, *, machine: bool) -> Exit:
    """Prints the state of every service; 1 when one is unhealthy."""
    document = current(checkout)
    if machine:
        console.as_json(document)
    else:
        _print(document)
    unhealthy = any(service["state"] == "unhealthy" for service in document["services"].values())
    return Exit.FAILED if unhealthy else Exit.OK


def _print(document: dict[str, Any]) -> None:
    services = document["services"]
    if not services:
        console.say("Nothing is deployed. `quintet up` starts every service.")
        return
    rows = [(name, item["state"], item["url"], item.get("reason", "")) for name, item in services.items()]
    console.table(("SERVICE", "STATE", "URL", ""), rows)
    if pods := [pod for item in services.values() for pod in item.get("pods", ())]:
        console.say()
        console.table(("POD", "VARIANT", "READY", "RESTARTS", "ADDRESS", ""), [_row(pod) for pod in pods])
    console.say(f"Emulated AWS: {document['aws']['endpoint_url']} ({document['aws']['region']})")
    if document["declared_only"]:
        console.say(f"Declared only, not run here: {', '.join(document['declared_only'])}")


def _row(pod: dict[str, Any]) -> tuple[str, ...]:
    ready = "yes" if pod["ready"] else "no"
    where = f"{pod['address']}:{pod['port']}" if pod["port"] else pod["address"]
    remark = " ".join((pod["reason"] or pod["note"]).split())
    return pod["name"], pod["variant"], ready, str(pod["restarts"]), where, remark
