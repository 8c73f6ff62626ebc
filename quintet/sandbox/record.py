"""`.quintet/daemon.json`: how to reach the daemon of a checkout, and whether it is still that process."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass

import psutil

from quintet.checkout import Checkout
from quintet.files import read_json, write_json

_SAME_SECONDS = 0.05
"""Start times are counted in clock ticks of 10 ms."""


@dataclass(frozen=True)
class Record:
    """A daemon as its file tells it.

    Attributes:
        pid: Its process.
        started: When that process began, in seconds since 1970: a pid alone may have been given to another since.
        port: The control API on 127.0.0.1.
        token: What a caller must show.
        fingerprint: The code it was started with.
    """

    pid: int
    started: float
    port: int
    token: str
    fingerprint: str

    @classmethod
    def mine(cls, port: int, token: str, fingerprint: str) -> Record:
        """The record of the process that calls."""
        return cls(os.getpid(), psutil.Process().create_time(), port, token, fingerprint)

    @classmethod
    def of(cls, checkout: Checkout) -> Record | None:
        """The record of a daemon that runs; None when there is none, or a stale or unreadable one."""
        kept = read_json(checkout.record)
        try:
            record = cls(**kept) if kept else None
        except TypeError:
            return None
        return record if record and record.process() else None

    def write(self, checkout: Checkout) -> None:
        """Keeps it, readable by this user alone."""
        write_json(checkout.record, asdict(self))

    def process(self) -> psutil.Process | None:
        """The process, or None when it has ended."""
        return running(self.pid, self.started)


def running(pid: int, started: float) -> psutil.Process | None:
    """The process of that pid and start time, or None when it has ended (a zombie has)."""
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - started) > _SAME_SECONDS or process.status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.NoSuchProcess:
        return None
    return process
