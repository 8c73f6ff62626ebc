"""Carries an invocation from the emulator to the front that runs image functions as processes of this machine.

Runs inside the emulator's process. The answer has the shape that ministack's own executors return.
"""

import json
import time
from typing import Any

import urllib3

COLD_START_SECONDS = 60
"""Added to a function's timeout: the front counts the timeout from the handler's start, the process starts before."""

CONNECT_SECONDS = 5.0


class Forwarder:
    """One pool of kept-alive connections to the front; urllib3 sets TCP_NODELAY, without which a call waits 40 ms."""

    def __init__(self, url: str) -> None:
        """Forward to `url`; with an empty one every invocation answers an error that says so."""
        self.url = url or "unset"
        self._configured = bool(url)
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=64, retries=False)

    def invoke(self, config: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:  # noqa: ANN401  any JSON value
        """Invoke one version of a function with an event.

        Args:
            config: The version's configuration as the emulator holds it.
            event: The event, any JSON value.
            request_id: The invocation's id.
        """
        if not self._configured:
            return _failure("Sandbox.NoFront", "the emulator was started without a front that runs image functions")
        name, timeout = str(config.get("FunctionName")), int(config.get("Timeout") or 3)
        try:
            response = self._pool.request(
                "POST",
                self.url,
                body=json.dumps(event, ensure_ascii=False).encode(),
                headers=_headers(config, request_id, timeout),
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=timeout + COLD_START_SECONDS),
            )
        except urllib3.exceptions.HTTPError as error:
            return _failure("Sandbox.FrontUnreachable", f"{name}: {type(error).__name__}: {error}")
        return _result(response, name)


def _headers(config: dict[str, Any], request_id: str, timeout: int) -> dict[str, str]:
    invoked = str(config.get("FunctionArn") or "")
    return {
        "Content-Type": "application/json",
        "X-Amzn-Lambda-Function-Arn": version_arn(invoked, str(config.get("Version") or "$LATEST")),
        "X-Amzn-Lambda-Invoked-Function-Arn": invoked,
        "X-Amzn-Lambda-Request-Id": request_id,
        "X-Amzn-Lambda-Deadline-Ms": str(int((time.time() + timeout) * 1000)),
    }


def version_arn(invoked_arn: str, version: str) -> str:
    """The ARN of a version, from the ARN that was invoked, which may end in an alias or another qualifier."""
    return ":".join([*invoked_arn.split(":")[:7], version])


def _result(response: urllib3.BaseHTTPResponse, name: str) -> dict[str, Any]:
    text = response.data.decode("utf-8", "replace")
    if response.status == 429:  # noqa: PLR2004  Too Many Requests
        return _throttled(name)
    if response.status != 200:  # noqa: PLR2004  OK
        kind = response.headers.get("X-Amzn-ErrorType", f"Sandbox.Http{response.status}")
        return _failure(kind, _message(text))
    try:
        body = json.loads(text) if text else None
    except json.JSONDecodeError:
        return _failure("Runtime.MarshalError", f"{name} answered what is not JSON")
    if failed := response.headers.get("X-Amz-Function-Error"):
        return {"body": body, "error": True, "function_error": failed}
    return {"body": body}


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["Message"])
    except (ValueError, KeyError, TypeError):
        return text[:512]


def _failure(error_type: str, message: str) -> dict[str, Any]:
    return {"body": {"errorType": error_type, "errorMessage": message}, "error": True}


def _throttled(name: str) -> dict[str, Any]:
    body = {
        "__type": "TooManyRequestsException",
        "message": f"Rate Exceeded: {name}",
        "Reason": "ConcurrentInvocationLimitExceeded",
        "retryAfterSeconds": "1",
    }
    return {"throttle": True, "error": True, "log": "", "body": body}
