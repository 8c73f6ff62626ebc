"""One server of a cache: redis-server or valkey-server as a process of this machine, with TLS on a loopback address.

It runs as a cluster of one node that has every slot, so that a command over keys of several slots fails here as it
does on ElastiCache Serverless. Nothing is written to disk: what a cache held is gone when the sandbox ends.
"""

import secrets
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from quintet.sandbox.caches import keeper
from quintet.sandbox.caches.certificates import Authority
from quintet.sandbox.engine.errors import SandboxError

PORT = 6379
"""Of ElastiCache Serverless; each cache has an address of its own, so that declared ports stay as declared."""

START_SECONDS = 15.0
_POLL_SECONDS = 0.05
_STOP_SECONDS = 10.0
_ANSWER_SECONDS = 5.0
_CARETAKER = "quintet-sandbox"
_NODE = "0" * 40
_LAST_SLOT = 16_383
_LOG_LINES = 5


class CacheError(SandboxError):
    """A cache's server did not start, or refuses what is declared."""


class Server:
    """A server; its methods block.

    Attributes:
        folder: Its certificate, its users, its log.
        address: Where it answers.
    """

    def __init__(self, program: str, folder: Path, address: str, authority: Authority) -> None:
        """Nothing runs yet."""
        self.folder, self.address = folder, address
        self._program, self._authority = program, authority
        self._secret = secrets.token_hex(32)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self, users: list[str], max_bytes: int) -> None:
        """Start it and wait until it takes keys.

        Args:
            users: Lines of an ACL.
            max_bytes: Beyond it evicts what has a time to live; 0 for no limit.

        Raises:
            CacheError: It ended, or does not answer; the message has its last words.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._authority.sign(self.address, self.folder / "server.pem", self.folder / "server.key")
        self._write_users(users)
        slots = f"{_NODE} {self.address}:{PORT}@{PORT + 10_000} myself,master - 0 0 1 connected 0-{_LAST_SLOT}"
        (self.folder / "nodes.conf").write_text(f"{slots}\nvars currentEpoch 1 lastVoteEpoch 0\n")
        (self.folder / "server.conf").write_text(self._configuration(max_bytes))
        with (self.folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and the server that was found
                [sys.executable, "-I", "-S", keeper.__file__, self._program, str(self.folder / "server.conf")],
                stdin=subprocess.PIPE,  # closed by the kernel when this process ends: then the server ends, too
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def change_users(self, users: list[str]) -> None:
        """Have it know these users from now on."""
        self._write_users(users)
        self._told("ACL LOAD")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            with suppress(OSError):
                self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stdin:
                self._process.stdin.close()

    def _configuration(self, max_bytes: int) -> str:
        folder = self.folder
        lines = [
            f"bind {self.address}",
            "port 0",
            f"tls-port {PORT}",
            f'tls-cert-file "{folder}/server.pem"',
            f'tls-key-file "{folder}/server.key"',
            f'tls-ca-cert-file "{self._authority.certificate}"',
            "tls-auth-clients no",
            "tls-cluster yes",
            "cluster-enabled yes",
            "cluster-config-file nodes.conf",
            f"cluster-announce-ip {self.address}",
            f'aclfile "{folder}/users.acl"',
            f'dir "{folder}"',
            'save ""',
            "appendonly no",
            f"maxmemory {max_bytes}",
            # What ElastiCache Serverless does at its limit (user guide, "Scaling ElastiCache Serverless").
            "maxmemory-policy volatile-lru",
        ]
        return "\n".join(lines) + "\n"

    def _write_users(self, users: list[str]) -> None:
        hashed = sha256(self._secret.encode()).hexdigest()
        own = f"user {_CARETAKER} on #{hashed} +cluster|info +acl|load"
        path = self.folder / "users.acl"
        path.touch(mode=0o600)
        path.write_text("\n".join([own, *users]) + "\n")

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.running:
                raise CacheError(f"the cache's server ended at once: {self._last_words()}")
            with suppress(OSError):
                if "cluster_state:ok" in self._told("CLUSTER INFO"):
                    return
            time.sleep(_POLL_SECONDS)
        raise CacheError(f"the cache's server did not answer in {START_SECONDS:.0f} s: {self._last_words()}")

    def _told(self, command: str) -> str:
        """The answer to one command of the caretaker.

        Raises:
            CacheError: The server refuses it.
            OSError: It does not answer.
        """
        context = ssl.create_default_context(cafile=str(self._authority.certificate))
        with (
            socket.create_connection((self.address, PORT), _ANSWER_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=self.address) as connection,
        ):
            connection.sendall(f"AUTH {_CARETAKER} {self._secret}\r\n{command}\r\nQUIT\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
        if "\r\n-" in f"\r\n{answer}":
            raise CacheError(f"the cache's server refuses `{command}`: {answer.strip().splitlines()[-1]}")
        return answer

    def _last_words(self) -> str:
        lines = (self.folder / "server.log").read_text(errors="replace").splitlines()
        return " / ".join(lines[-_LOG_LINES:]) or "(it said nothing)"
