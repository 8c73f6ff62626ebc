"""The front: one HTTP server that runs every image function of the sandbox, as the Lambda service does.

An invocation is a POST of the event with `X-Amzn-Lambda-Function-Arn` (with its version), and optionally
`X-Amzn-Lambda-Invoked-Function-Arn` (as the caller named it), `X-Amzn-Lambda-Request-Id` and `X-Amzn-Trace-Id`.
The answer is 200 with the payload, and with `X-Amz-Function-Error: Unhandled` when the function failed. What Lambda
itself refuses has its own status and `X-Amzn-ErrorType`: 400 (environment), 403 (role), 404 (no such function),
413 (event), 429 (throttled).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from quintet.sandbox.functions.answers import REQUEST_LIMIT_BYTES, Invocation, ThrottledError
from quintet.sandbox.functions.environment import InvalidEnvironmentError

FUNCTION_ARN = "X-Amzn-Lambda-Function-Arn"
INVOKED_ARN = "X-Amzn-Lambda-Invoked-Function-Arn"
REQUEST_ID = "X-Amzn-Lambda-Request-Id"
TRACE_ID = "X-Amzn-Trace-Id"


class RoleError(Exception):
    """The function's role cannot be assumed."""


class UnknownFunctionError(LookupError):
    """No such version of a function."""


class Front:
    """The HTTP side: reads invocations, writes answers."""

    def __init__(self, invoke: Callable[[str, Invocation], Awaitable[None]]) -> None:
        """Passes invocations on.

        Args:
            invoke: has the invocation of the function with this ARN answered, and returns when all its work is done.
        """
        self._invoke = invoke
        self._running: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, port: int) -> None:
        """Listens on a port of 127.0.0.1; 0 takes a free one."""
        application = web.Application(client_max_size=0)
        application.router.add_post("/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Ends the calls that are under way, and listens no more."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._runner:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        arn = request.headers.get(FUNCTION_ARN, "")
        if not arn:
            return _refused(400, "InvalidParameterValueException", f"the header {FUNCTION_ARN} is missing")
        event = await request.read()
        if len(event) > REQUEST_LIMIT_BYTES:
            message = f"Request must be smaller than {REQUEST_LIMIT_BYTES} bytes for the InvokeFunction operation"
            return _refused(413, "RequestEntityTooLargeException", message)
        invocation = Invocation(event, request.headers.get(INVOKED_ARN, arn))
        invocation.request_id = request.headers.get(REQUEST_ID) or invocation.request_id
        invocation.trace_id = request.headers.get(TRACE_ID) or invocation.trace_id
        self._begin(arn, invocation)
        return await _answered(invocation)

    def _begin(self, arn: str, invocation: Invocation) -> None:
        """Runs the invocation beside the request: work may go on after the answer, or without a caller."""
        task = asyncio.ensure_future(self._invoke(arn, invocation))
        self._running.add(task)

        def done(ended: asyncio.Future[None]) -> None:
            self._running.discard(task)
            error = asyncio.CancelledError() if ended.cancelled() else ended.exception()
            if not invocation.answered:
                invocation.answer.set_exception(error or RuntimeError("an invocation ended without an answer"))

        task.add_done_callback(done)


# What Lambda itself refuses: the status and the error of its Invoke API.
_REFUSALS: dict[type[BaseException], tuple[int, str]] = {
    InvalidEnvironmentError: (400, "InvalidParameterValueException"),
    RoleError: (403, "AccessDeniedException"),
    UnknownFunctionError: (404, "ResourceNotFoundException"),
    asyncio.CancelledError: (503, "ServiceException"),
}


async def _answered(invocation: Invocation) -> web.Response:
    try:
        answer = await invocation.answer
    except ThrottledError as error:
        body = {"Reason": "ConcurrentInvocationLimitExceeded", "Type": "User", "message": f"Rate Exceeded: {error}"}
        return _json(429, "TooManyRequestsException", body)
    except tuple(_REFUSALS) as error:
        status, error_type = _REFUSALS[type(error)]
        return _refused(status, error_type, str(error) or "the sandbox is stopping")
    except Exception as error:  # noqa: BLE001  the boundary: a fault of the sandbox must not look like the function's
        return _refused(500, "ServiceException", f"the sandbox could not run the function: {error}")
    headers = {"X-Amz-Function-Error": "Unhandled"} if answer.error_type else {}
    return web.Response(body=answer.body, content_type=answer.content_type, headers=headers)


def _refused(status: int, error_type: str, message: str) -> web.Response:
    return _json(status, error_type, {"Type": "User" if status < 500 else "Service", "Message": message})  # noqa: PLR2004  HTTP


def _json(status: int, error_type: str, body: dict[str, str]) -> web.Response:
    headers = {"X-Amzn-ErrorType": error_type}
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json", headers=headers)
