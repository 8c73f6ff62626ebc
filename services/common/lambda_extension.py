"""The two calls of Lambda's Extensions API that an internal extension makes."""

from __future__ import annotations

import http.client
import json
from typing import Any

from services.common.errors import TextFreeError

_API = "/2020-01-01/extension"
_REGISTER_TIMEOUT_SECONDS = 2.0


class ExtensionFailed(TextFreeError):  # noqa: N818 - says what happened
    """The Extensions API refused a call or did not answer."""


class ExtensionsApi:
    """A client for one internal extension (in the process of the runtime, told of INVOKE only)."""

    def __init__(self, address: str) -> None:
        """Connects to nothing yet.

        Args:
            address: Host and port, as in AWS_LAMBDA_RUNTIME_API.
        """
        self._address = address
        self._identifier = ""
        self._events: http.client.HTTPConnection | None = None

    def register(self, name: str) -> None:
        """Registers under this name; raises `ExtensionFailed`."""
        connection = http.client.HTTPConnection(self._address, timeout=_REGISTER_TIMEOUT_SECONDS)
        try:
            headers = {"Lambda-Extension-Name": name, "Content-Type": "application/json"}
            connection.request("POST", f"{_API}/register", json.dumps({"events": ["INVOKE"]}), headers)
            answer = connection.getresponse()
            answer.read()
            self._identifier = answer.getheader("Lambda-Extension-Identifier", "")
        except (OSError, http.client.HTTPException) as error:
            raise ExtensionFailed(f"register: {type(error).__name__}") from error
        finally:
            connection.close()
        if answer.status != http.client.OK or not self._identifier:
            raise ExtensionFailed(f"register: status {answer.status}")

    def next_event(self) -> dict[str, Any]:
        """Says that the last event is done and waits, without limit, for the next; raises `ExtensionFailed`.

        Between two events the function may be frozen for hours, so the connection has no timeout.
        """
        if self._events is None:
            self._events = http.client.HTTPConnection(self._address, timeout=None)
        try:
            self._events.request("GET", f"{_API}/event/next", headers={"Lambda-Extension-Identifier": self._identifier})
            answer = self._events.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ExtensionFailed(f"event/next: {type(error).__name__}") from error
        if answer.status != http.client.OK:
            raise ExtensionFailed(f"event/next: status {answer.status}")
        event: dict[str, Any] = json.loads(content)
        return event
