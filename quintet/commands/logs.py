"""`quintet logs`: what the parts of the sandbox wrote, in the order of time."""

from __future__ import annotations

from quintet import console
from quintet.checkout import Checkout
from quintet.errors import Exit
from quintet.sandbox.logs import follow, merged


def logs(checkout: Checkout, service: str | None, *, following: bool) -> Exit:
    """Prints the logs of a service, or all; goes on with what comes when `following`.

    Raises:
        QuintetError: There are none.
        KeyboardInterrupt: The user has seen enough.
    """
    for line in (follow if following else merged)(checkout, service):
        console.say(str(line))
    return Exit.OK
