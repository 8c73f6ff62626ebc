"""The ports of a checkout: the same on every start, as URLs and functions remember them."""

from __future__ import annotations

import socket
import time
from dataclasses import asdict, dataclass

import psutil

from quintet.checkout import Checkout
from quintet.errors import Exit, QuintetError
from quintet.files import read_json, write_json

HOST = "127.0.0.1"
DEFAULT_PORT = 4566
_NEXT_TO_DEFAULT = range(DEFAULT_PORT + 1, DEFAULT_PORT + 200)
_RELEASE_SECONDS = 15.0
"""How long an emulator whose daemon was killed may take to save its state, end and free its port."""


@dataclass(frozen=True)
class Ports:
    """Where the sandbox answers on 127.0.0.1.

    Attributes:
        emulator: The emulated AWS, and so every service.
        functions: The front of the Lambda functions.
        providers: The resource providers of the real engine.
    """

    emulator: int
    functions: int
    providers: int


def remembered(checkout: Checkout) -> Ports | None:
    """The ports of the last start, or None before the first."""
    kept = read_json(checkout.settings) or {}
    try:
        return Ports(int(kept["emulator"]), int(kept["functions"]), int(kept.get("providers", 0)))
    except (KeyError, ValueError, TypeError):
        return None


def choose(checkout: Checkout, wanted: int | None) -> Ports:
    """The ports to start on, kept for the next time: `wanted`, those of the last start, or free ones.

    Raises:
        QuintetError: The port that must be used is held by another process, which the message names.
    """
    before = remembered(checkout)
    emulator = _emulator_port(wanted, before)
    functions = before.functions if before and _free(before.functions) else _any_free()
    providers = before.providers if before and before.providers and _free(before.providers) else _any_free()
    ports = Ports(emulator, functions, providers)
    write_json(checkout.settings, asdict(ports))
    return ports


def _emulator_port(wanted: int | None, before: Ports | None) -> int:
    port = wanted or (before.emulator if before else DEFAULT_PORT)
    if _free_soon(port):
        return port
    if wanted is None and before is None:
        return next(filter(_free, _NEXT_TO_DEFAULT), None) or _any_free()
    raise QuintetError(
        f"Port {port} is in use by {holder(port)}.",
        advice=f"Stop that process, or choose another port: `quintet up --port {port + 1} --fresh`.",
        exit_code=Exit.PORT_IN_USE,
    )


def _free_soon(port: int) -> bool:
    deadline = time.monotonic() + _RELEASE_SECONDS
    while not _free(port):
        if not _held_by_an_orphan(port) or time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _any_free() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _port_of(address: object) -> int | None:
    return getattr(address, "port", None)


def _listener(port: int) -> psutil.Process | None:
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and _port_of(connection.laddr) == port and connection.pid:
            try:
                return psutil.Process(connection.pid)
            except psutil.NoSuchProcess:
                return None
    return None


def _held_by_an_orphan(port: int) -> bool:
    """Whether the holder has lost its parent, as an emulator has for the moment after its daemon was killed."""
    process = _listener(port)
    try:
        return process is None or process.ppid() == 1
    except psutil.NoSuchProcess:
        return True


def holder(port: int) -> str:
    """The process that listens on a port, as a person would look for it."""
    process = _listener(port)
    if process is None:
        return "another user's process"
    try:
        words = " ".join(process.cmdline()[:4]) or process.name()
        return f"`{words}` (pid {process.pid}, in {process.cwd()})"
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return f"pid {process.pid}"
