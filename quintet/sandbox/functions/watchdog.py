"""Ends the processes of functions when the sandbox itself has been killed.

Run as a program of its own (`watchdog.py MARK PARENT`), in a session of its own, with a pipe from the sandbox as its
input. The end of that pipe, or of its parent, means that the sandbox is gone; frozen processes cannot notice it.
What belongs to the sandbox is known by the mark in AWS_LAMBDA_LOG_STREAM_NAME, which every process of a function
inherits and no function may set. Only the standard library is imported: this lives as long as the sandbox does.
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_VARIABLE = b"AWS_LAMBDA_LOG_STREAM_NAME="


def marked_processes(mark: str) -> list[int]:
    """Processes whose log stream bears the mark: `YYYY/MM/DD/[version]MARK...`."""
    return [
        int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit() and _is_marked(folder, mark)
    ]


def kill_marked(mark: str) -> None:
    """Kills every marked process, again until none is left: a fork may be under way."""
    while found := marked_processes(mark):
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _is_marked(folder: Path, mark: str) -> bool:
    try:
        variables = (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(v.startswith(_VARIABLE) and b"]" + mark.encode() in v for v in variables)


def _wait_for_the_end_of(parent: int) -> None:
    while os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin], [], [], 1.0)
        if readable and not os.read(sys.stdin.fileno(), 1):
            return


def main() -> None:
    """Waits for the end of the sandbox, then kills what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    mark, parent = sys.argv[1], int(sys.argv[2])
    _wait_for_the_end_of(parent)
    kill_marked(mark)
    time.sleep(0.1)  # a process that was being started when the sandbox was killed
    kill_marked(mark)


if __name__ == "__main__":
    main()
