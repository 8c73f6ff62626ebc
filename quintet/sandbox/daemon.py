"""The one long-lived process of a checkout's sandbox: `python -m quintet.sandbox.daemon ROOT HOME`.

It owns the emulated AWS, the functions and the deployment, and ends all of them when it ends. It is started and asked
by `quintet.sandbox.client`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import sys
from pathlib import Path

from quintet.checkout import Checkout
from quintet.errors import Exit, QuintetError
from quintet.files import locked

_log = logging.getLogger("quintet")
_HANG_UP_SECONDS = 1.0
"""How long an open stream of events may go on once the daemon stops."""


def main(arguments: list[str]) -> int:
    """Runs until SIGTERM, SIGINT or a call of /stop; returns the exit code."""
    # The command that started this process had blocked these while it did.
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s [%(name)s] %(message)s")
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    checkout = Checkout(*map(Path, arguments))
    checkout.prepare()
    checkout.prefer()
    busy = QuintetError(f"Another daemon holds {checkout.daemon_lock}.", exit_code=Exit.BUSY)
    try:
        with locked(checkout.daemon_lock, busy=busy):
            asyncio.run(_serve(checkout))
    except QuintetError as error:
        _log.error("%s", error.message)
        return int(error.exit_code)
    return Exit.OK


async def _serve(checkout: Checkout) -> None:
    # Here: the lock is taken before half a second of imports, so that nobody misses a daemon that is starting.
    from aiohttp import web  # noqa: PLC0415

    from quintet.sandbox.control import Control  # noqa: PLC0415
    from quintet.sandbox.fingerprint import fingerprint  # noqa: PLC0415
    from quintet.sandbox.live import LiveSandbox  # noqa: PLC0415
    from quintet.sandbox.ports import HOST, remembered  # noqa: PLC0415
    from quintet.sandbox.record import Record  # noqa: PLC0415

    ports = remembered(checkout)
    if ports is None:
        raise QuintetError(f"{checkout.settings} names no ports; `quintet up` writes it.", exit_code=Exit.USAGE)
    sandbox = LiveSandbox(checkout, ports)
    control = Control(sandbox, token := secrets.token_urlsafe(32))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, control.stopping.set)
    runner = web.AppRunner(control.application(), access_log=None, shutdown_timeout=_HANG_UP_SECONDS)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    Record.mine(int(runner.addresses[0][1]), token, fingerprint()).write(checkout)
    _log.info("started, pid %d", Record.mine(0, "", "").pid)
    try:
        await control.stopping.wait()
        _log.info("stopping")
    finally:
        await sandbox.stop()
        await runner.cleanup()
        checkout.record.unlink(missing_ok=True)
        _log.info("stopped")


if __name__ == "__main__":
    code = main(sys.argv[1:])
    logging.shutdown()
    # All has ended by now. To take the modules of the SDKs apart one by one would keep `quintet down` waiting.
    os._exit(code)
