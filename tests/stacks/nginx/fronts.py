"""The declared configuration under the real nginx of this machine, with real servers behind it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from quintet.sandbox.kubernetes.nginx import Place, translate
from stacks.components.nginx_config import NginxArgs, Upstream, nginx_config

STABLE = Upstream(name="stable", host="sentiment.ns.svc.cluster.local", port=8000)
CANARY = Upstream(name="canary", host="sentiment-canary.ns.svc.cluster.local", port=8000)
ROUTES = ("/predict", "/predict/batch", "/healthz", "/readyz", "/model/info")
_SECONDS = 10.0


def args(**changes: Any) -> NginxArgs:
    """What sentiment's nginx is given, with changes."""
    given = {"stable": STABLE, "readiness_path": "/readyz", "routes": ROUTES, "resolver": "172.20.0.10"}
    return NginxArgs(**(given | {"trusted": ("10.40.192.0/21",), "rate": 10_000, "burst": 10_000} | changes))


class _Server(ThreadingHTTPServer):
    """Knows its connections, which outlive it else."""

    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self.connections: list[socket.socket] = []
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.append(request)
        super().process_request(request, client_address)


class Backend:
    """A pod: answers everything with its name, or as it is told, and keeps what it was sent."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.status, self.seen = name, 200, list[dict[str, Any]]()
        self.busy_seconds = 0.0
        self.server = _Server((address, 0), self._handler())
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self.server.server_address[:2]
        return str(host), int(port)

    def stop(self) -> None:
        """Neither listens nor answers on connections that are open."""
        self.server.shutdown()
        self.server.server_close()
        for connection in self.server.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _handler(backend) -> type[BaseHTTPRequestHandler]:  # noqa: N805  `self` is the handler's below
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                backend.seen.append({"path": self.path, "headers": dict(self.headers.items()), "body": body})
                time.sleep(backend.busy_seconds)
                answer = json.dumps({"pod": backend.name, "filler": "x" * 2000}).encode()
                self.send_response(backend.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_GET  # noqa: N815  as http.server calls it

            def log_message(self, *_: object) -> None:
                return

        return Handler


@dataclass(frozen=True)
class Answer:
    """What a caller got."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def pod(self) -> str:
        return str(json.loads(self.body)["pod"])


@dataclass
class Front:
    """nginx, running."""

    address: str
    folder: Path
    process: subprocess.Popen[bytes]
    port: int
    log: list[str] = field(default_factory=list)

    def call(
        self,
        method: str = "POST",
        path: str = "/predict",
        body: bytes = b"{}",
        source: str = "127.0.0.1",
        **headers: str,
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection(self.address, self.port, timeout=_SECONDS, source_address=(source, 0))
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def lines(self, count: int) -> list[dict[str, Any]]:
        """The access log, every line as JSON, once it has so many: nginx answers first and writes then."""
        deadline = time.monotonic() + _SECONDS
        while len(self.output().splitlines()) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return [json.loads(line) for line in self.output().splitlines()]

    def output(self) -> str:
        """All that it has written."""
        return (self.folder / "output").read_text()

    def stop(self) -> None:
        """Ends it and waits."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(_SECONDS)


def start(program: str, folder: Path, config: NginxArgs, pods: Mapping[str, list[Backend]], port: int) -> Front:
    """Starts nginx with the configuration for these pods, by the names that lead to them."""
    address = "127.0.0.1"
    text = nginx_config(config).replace("listen 8080", f"listen {port}")
    place = Place(
        address=address,
        balancer="127.0.0.9",
        pid_file=str(folder / "nginx.pid"),
        local=lambda part: part.replace("/tmp/", f"{folder}/"),
        endpoints=lambda host, _: [pod.endpoint for pod in pods.get(host, [])],
        as_root=os.geteuid() == 0,
    )
    file = folder / "nginx.conf"
    file.write_text(translate(text, place))
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen([program, "-c", str(file), "-g", "daemon off;"], stdout=output, stderr=output)
    front = Front(address, folder, process, port)
    _wait_for(front)
    return front


def _wait_for(front: Front) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        try:
            front.call("GET", "/nginx-health")
        except OSError:
            assert front.process.poll() is None, front.output()
            time.sleep(0.02)
        else:
            return
    raise AssertionError(front.output())
