"""A process group that can be frozen, thawed and killed whole, as Lambda does with an execution environment."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

_MIB = 1024 * 1024


def descendants(pid: int) -> list[int]:
    """Children of a process and their children, read from the kernel without a walk through all of /proc."""
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                for child in map(int, (thread / "children").read_text().split()):
                    found += [child, *descendants(child)]
    return found


class ProcessGroup:
    """A process, leader of a session of its own, and everything it starts.

    A child that leaves the group (`setsid`) is still frozen and killed with it as long as its parents live.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        output: int,
        on_exit: Callable[[int], None],
    ) -> None:
        """Starts the process.

        Args:
            command: program and arguments.
            environment: the whole environment.
            folder: working directory.
            output: file descriptor that gets stdout and stderr; the caller closes its own copy.
            on_exit: called in the loop with the return code (negative: the signal) once the leader has ended.
        """
        self._on_exit = on_exit
        self._process = subprocess.Popen(  # noqa: S603  the command is the interpreter and the declared handler
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._exited = asyncio.Event()
        self._outside: list[int] = []
        self._peak_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._pidfd = os.pidfd_open(self.pid)
        self._loop.add_reader(self._pidfd, self._reap)

    @property
    def running(self) -> bool:
        """Whether the leader has not ended."""
        return not self._exited.is_set()

    def freeze(self) -> None:
        """Stops every process of the group: no thread of it runs until `thaw`."""
        if not self.running:
            return
        self._signal(signal.SIGSTOP)
        self._outside = [pid for pid in descendants(self.pid) if _group_of(pid) != self.pid]
        for pid in self._outside:
            _send(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen group run again."""
        if not self.running:
            return
        for pid in self._outside:
            _send(pid, signal.SIGCONT)
        self._outside = []
        self._signal(signal.SIGCONT)

    async def ended(self) -> None:
        """Waits until the leader has ended."""
        await self._exited.wait()

    def tell(self, number: signal.Signals) -> None:
        """Sends the leader a signal, as long as it runs."""
        if self.running:
            _send(self.pid, number)

    def kill(self) -> None:
        """Kills the group at once, frozen or not."""
        if not self.running:
            return
        family = descendants(self.pid)
        self._signal(signal.SIGKILL)
        for pid in family:
            _send(pid, signal.SIGKILL)

    async def end(
        self, *, grace_seconds: float, number: signal.Signals = signal.SIGTERM, leader_only: bool = False
    ) -> None:
        """Asks the group to end, or its leader alone as a container engine does; kills what has not in time."""
        if self.running:
            family = descendants(self.pid)
            if leader_only:
                self.tell(number)
            else:
                self._signal(number)
                self._signal(signal.SIGCONT)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._exited.wait(), grace_seconds)
            self.kill()
            for pid in family:
                _send(pid, signal.SIGKILL)
        await self._exited.wait()

    def memory_mb(self) -> int:
        """Resident memory of the group now, in MiB; what children share with others is counted once."""
        total = 0
        with suppress(psutil.NoSuchProcess):
            total = psutil.Process(self.pid).memory_info().rss
        for pid in descendants(self.pid):
            with suppress(psutil.NoSuchProcess):
                memory = psutil.Process(pid).memory_info()
                total += memory.rss - memory.shared
        self._peak_bytes = max(self._peak_bytes, total)
        return total // _MIB

    def peak_memory_mb(self) -> int:
        """The most resident memory so far, in MiB: the kernel's mark of the leader, or more if seen of all."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    self._peak_bytes = max(self._peak_bytes, int(line.split()[1]) * 1024)
        return self._peak_bytes // _MIB

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        # The leader is a zombie still, so its group's number cannot yet be another's.
        self._signal(signal.SIGKILL)
        returncode = self._process.wait()
        self._exited.set()
        self._on_exit(returncode)


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
