"""The Runtime API of one process, on a loopback port of its own, with the Extensions API beside it."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from quintet.sandbox.functions.answers import RESPONSE_LIMIT_BYTES, Answer, Invocation, response_too_large
from quintet.sandbox.functions.extensions import Extensions
from quintet.sandbox.functions.spec import FunctionSpec

PREFIX = "/2018-06-01/runtime"


class RuntimeEvents(Protocol):
    """Who is told what the runtime did."""

    def settled(self) -> None:
        """The runtime and all extensions have asked for their next event."""

    def init_failed(self, answer: Answer) -> None:
        """The runtime could not load the handler."""

    def extension_failed(self, kind: str, error_type: str) -> None:
        """An extension gave up."""


class RuntimeApi:
    """Serves one process: hands it invocations and takes its answers."""

    def __init__(
        self, spec: FunctionSpec, events: RuntimeEvents, *, accept: Callable[[Invocation, Answer], None]
    ) -> None:
        """Prepares the API of one process.

        Args:
            spec: the function.
            events: who is told what happens.
            accept: given each answer of the runtime, before the runtime is told that it was taken.
        """
        self._events, self._accept = events, accept
        self._extensions = Extensions(spec, on_change=self._changed, on_error=events.extension_failed)
        self._asked: asyncio.Future[Invocation] | None = None
        self._busy = True
        self._current: Invocation | None = None
        self._runner = self._make_runner()
        self.address = ""

    async def start(self) -> None:
        """Listens; `address` is then `host:port`, as AWS_LAMBDA_RUNTIME_API has it."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.address = f"{host}:{port}"

    async def stop(self) -> None:
        """Closes the port and what waits on it."""
        _let_go(self._asked)
        self._extensions.let_go()
        await self._runner.cleanup()

    def deliver(self, invocation: Invocation) -> None:
        """Hands an invocation to the waiting runtime and extensions.

        Raises:
            RuntimeError: when the runtime does not wait for one, a fault of the caller.
        """
        if self._asked is None or self._asked.done():
            raise RuntimeError("the runtime has not asked for an invocation")
        self._current, self._busy = invocation, True
        self._extensions.deliver(invocation)
        self._asked.set_result(invocation)

    def _make_runner(self) -> web.AppRunner:
        # The limits of Lambda are applied here, in its words; aiohttp's own would answer first.
        application = web.Application(client_max_size=0)
        application.add_routes(
            [
                web.get(f"{PREFIX}/invocation/next", self._next),
                web.post(f"{PREFIX}/invocation/{{request_id}}/response", self._response),
                web.post(f"{PREFIX}/invocation/{{request_id}}/error", self._error),
                web.post(f"{PREFIX}/init/error", self._init_error),
                *self._extensions.routes(),
            ]
        )
        return web.AppRunner(application, access_log=None, shutdown_timeout=1)

    def _changed(self) -> None:
        if not self._busy and self._extensions.settled:
            self._events.settled()

    async def _next(self, _request: web.Request) -> web.Response:
        self._extensions.close_registration()
        _let_go(self._asked)  # asked twice: the earlier connection is lost
        self._asked = asyncio.get_running_loop().create_future()
        self._busy = False
        self._changed()
        invocation = await self._asked
        return web.Response(body=invocation.event, content_type="application/json", headers=_headers(invocation))

    async def _response(self, request: web.Request) -> web.Response:
        refusal, invocation = self._awaited(request)
        if invocation is None:
            return refusal
        body, size = await _read_up_to(request, RESPONSE_LIMIT_BYTES)
        if size > RESPONSE_LIMIT_BYTES:
            self._accept(invocation, response_too_large(size))
            message = f"Exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes)."
            return _refused(413, "RequestEntityTooLarge", message)
        self._accept(invocation, Answer(body, request.content_type))
        return _accepted()

    async def _error(self, request: web.Request) -> web.Response:
        refusal, invocation = self._awaited(request)
        if invocation is None:
            return refusal
        self._accept(invocation, await _error_of(request, "Function.Unknown"))
        return _accepted()

    async def _init_error(self, request: web.Request) -> web.Response:
        answer = await _error_of(request, "Runtime.InitError")
        if self._asked is not None:
            return _refused(403, "InvalidStateTransition", "the runtime has asked for an invocation: its init is over")
        self._events.init_failed(answer)
        return _accepted()

    def _awaited(self, request: web.Request) -> tuple[web.Response, Invocation | None]:
        """The invocation that the runtime may answer now, or why it may not."""
        current = self._current
        if current is None or current.request_id != request.match_info["request_id"]:
            return _refused(400, "InvalidRequestID", "Invalid request ID"), None
        if current.answered:
            return _refused(403, "InvalidStateTransition", "this invocation has been answered"), None
        return _accepted(), current


def _let_go(asked: "asyncio.Future[Invocation] | None") -> None:
    """Ends a wait for an invocation that will not come."""
    if asked and not asked.done():
        asked.set_exception(web.HTTPServiceUnavailable())


async def _error_of(request: web.Request, unknown: str) -> Answer:
    error_type = request.headers.get("Lambda-Runtime-Function-Error-Type") or unknown
    return Answer(await request.read(), request.content_type, error_type)


async def _read_up_to(request: web.Request, limit_bytes: int) -> tuple[bytes, int]:
    """The body, kept only as far as the limit, and its whole size; a chunked upload has no size before its end."""
    kept, size = bytearray(), 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size <= limit_bytes:
            kept += chunk
    return bytes(kept), size


def _headers(invocation: Invocation) -> dict[str, str]:
    return {
        "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
        "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
        "Lambda-Runtime-Invoked-Function-Arn": invocation.invoked_arn,
        "Lambda-Runtime-Trace-Id": invocation.trace_id,
    }


def _accepted() -> web.Response:
    return web.json_response({"status": "OK"}, status=202)


def _refused(status: int, error_type: str, message: str) -> web.Response:
    return web.json_response({"errorType": error_type, "errorMessage": message}, status=status)
