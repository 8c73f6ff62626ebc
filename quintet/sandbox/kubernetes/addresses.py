"""Loopback addresses for pods and load balancers: Linux answers on the whole of 127.0.0.0/8.

So each pod has the ports that it declares, as on a cluster, and two replicas do not meet on one.
"""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Iterable

from quintet.sandbox.kubernetes.errors import KubernetesError

_TRIES = 50
_FIRST, _BEYOND = 16, 254
"""Second part of the addresses; other programs of a machine take the low ones."""


class Addresses:
    """Gives out addresses, none twice; another sandbox of this machine finds others by chance and by asking."""

    def __init__(self) -> None:
        """None given out."""
        self._taken: set[str] = set()

    def take(self, ports: Iterable[int] = ()) -> str:
        """A free address on which the ports are free, too.

        Raises:
            KubernetesError: A port is taken on every address, as by a process that listens on all of them.
        """
        wanted, problem = tuple(ports), ""
        for _ in range(_TRIES):
            address = _random()
            if address in self._taken:
                continue
            problem = next((found for port in wanted if (found := _problem(address, port))), "")
            if not problem:
                self._taken.add(address)
                return address
        raise KubernetesError(f"no loopback address is free: {problem}")

    def give_back(self, address: str) -> None:
        """Lets an address be given out again."""
        self._taken.discard(address)


def _random() -> str:
    second = _FIRST + secrets.randbelow(_BEYOND - _FIRST)
    return f"127.{second}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"


def _problem(address: str, port: int) -> str:
    """Why a process could not listen there; empty when it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno in {errno.EACCES, errno.EPERM}:
                return f"port {port} is below 1024, which this user may not open; let the container use a higher one"
            return f"another process listens on port {port} of all addresses (0.0.0.0); stop it"
    return ""
