"""Runs a command until the process that started this one ends, however that one ends: `keeper.py COMMAND ...`.

The parent holds the other end of this program's standard input; the kernel closes it when the parent is gone. Only the
standard library is imported: this lives as long as the sandbox does.
"""

import os
import selectors
import signal
import subprocess
import sys

GRACE_SECONDS = 5.0


def main(command: list[str]) -> int:
    """Wait for the end of the command or of standard input; SIGTERM ends the command."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  the sandbox's own command
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: child.terminate())
    with selectors.DefaultSelector() as selector:
        for source in (sys.stdin.fileno(), os.pidfd_open(child.pid)):
            selector.register(source, selectors.EVENT_READ)
        selector.select()
    _end(child)
    return child.returncode


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
