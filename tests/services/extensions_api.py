"""Stands in for Lambda's Runtime and Extensions APIs.

The contract, from https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html and runtimes-api.html:
`register` answers 200 with Lambda-Extension-Identifier and knows only INVOKE for an extension inside the runtime;
`event/next` and `invocation/next` block until an invocation begins; an invocation ends, and the function may freeze,
once the runtime and every registered extension ask for the next one.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Invocation:
    """One event on its way through the function; times are of time.monotonic()."""

    event: Any
    id: str
    answered: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    response: Any = None
    error: Any = None
    answered_at: float = 0.0
    ended_at: float = 0.0


class LambdaApis:
    """The APIs at `address`; `invoke` plays Lambda handing an event in."""

    def __init__(self, *, refuse_extensions: bool = False, timeout_seconds: float = 30) -> None:
        self.refuse_extensions = refuse_extensions
        self.timeout_seconds = timeout_seconds
        self.registered: list[dict] = []
        self._runtime: queue.Queue[Invocation] = queue.Queue()
        self._extension: queue.Queue[Invocation] = queue.Queue()
        self._current: Invocation | None = None
        self._lock = threading.Lock()
        self._asked = {"runtime": threading.Event(), "extension": threading.Event()}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def wait_for_init(self, seconds: float = 30) -> None:
        """Until the runtime and the extension ask for an event: the function has initialised, or done the last."""
        assert self._asked["runtime"].wait(seconds), "the runtime did not ask for an event"
        if self.registered:
            assert self._asked["extension"].wait(seconds), "the extension did not ask for an event"

    def begin(self, event: Any) -> Invocation:
        """Hands an event to the extension alone, as a test without a runtime needs it."""
        invocation = Invocation(event, f"request-{time.monotonic_ns()}")
        with self._lock:
            self._current = invocation
            for asked in self._asked.values():
                asked.clear()
        if self.registered:
            self._extension.put(invocation)
        return invocation

    def invoke(self, event: Any) -> Invocation:
        """Hands an event in; `answered` is set with the response, `ended` when everybody asks for the next."""
        self.wait_for_init()
        invocation = self.begin(event)
        self._runtime.put(invocation)
        return invocation

    def _next(self, who: str) -> Invocation:
        """Blocks until an event is handed in; asking again says that the last one is done."""
        with self._lock:
            self._asked[who].set()
            current = self._current
            parties = ["runtime", *(["extension"] if self.registered else [])]
            if current and all(self._asked[party].is_set() for party in parties):
                current.ended_at = time.monotonic()
                current.ended.set()
        return (self._runtime if who == "runtime" else self._extension).get()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One packet an answer: header and body apart would wait 40 ms for the client's delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def __init__(self, apis: LambdaApis, *args) -> None:
        self.apis = apis
        super().__init__(*args)

    def log_message(self, *_args) -> None:
        pass

    def do_GET(self) -> None:
        routes = {
            "/2020-01-01/extension/event/next": self._event_next,
            "/2018-06-01/runtime/invocation/next": self._invocation_next,
        }
        routes[self.path]()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/2020-01-01/extension/register":
            self._register(body)
        else:
            self._answered(body, failed=self.path.endswith("/error"))

    def _event_next(self) -> None:
        if self.headers["Lambda-Extension-Identifier"] != "id-1":
            self._send(403, {"errorType": "Extension.UnknownExtensionIdentifier"})
            return
        invocation = self.apis._next("extension")
        self._send(200, {"eventType": "INVOKE", "requestId": invocation.id, "deadlineMs": self._deadline()})

    def _invocation_next(self) -> None:
        invocation = self.apis._next("runtime")
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Deadline-Ms": str(self._deadline()),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:moderation",
            "Lambda-Runtime-Trace-Id": "Root=1-5e1b4151-43a0913a12345678;Sampled=0",
        }
        self._send(200, invocation.event, headers)

    def _register(self, body: dict) -> None:
        if self.apis.refuse_extensions or body["events"] != ["INVOKE"]:
            self._send(403, {"errorType": "Extension.RegistrationError"})
            return
        self.apis.registered.append({"name": self.headers["Lambda-Extension-Name"], **body})
        self._send(200, {"functionName": "moderation"}, {"Lambda-Extension-Identifier": "id-1"})

    def _answered(self, body: Any, *, failed: bool) -> None:
        current = self.apis._current or Invocation({}, "init")
        current.answered_at = time.monotonic()
        if failed:
            current.error = body
        else:
            current.response = body
        current.answered.set()
        self._send(202, {})

    def _deadline(self) -> int:
        return int((time.time() + self.apis.timeout_seconds) * 1000)

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
