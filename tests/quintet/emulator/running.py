"""A real emulator on a free port, and a front that answers what a test tells it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from quintet.sandbox.emulator import Emulator
from quintet.sandbox.world import World
from tests.ports import free_port

Answer = tuple[int, dict[str, str], Any]


class StubFront:
    """Stands for the front of the functions; its contract is the docstring of quintet.sandbox.functions.front."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], Any]] = []
        self.connections = 0
        self.answer: Callable[[Any], Answer] = lambda event: (200, {}, {"statusCode": 200, "body": "hello"})
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                front.connections += 1
                super().setup()

            def do_POST(self) -> None:
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                front.calls.append((dict(self.headers), event))
                status, headers, body = front.answer(event)
                content = json.dumps(body).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def reset(self) -> None:
        self.calls.clear()
        self.connections = 0
        self.answer = lambda event: (200, {}, {"statusCode": 200, "body": "hello"})

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def running_world(home: Path, root: Path, front: StubFront | None = None) -> Iterator[World]:
    emulator = Emulator(home, free_port(), lambda_front=front.url if front else "")
    emulator.start()
    try:
        world = World(root, home, url=emulator.url)
        yield world
        world.close()
    finally:
        emulator.stop()


def error_code(error: Any) -> str:
    return str(error.value.response["Error"]["Code"])


TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def policy(*statements: tuple[str, str], effect: str = "Allow") -> str:
    made = [{"Effect": effect, "Action": action, "Resource": resource} for action, resource in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": made})
