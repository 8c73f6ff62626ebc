"""A cluster that forwards connections, and what stands behind it, as far as a load balancer sees them."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

METHODS = ("DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT")
Answer = tuple[int, dict[str, str], bytes]


class Backend:
    """An HTTP server that notes what reaches it."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.connections = 0
        self.answer: Callable[[], Answer] = lambda: (200, {"Content-Type": "text/plain"}, b"hello")
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def setup(self) -> None:
                backend.connections += 1
                super().setup()

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                backend.requests.append((self.command, self.path, headers, body))
                status, given, content = backend.answer()
                self.send_response(status)
                for name, value in {**given, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        for method in METHODS:
            setattr(Handler, f"do_{method}", Handler.handle_any)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def sleeps(self, seconds: float) -> None:
        def answer() -> Answer:
            time.sleep(seconds)
            return 200, {}, b"late"

        self.answer = answer

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class FakeCluster:
    """Stands for `World.kubernetes`; its contract is quintet.sandbox.listeners.DataPlane."""

    def __init__(self, address: str | None) -> None:
        self.address = address
        self.open: dict[str, tuple[str, dict[str, Any]]] = {}

    def add_listener(self, listener_arn: str, target_group_arn: str, health_check: dict[str, Any]) -> None:
        self.open[listener_arn] = (target_group_arn, health_check)

    def remove_listener(self, listener_arn: str) -> None:
        self.open.pop(listener_arn, None)

    def listener_address(self, listener_arn: str) -> str | None:
        return self.address if listener_arn in self.open else None
