"""What an invocation is, and how it is answered: the shapes of the Lambda service, also for each way of failing.

Shapes and wording follow the service and its open runtime interface emulator (`interop/model.go`, `rapid/handlers.go`).
"""

import asyncio
import json
import signal
import time
import uuid
from dataclasses import dataclass, field

REQUEST_LIMIT_BYTES = 6 * 1024 * 1024
RESPONSE_LIMIT_BYTES = 6 * 1024 * 1024 + 100

# Words of the Go standard library, which the service prints; other signals have no word there.
_SIGNALS = {
    signal.SIGHUP: "hangup",
    signal.SIGINT: "interrupt",
    signal.SIGQUIT: "quit",
    signal.SIGILL: "illegal instruction",
    signal.SIGTRAP: "trace/breakpoint trap",
    signal.SIGABRT: "aborted",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGPIPE: "broken pipe",
    signal.SIGALRM: "alarm clock",
    signal.SIGTERM: "terminated",
}


def _new_trace_id() -> str:
    """An X-Ray header of an unsampled trace, as the service makes one where tracing is passive."""
    return f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Parent={uuid.uuid4().hex[:16]};Sampled=0"


@dataclass(frozen=True)
class Answer:
    """What the caller gets: the runtime's bytes as they came, or an error.

    `error_type` is empty when the handler returned, and names the error for the REPORT line otherwise.
    """

    body: bytes
    content_type: str = "application/json"
    error_type: str = ""


@dataclass
class Invocation:
    """One call of a function; `answer` is resolved as soon as there is one, which may be before all work is done."""

    event: bytes
    invoked_arn: str
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    trace_id: str = field(default_factory=_new_trace_id)
    deadline_ms: int = 0
    answer: "asyncio.Future[Answer]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def answered(self) -> bool:
        """Whether the caller has its answer."""
        return self.answer.done()

    def resolve(self, answer: Answer) -> None:
        """Answers, unless there was an answer already: the first one stands."""
        if not self.answer.done():
            self.answer.set_result(answer)


class ThrottledError(Exception):
    """No instance became free in time."""


def failure(error_type: str, message: str, request_id: str = "") -> Answer:
    """An error that is not the handler's own."""
    text = f"RequestId: {request_id} Error: {message}" if request_id else message
    return Answer(json.dumps({"errorType": error_type, "errorMessage": text}).encode(), error_type=error_type)


def exited(returncode: int, request_id: str) -> Answer:
    """The runtime ended by itself; a negative return code is a signal."""
    return failure("Runtime.ExitError", exit_reason(returncode), request_id)


def exit_reason(returncode: int) -> str:
    """How the service words the end of a runtime."""
    if returncode == 0:
        return "Runtime exited without providing a reason"
    if returncode > 0:
        return f"Runtime exited with error: exit status {returncode}"
    word = next((word for number, word in _SIGNALS.items() if number == -returncode), f"signal {-returncode}")
    return f"Runtime exited with error: signal: {word}"


def timed_out(seconds: float, request_id: str) -> Answer:
    """The function's timeout passed before there was an answer."""
    return failure("Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds", request_id)


def out_of_memory(request_id: str) -> Answer:
    """The instance used more memory than the function has; on Lambda the kernel kills it."""
    return failure("Runtime.OutOfMemory", "Runtime exited with error: signal: killed", request_id)


def response_too_large(size_bytes: int) -> Answer:
    """The handler returned more than a synchronous invocation may."""
    limit = f"maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes)"
    message = f"Response payload size ({size_bytes} bytes) exceeded {limit}."
    return failure("Function.ResponseSizeTooLarge", message)
