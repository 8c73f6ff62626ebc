"""Starts ministack with the sandbox's workarounds: `python -m quintet.sandbox.emulator_process`.

Ministack itself is configured by its own environment variables (`quintet.sandbox.emulator` sets them), this file by:

- `MINISTACK_LAMBDA_FRONT`: where functions of package type Image are invoked; without it they answer an error.
- `QUINTET_LISTENERS`: the file with the addresses of load balancers' listeners.
- `QUINTET_DENIALS`: the file that refused calls are appended to.
- `QUINTET_CALLS`: the file that calls allowed to roles are appended to; without it they are not recorded.
"""

import asyncio
import contextvars
import importlib
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from quintet.sandbox import emulator_gaps, emulator_http_api
from quintet.sandbox.calls import CallWriter
from quintet.sandbox.emulator_calls import record_calls_of_roles
from quintet.sandbox.emulator_gaps import Record, found, replace
from quintet.sandbox.emulator_load_balancers import name_network_load_balancers_as_aws_does
from quintet.sandbox.emulator_private_integrations import reach_private_integrations
from quintet.sandbox.emulator_vpc_links import have_vpc_links

NOT_AUTHORIZED = re.compile(rb"User: (\S*) ?is not authorized to perform: ([\w-]+:\w+)(?: on resource: ([^\s\"<]+))?")

QUIET_SECONDS = 1.0
"""How long no request comes before the state is saved."""

App = Callable[..., Awaitable[None]]

_recorded: contextvars.ContextVar[bool] = contextvars.ContextVar("recorded", default=False)


def main() -> None:
    """Apply the workarounds and run ministack in the foreground until SIGTERM, on which it saves its state."""
    record = CallWriter(Path(os.environ["QUINTET_DENIALS"])).write if "QUINTET_DENIALS" in os.environ else _nowhere
    emulator_gaps.invoke_image_functions_at_the_front(os.environ.get("MINISTACK_LAMBDA_FRONT", ""))
    emulator_gaps.leave_logs_and_metrics_of_image_functions_alone()
    emulator_gaps.take_this_machines_http_for_tls()
    emulator_gaps.reserve_concurrency_for_versions_too()
    emulator_http_api.call_functions_as_http_apis_do(record)
    emulator_http_api.answer_failed_functions_as_http_apis_do()
    emulator_http_api.serve_http_apis_as_aws_does()
    name_network_load_balancers_as_aws_does()
    addresses = Path(os.environ["QUINTET_LISTENERS"]) if "QUINTET_LISTENERS" in os.environ else None
    reach_private_integrations(have_vpc_links(), addresses, record)
    if "QUINTET_CALLS" in os.environ:
        record_calls_of_roles(CallWriter(Path(os.environ["QUINTET_CALLS"])).write)
    emulator_gaps.ask_policies_for_log_streams()
    record_denials_of_the_evaluator(record)
    record_denials_of_single_services(record)
    save_state_when_quiet()
    end_with_the_parent()
    importlib.import_module("ministack.app").main()


def save_state_when_quiet() -> None:
    """1.5.33 saves its state when it is ended by SIGTERM only: a killed machine would lose all since its start.

    It is saved after every burst of requests, on the event loop, so that nothing changes meanwhile.
    """
    needed = "what was deployed must outlive a machine that is switched off"
    save_all = found("core.persistence", "save_all", needed=needed)
    states = found("app", "_build_persistence_save_dict", needed=needed)
    asked_at = [0.0]

    async def save_after_bursts() -> None:
        saved_at = 0.0
        while True:
            await asyncio.sleep(QUIET_SECONDS / 4)
            if asked_at[0] > saved_at and time.monotonic() - asked_at[0] > QUIET_SECONDS:
                saved_at = asked_at[0]
                save_all(states())

    def noting_requests(original: App) -> App:
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401  ASGI's
            if scope.get("path") != "/_ministack/health":
                asked_at[0] = time.monotonic()
            await original(scope, receive, send)

        return app

    def saving(original: App) -> App:
        async def lifespan(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401  ASGI's
            saver = asyncio.ensure_future(save_after_bursts())
            try:
                await original(scope, receive, send)
            finally:
                saver.cancel()

        return lifespan

    replace("app", "app", noting_requests, needed=needed)
    replace("app", "_handle_lifespan", saving, needed=needed)


def end_with_the_parent() -> None:
    """1.5.33 outlives the process that started it: a killed sandbox would leave its port taken and its state unsaved.

    Standard input is a pipe whose other end the parent holds; the kernel closes it however the parent ends.
    """

    def watch() -> None:
        os.read(sys.stdin.fileno(), 1)  # unbuffered: a thread in a buffered read aborts the interpreter at exit
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def record_denials_of_the_evaluator(record: Record) -> None:
    """1.5.33 keeps no list of refused calls; all but a few services ask these two functions."""
    needed = "a refused call must name its role and action"

    def noting(action_of: Callable[..., tuple[str, str]]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def build(original: Callable[..., Any]) -> Callable[..., Any]:
            def ask(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401  handed on
                if denied := original(*arguments, **options):
                    action, resource = action_of(*arguments, **options)
                    record(_principal(denied), action, resource)
                    _recorded.set(True)
                return denied

            return ask

        return build

    def enforced(_key: str, action: str, *_: Any, resource_arn: str = "*", **__: Any) -> tuple[str, str]:  # noqa: ANN401
        return action, resource_arn

    def authenticated(_key: str, service: str | None = None) -> tuple[str, str]:
        return f"{service}:*", "*"

    replace("core.iam_evaluator", "enforce", noting(enforced), needed=needed)
    replace("core.iam_evaluator", "check_credentials", noting(authenticated), needed=needed)


def record_denials_of_single_services(record: Record) -> None:
    """1.5.33 decides some calls inside the service (STS trust, SNS and SQS policies): their answers tell it."""

    def build(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def app(scope: dict[str, Any], receive: Any, send: Callable[..., Awaitable[None]]) -> None:  # noqa: ANN401
            refused = False

            async def watch(message: dict[str, Any]) -> None:
                nonlocal refused
                refused = refused or message.get("status") in {400, 403}
                if refused and not _recorded.get() and (match := NOT_AUTHORIZED.search(message.get("body", b""))):
                    record(*(group.decode() or "unknown" for group in match.groups(default=b"*")))
                await send(message)

            token = _recorded.set(False)
            try:
                await original(scope, receive, watch if scope["type"] == "http" else send)
            finally:
                _recorded.reset(token)

        return app

    replace("app", "app", build, needed="a refused call must name its role and action")


def _principal(denied: Any) -> str:  # noqa: ANN401  ministack carries no types
    arn = getattr(denied, "principal_arn", "")
    return str(arn or f"unauthenticated ({getattr(denied, 'code', 'unknown')})")


def _nowhere(_who: str, _action: str, _resource: str) -> None:
    """Where nobody asked for a record of refused calls."""


if __name__ == "__main__":
    main()
