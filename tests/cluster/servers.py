"""A Kubernetes API server of the tests' own over Debian's etcd: it judges every object and runs none."""

import secrets
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.ports import free_port

START_SECONDS = 90.0  # 3 s on a machine that does nothing else
STOP_SECONDS = 20.0
SERVICES = "10.96.0.0/16"


class StartError(Exception):
    """A server did not start; the message holds the end of its log."""


@dataclass(frozen=True)
class Access:
    """How to reach an API server.

    Attributes:
        url: Its address.
        token: Of a user who may do everything.
        trust: Knows its certificate and no other.
    """

    url: str
    token: str
    trust: ssl.SSLContext


@contextmanager
def running(etcd: str, kube_apiserver: str, folder: Path) -> Iterator[Access]:
    """Both servers, on loopback; their data is in `folder`.

    Raises:
        StartError: One of them did not start.
    """
    with ExitStack() as stack:
        store = f"http://127.0.0.1:{free_port()}"
        log = stack.enter_context(_process(_etcd(etcd, folder, store), folder / "etcd.log"))
        log.wait_until(lambda: httpx.get(f"{store}/health").json()["health"] == "true")

        access, command = _apiserver(kube_apiserver, folder, store)
        log = stack.enter_context(_process(command, folder / "kube-apiserver.log"))
        log.wait_until((folder / "certificates" / "apiserver.crt").exists)
        access.trust.load_verify_locations(folder / "certificates" / "apiserver.crt")
        log.wait_until(lambda: httpx.get(f"{access.url}/readyz", verify=access.trust).text == "ok")
        yield access


def _etcd(program: str, folder: Path, store: str) -> list[str]:
    peers = f"http://127.0.0.1:{free_port()}"
    return [
        program,
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={store}",
        f"--advertise-client-urls={store}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",  # what is lost with the machine is a test's
    ]


def _apiserver(program: str, folder: Path, store: str) -> tuple[Access, list[str]]:
    port, token = free_port(), secrets.token_urlsafe(32)
    access = Access(f"https://127.0.0.1:{port}", token, ssl.create_default_context())
    users = _private(folder / "tokens.csv", f'{token},admin,admin,"system:masters"\n'.encode())
    key = _private(folder / "service-accounts.pem", _private_key())
    return access, [
        program,
        f"--etcd-servers={store}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",  # it makes its own
        f"--token-auth-file={users}",
        "--authorization-mode=Node,RBAC",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={SERVICES}",
        # Beside those that are on by default: Pod Security, quotas, limits, priorities, service accounts.
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",  # as on EKS: it is Pod Security that refuses
        "--endpoint-reconciler-type=none",
    ]


def _private(path: Path, content: bytes) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path


def _private_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@dataclass(frozen=True)
class _Started:
    process: subprocess.Popen[bytes]
    log: Path

    def wait_until(self, answers: Callable[[], bool]) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise StartError(f"{self._name} ended with {self.process.returncode}: {self._end}")
            try:
                if answers():
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise StartError(f"{self._name} was not ready after {START_SECONDS} s: {self._end}")

    @property
    def _name(self) -> str:
        return self.log.stem

    @property
    def _end(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[_Started]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=log.parent)
    try:
        yield _Started(process, log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
