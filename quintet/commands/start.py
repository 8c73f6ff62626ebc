"""The sandbox's process, started where it does not run, and anew where it runs older code or on another port."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quintet.checkout import Checkout
from quintet.errors import Exit, QuintetError
from quintet.sandbox.client import Client, launch
from quintet.sandbox.engines import owner
from quintet.sandbox.fingerprint import fingerprint
from quintet.sandbox.ports import DEFAULT_PORT, choose, remembered


@dataclass(frozen=True, kw_only=True)
class Start:
    """How a command wants the sandbox's process; the command holds the checkout's lock.

    Attributes:
        checkout: Where.
        fresh: Forget everything first.
        port: Where the emulated AWS should answer, or None for the port of the last time.
        tell: Told what the user should know.
    """

    checkout: Checkout
    tell: Callable[[str], None]
    fresh: bool = False
    port: int | None = None

    def client(self) -> Client:
        """The process, which runs then.

        Raises:
            QuintetError: It does not start, or would have to move with all that it holds.
        """
        self._refuse_to_move()
        client = Client.find(self.checkout)
        reason = self._reason_to_restart(client) if client else ""
        if client and reason:
            self.tell(reason)
            client.stop()
            client = None
        if self.fresh:
            self.checkout.purge(keep_ports=True)
            self.checkout.prepare()
        return client or self._launch()

    def _launch(self) -> Client:
        first = remembered(self.checkout) is None
        ports = choose(self.checkout, self.port)
        if first and self.port is None and ports.emulator != DEFAULT_PORT:
            self.tell(f"Port {DEFAULT_PORT} is taken; this checkout uses {ports.emulator} from now on.")
        return launch(self.checkout)

    def _reason_to_restart(self, client: Client) -> str:
        if self.fresh:
            return "Stopping the sandbox to begin anew."
        if client.record.fingerprint != fingerprint():
            return "The code of quintet has changed: restarting the sandbox."
        if self._moves():
            return f"Moving the sandbox to port {self.port}."
        return ""

    def _moves(self) -> bool:
        before = remembered(self.checkout)
        return self.port is not None and before is not None and before.emulator != self.port

    def _refuse_to_move(self) -> None:
        """The addresses of what is deployed hold the port: they would all be wrong."""
        deployed = self.checkout.state.exists() or owner(self.checkout) is not None
        if self._moves() and deployed and not self.fresh:
            raise QuintetError(
                "This sandbox is deployed on another port, which is part of its addresses.",
                advice=f"`quintet up --port {self.port} --fresh` deletes its data and begins anew on port {self.port}.",
                exit_code=Exit.USAGE,
            )


def busy() -> QuintetError:
    """Another command works on the checkout."""
    return QuintetError(
        "Another `quintet up` or `quintet down` works on this checkout.",
        advice="Wait for it, or press Ctrl-C there.",
        exit_code=Exit.BUSY,
    )
