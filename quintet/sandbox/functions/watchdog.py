"""Ends the processes of functions when the sandbox itself has been killed.

Run as a program of its own (`watchdog.py MARK PARENT`), in a session of its own, with a pipe from the sandbox as its
input. The end of that pipe, or of its parent, means that the sandbox is gone; frozen processes cannot notice it.
What belongs to the sandbox is known by the mark in AWS_LAMBDA_LOG_STREAM_NAME, which every process of a function
inherits and no function may set, or in QUINTET_SANDBOX, which containers of pods get. A program that writes its title
over its environment (nginx) is known by its session: through the pipe come lines `+PID` and `-PID` of leaders that
began and ended. Only the standard library is imported: this lives as long as the sandbox does.
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_VARIABLE = b"AWS_LAMBDA_LOG_STREAM_NAME="
_OF_A_POD = b"QUINTET_SANDBOX="
_SESSION = 3  # of the fields after the name in /proc/PID/stat: state, parent, group, session


def marked_processes(mark: str) -> list[int]:
    """Processes whose log stream bears the mark: `YYYY/MM/DD/[version]MARK...`."""
    return [
        int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit() and _is_marked(folder, mark)
    ]


def of_sessions(leaders: set[int]) -> list[int]:
    """Processes of the sessions that these lead or led."""
    return [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if leaders and folder.name.isdigit() and _session(folder) in leaders
    ]


def kill_marked(mark: str, leaders: set[int]) -> None:
    """Kills every process of the sandbox, again until none is left: a fork may be under way."""
    while found := [*marked_processes(mark), *of_sessions(leaders)]:
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _is_marked(folder: Path, mark: str) -> bool:
    try:
        variables = (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    of_a_pod = _OF_A_POD + mark.encode()
    return any(v == of_a_pod or (v.startswith(_VARIABLE) and b"]" + mark.encode() in v) for v in variables)


def _session(folder: Path) -> int:
    """The session of a process that is no zombie; 0 when it has ended."""
    try:
        state, *fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0
    return 0 if state == b"Z" else int(fields[_SESSION - 1])


def _wait_for_the_end_of(parent: int) -> set[int]:
    """Waits; the leaders of sessions that were still there at the end."""
    leaders: set[int] = set()
    rest = b""
    while os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin], [], [], 1.0)
        if not readable:
            continue
        data = os.read(sys.stdin.fileno(), 65536)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            (leaders.add if line.startswith(b"+") else leaders.discard)(int(line[1:]))
    return leaders


def main() -> None:
    """Waits for the end of the sandbox, then kills what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    mark, parent = sys.argv[1], int(sys.argv[2])
    leaders = _wait_for_the_end_of(parent)
    kill_marked(mark, leaders)
    time.sleep(0.1)  # a process that was being started when the sandbox was killed
    kill_marked(mark, leaders)


if __name__ == "__main__":
    main()
