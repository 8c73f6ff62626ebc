"""What a rollout has left, for the user of the next `quintet up`."""

from __future__ import annotations

from quintet.checkout import Checkout
from quintet.rollout.journal import Entry, Journal, Phase


def reminders(checkout: Checkout, stack: str) -> list[str]:
    """One line a service that is not simply what the program and its stack's file say."""
    told = [_line(service, entry) for service, entry in Journal(checkout, stack).entries().items()]
    return [line for line in told if line]


def _line(service: str, entry: Entry) -> str:
    if entry.under_way:
        return (
            f"A rollout of {service} was interrupted: its candidate may get requests. `quintet rollback {service}` "
            f"brings back what was live, `quintet rollout {service}` begins anew."
        )
    if entry.phase is Phase.ROLLED_BACK and entry.held:
        return (
            f"A rollback keeps {entry.live} of {service} live, not the program's own version. `quintet rollout "
            f"{service}` tries that, `quintet rollback {service} --release` deploys it unjudged."
        )
    return ""
