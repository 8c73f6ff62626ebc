"""`quintet down`: nothing of the sandbox runs any more."""

from __future__ import annotations

from quintet import console
from quintet.checkout import Checkout
from quintet.commands.start import busy
from quintet.errors import Exit
from quintet.files import locked
from quintet.interrupts import interruptible
from quintet.sandbox.client import Client


def down(checkout: Checkout, *, purge: bool) -> Exit:
    """Stops the sandbox and waits until all its processes have ended.

    Args:
        checkout: Where.
        purge: Also delete everything that it kept.

    Raises:
        QuintetError: Another command works on the checkout.
    """
    with locked(checkout.command_lock, busy=busy()), interruptible() as interrupts:
        client = Client.find(checkout)
        interrupts.hold()  # from here on it is quicker to finish than to be asked twice
        if client:
            client.stop()
        if purge:
            checkout.purge(keep_ports=False)
    what = "The sandbox is stopped" if client else "No sandbox was running"
    kept = "; its data is deleted." if purge else "; its data is kept for the next `quintet up`."
    console.say(what + kept)
    return Exit.OK
