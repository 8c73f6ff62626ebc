"""The Extensions API of one instance, for internal extensions: threads of the runtime's own process.

An extension that asked for INVOKE events keeps the instance awake after the answer until it asks for the next event.
"""

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from quintet.sandbox.functions.answers import Invocation
from quintet.sandbox.functions.spec import FunctionSpec

PREFIX = "/2020-01-01/extension"
LIMIT = 10


@dataclass
class _Extension:
    name: str
    events: frozenset[str]
    asked: "asyncio.Future[Invocation] | None" = None
    busy: bool = True

    def let_go(self) -> None:
        """Ends a wait for an event that will not come."""
        if self.asked and not self.asked.done():
            self.asked.set_exception(web.HTTPServiceUnavailable())


class Extensions:
    """The registered extensions of one process and what they wait for."""

    def __init__(
        self, spec: FunctionSpec, *, on_change: Callable[[], None], on_error: Callable[[str, str], None]
    ) -> None:
        """Begins with registration open.

        Args:
            spec: the function, whose name and handler a registration is told.
            on_change: called when an extension has asked for its next event.
            on_error: called with `Extension.InitError` or `Extension.ExitError`, and the extension's own error type.
        """
        self._spec, self._on_change, self._on_error = spec, on_change, on_error
        self._extensions: dict[str, _Extension] = {}
        self._open = True

    def routes(self) -> list[web.RouteDef]:
        """The HTTP routes of the API."""
        return [
            web.post(f"{PREFIX}/register", self._register),
            web.get(f"{PREFIX}/event/next", self._next),
            web.post(f"{PREFIX}/init/error", self._init_error),
            web.post(f"{PREFIX}/exit/error", self._exit_error),
        ]

    @property
    def settled(self) -> bool:
        """Whether no extension is at work."""
        return not any(extension.busy for extension in self._extensions.values())

    def close_registration(self) -> None:
        """Refuses further registrations: the runtime has asked for its first invocation."""
        self._open = False

    def deliver(self, invocation: Invocation) -> None:
        """Gives the invocation to each extension that asked for INVOKE events; each is at work from now on."""
        for extension in self._extensions.values():
            if "INVOKE" in extension.events and extension.asked and not extension.asked.done():
                extension.busy = True
                extension.asked.set_result(invocation)

    def let_go(self) -> None:
        """Ends all waits: the process is gone."""
        for extension in self._extensions.values():
            extension.let_go()

    async def _register(self, request: web.Request) -> web.Response:
        name = request.headers.get("Lambda-Extension-Name", "")
        if not name:
            return _forbidden("Extension.InvalidExtensionName", "Empty extension name")
        try:
            events = frozenset(json.loads(await request.read()).get("events") or ())
        except (ValueError, AttributeError, TypeError) as error:
            return _forbidden("InvalidRequestFormat", str(error))
        if refusal := self._refusal(name, events):
            return refusal
        identifier = str(uuid.uuid4())
        self._extensions[identifier] = _Extension(name, events)
        body = {"functionName": self._spec.name, "functionVersion": self._spec.version, "handler": self._spec.handler}
        if "accountId" in request.headers.get("Lambda-Extension-Accept-Feature", ""):
            body["accountId"] = self._spec.account
        return web.json_response(body, headers={"Lambda-Extension-Identifier": identifier})

    def _refusal(self, name: str, events: frozenset[str]) -> web.Response | None:
        for event in sorted(events - {"INVOKE"}):
            # SHUTDOWN is for external extensions only; there are none in an image that the sandbox runs.
            reason = "internal extensions may register for INVOKE only"
            return _forbidden("Extension.InvalidEventType", f"{event}: {reason}")
        if not self._open:
            return _forbidden("Extension.RegistrationClosed", "Extension registration closed already")
        if any(extension.name == name for extension in self._extensions.values()):
            return _forbidden("Extension.InvalidExtensionState", "Extension with this name already registered")
        if len(self._extensions) >= LIMIT:
            return _forbidden("Extension.TooManyExtensions", f"Extension limit ({LIMIT}) reached")
        return None

    async def _next(self, request: web.Request) -> web.Response:
        extension = self._identified(request)
        if isinstance(extension, web.Response):
            return extension
        extension.let_go()  # asked twice: the earlier connection is lost
        extension.asked = asyncio.get_running_loop().create_future()
        extension.busy = False
        self._on_change()
        invocation = await extension.asked
        return web.json_response(
            _invoke_event(invocation), headers={"Lambda-Extension-Event-Identifier": str(uuid.uuid4())}
        )

    async def _init_error(self, request: web.Request) -> web.Response:
        return self._failed(request, "Extension.InitError")

    async def _exit_error(self, request: web.Request) -> web.Response:
        return self._failed(request, "Extension.ExitError")

    def _failed(self, request: web.Request, kind: str) -> web.Response:
        extension = self._identified(request)
        if isinstance(extension, web.Response):
            return extension
        header = "Lambda-Extension-Function-Error-Type"
        if header not in request.headers:
            return _forbidden("Extension.MissingHeader", f"{header} not found")
        self._on_error(kind, request.headers[header])
        return web.json_response({"status": "OK"}, status=202)

    def _identified(self, request: web.Request) -> _Extension | web.Response:
        identifier = request.headers.get("Lambda-Extension-Identifier", "")
        if not identifier:
            return _forbidden("Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
        extension = self._extensions.get(identifier)
        return extension or _forbidden("Extension.UnknownExtensionIdentifier", f"Unknown extension {identifier}")


def _invoke_event(invocation: Invocation) -> dict[str, object]:
    return {
        "eventType": "INVOKE",
        "deadlineMs": invocation.deadline_ms,
        "requestId": invocation.request_id,
        "invokedFunctionArn": invocation.invoked_arn,
        "tracing": {"type": "X-Amzn-Trace-Id", "value": invocation.trace_id},
    }


def _forbidden(error_type: str, message: str) -> web.Response:
    return web.json_response({"errorType": error_type, "errorMessage": message}, status=403)
