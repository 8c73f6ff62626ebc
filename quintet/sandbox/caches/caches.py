"""All caches of a sandbox, and the users that they know."""

import json
import logging
import re
import secrets
import shutil
import socket
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from quintet.files import read_json, write_json
from quintet.sandbox.caches.certificates import Authority
from quintet.sandbox.caches.server import PORT, CacheError, Server

__all__ = ["CacheError", "Caches", "Endpoint", "User"]

PROGRAMS = ("valkey-server", "redis-server")
TRUST_VARIABLE = "SSL_CERT_FILE"
"""Where OpenSSL, and so every client of a cache, looks for authorities; ElastiCache's own are public ones."""

_TRIES = 50
_LOG = logging.getLogger(__name__)
_SAFE = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True)
class Endpoint:
    """Where a cache answers."""

    address: str
    port: int = PORT


@dataclass(frozen=True)
class User:
    """A user, without the passwords: their SHA-256 is all that a server needs."""

    name: str
    access: str
    hashes: tuple[str, ...]

    @classmethod
    def of(cls, name: str, access: str, passwords: Iterable[str]) -> "User":
        """From the passwords; none: it needs none."""
        return cls(name, access, tuple(sha256(password.encode()).hexdigest() for password in passwords))

    @property
    def line(self) -> str:
        """For an ACL. What manages a server is ElastiCache's alone, whatever the user may."""
        ways_in = " ".join(f"#{each}" for each in self.hashes) or "nopass"
        return f"user {self.name} {ways_in} {self.access} -@admin"


class Caches:
    """The caches of one sandbox, safe from any thread. A server starts with `open` and ends with `close` or `stop`."""

    def __init__(self, folder: Path) -> None:
        """Nothing is made before the first user or cache."""
        self._folder = folder
        self._authority = Authority(folder)
        self._servers: dict[str, Server] = {}
        self._lock = threading.RLock()

    @property
    def missing(self) -> str | None:
        """What to say when this machine has no server; None when it has one."""
        if _program():
            return None
        return (
            f"No {' or '.join(PROGRAMS)} on this machine: caches are declared only, and nothing answers at their "
            "addresses (Debian: redis-server)."
        )

    def trust(self) -> Mapping[str, str]:
        """What the environment of a client needs to trust the caches; nothing while there is none."""
        path = self._authority.trusted
        return {TRUST_VARIABLE: str(path)} if path.exists() else {}

    def put_user(self, id_: str, user: User) -> None:
        """Make or change a user; caches that know it learn of it."""
        with self._lock:
            self._users.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_json(self._users / f"{_safe(id_)}.json", asdict(user))
            for name, server in self._servers.items():
                if id_ in self._kept(name).get("users", ()) and server.running:
                    server.change_users(self._lines(self._kept(name)["users"]))

    def delete_user(self, id_: str) -> None:
        """Forget a user."""
        (self._users / f"{_safe(id_)}.json").unlink(missing_ok=True)

    def open(self, name: str, users: Iterable[str], max_bytes: int) -> Endpoint:
        """Start a cache, or change a running one; it has the same address every time.

        Args:
            name: Its name.
            users: Ids of those that it knows.
            max_bytes: How much it holds; 0 for no limit.

        Raises:
            CacheError: A user is not there, or the server does not start.
        """
        with self._lock:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._authority.make()
            before = self._kept(name)
            endpoint = Endpoint(before.get("address") or _free_address())
            lines = self._lines(users := list(users))
            self._of(name).mkdir(mode=0o700, parents=True, exist_ok=True)
            write_json(self._of(name) / "cache.json", {"address": endpoint.address, "users": users, "max": max_bytes})
            self._run(name, endpoint, lines, max_bytes, same_size=before.get("max") == max_bytes)
            return endpoint

    def close(self, name: str) -> None:
        """End a cache and forget it."""
        with self._lock:
            if server := self._servers.pop(name, None):
                server.stop()
            shutil.rmtree(self._of(name), ignore_errors=True)

    def stop(self) -> None:
        """End every server; `open` starts it again."""
        with self._lock:
            for server in self._servers.values():
                server.stop()
            self._servers.clear()

    def _run(self, name: str, endpoint: Endpoint, lines: list[str], max_bytes: int, *, same_size: bool) -> None:
        server = self._servers.get(name)
        if server and server.running and same_size:
            server.change_users(lines)
            return
        if server:
            server.stop()
        if (program := _program()) is None:
            _LOG.warning("%s", self.missing)
            return
        self._servers[name] = server = Server(program, self._of(name), endpoint.address, self._authority)
        server.start(lines, max_bytes)

    def _lines(self, users: Iterable[str]) -> list[str]:
        known = [User(**json.loads(self._user(id_).read_text())) for id_ in users]
        off = [] if any(user.name == "default" for user in known) else ["user default off"]
        return [*off, *(user.line for user in known)]

    def _user(self, id_: str) -> Path:
        path = self._users / f"{_safe(id_)}.json"
        if not path.exists():
            raise CacheError(f"the cache's user {id_} does not exist")
        return path

    def _kept(self, name: str) -> dict[str, Any]:
        return read_json(self._of(name) / "cache.json") or {}

    def _of(self, name: str) -> Path:
        return self._folder / "of" / _safe(name)

    @property
    def _users(self) -> Path:
        return self._folder / "users"


def _program() -> str | None:
    return next((path for program in PROGRAMS if (path := shutil.which(program))), None)


def _safe(name: str) -> str:
    """A name as it may stand in a path.

    Raises:
        CacheError: It has characters that ElastiCache takes in no name.
    """
    if not _SAFE.fullmatch(name):
        raise CacheError(f"{name!r} is no name of a cache or a user: letters, digits and hyphens are allowed")
    return name


def _free_address() -> str:
    """A loopback address where nobody has the cache's port: Linux answers on the whole of 127.0.0.0/8."""
    for _ in range(_TRIES):
        address = f"127.{16 + secrets.randbelow(238)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, PORT))
            except OSError:
                continue
            return address
    raise CacheError(f"port {PORT} is taken on every loopback address that was tried; stop what listens on all of them")
