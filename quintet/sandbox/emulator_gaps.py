"""What ministack lacks or does otherwise than AWS, closed from outside: one small function for each gap.

Each says the version it was seen in. They replace private functions of ministack, so its version is pinned; when one
of those is gone the process ends at once with a message that says so. All run inside the emulator's process. The gaps
of HTTP APIs are in `emulator_http_api`.
"""

import contextvars
import importlib
import importlib.metadata
import time
from collections.abc import Callable, Mapping
from typing import Any

from quintet.sandbox.lambda_forwarding import Forwarder, version_arn

SEEN_WITH = "1.5.33"
"""The version of ministack that the workarounds were written against and are tested with."""

called_arn: contextvars.ContextVar[str] = contextvars.ContextVar("called_arn", default="")
"""The ARN of the function that an integration names, while it is called."""

Record = Callable[[str, str, str], None]
"""Notes a refused call: principal, action, resource."""


def found(module: str, name: str, *, needed: str) -> Any:  # noqa: ANN401  ministack carries no types
    """A function or table of ministack.

    Args:
        module: Its module within the package `ministack`.
        name: Its name.
        needed: Why the sandbox needs it, for the message.

    Raises:
        SystemExit: The installed ministack has none of that name.
    """
    target = importlib.import_module(f"ministack.{module}")
    if (value := getattr(target, name, None)) is None:
        raise SystemExit(
            f"ministack {importlib.metadata.version('ministack')} has no {module}.{name}, which the sandbox needs: "
            f"{needed}. Its workarounds were written for ministack {SEEN_WITH}: install that version (`make install`), "
            "or adapt quintet/sandbox/emulator_gaps.py"
        )
    return value


def replace(module: str, name: str, build: Callable[[Any], Any], *, needed: str) -> None:
    """Put `build(original)` in the place of a function of ministack; see `found` for the rest."""
    replacement = build(found(module, name, needed=needed))
    setattr(importlib.import_module(f"ministack.{module}"), name, replacement)


def invoke_image_functions_at_the_front(url: str) -> None:
    """1.5.33 runs functions of package type Image in Docker, or at a URL from the function's own environment.

    The sandbox has no Docker, and a function's environment must hold what the program declares and nothing else.
    """
    needed = "functions of package type Image run as processes of the sandbox"
    forwarder, measure = Forwarder(url), _function_metrics(needed)

    def front_of(config: dict[str, Any]) -> str | None:
        return forwarder.url if config.get("PackageType") == "Image" else None

    def execute(func: dict[str, Any], event: Any, _url: str, request_id: str) -> dict[str, Any]:  # noqa: ANN401  any JSON
        config, started = _as_called(func.get("config") or func), time.monotonic()
        result = forwarder.invoke(config, event, request_id)
        measure(config, result, (time.monotonic() - started) * 1000)
        return result

    replace("services.lambda_svc", "_proxy_url_for", lambda _: front_of, needed=needed)
    replace("services.lambda_svc", "_execute_function_proxy", lambda _: execute, needed=needed)


def take_this_machines_http_for_tls() -> None:
    """1.5.33 answers plain HTTP, and rightly says so to policies that ask for `aws:SecureTransport`.

    On AWS every SDK and every Lambda function comes over TLS: a bucket that refuses all else is still readable.
    """

    def build(original: Callable[[str, bool], None]) -> Callable[[str, bool], None]:
        return lambda source_ip, _over_tls: original(source_ip, True)

    replace("app", "pin_request_origin", build, needed="buckets that admit TLS alone must be readable")


def _as_called(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration with the ARN that the caller named: 1.5.33 forgets the alias in calls of HTTP APIs."""
    named = called_arn.get()
    same = version_arn(named, "") == version_arn(str(config.get("FunctionArn")), "")
    return {**config, "FunctionArn": named} if same else config


def ask_policies_for_log_streams() -> None:
    """1.5.33 asks policies for `log-group:NAME` in calls on log groups, AWS for `log-group:NAME:log-stream:`.

    So `log-group:NAME:*` allows them on AWS, and `log-group:NAME` alone does not (CloudWatch Logs user guide, "Overview
    of managing access permissions"). Tags are asked for on the group itself.
    """
    of_groups = frozenset({"logs:TagResource", "logs:UntagResource", "logs:ListTagsForResource"})

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def enforce(key: str, action: str, *rest: Any, resource_arn: str = "*", **options: Any) -> Any:  # noqa: ANN401
            if ":log-group:" in resource_arn and action.startswith("logs:") and action not in of_groups:
                resource_arn = f"{resource_arn}:log-stream:"
            return original(key, action, *rest, resource_arn=resource_arn, **options)

        return enforce

    replace("core.iam_evaluator", "enforce", build, needed="a role that may write logs on AWS may do so here")


def reserve_concurrency_for_versions_too() -> None:
    """1.5.33 holds reserved concurrency against calls of `$LATEST` only: a call through an alias or version passes."""
    needed = "reserved concurrency is the function's, whichever version is called"
    functions = found("services.lambda_svc", "_functions", needed=needed)

    def build(original: Callable[..., int | None]) -> Callable[..., int | None]:
        def reserved(func: dict[str, Any], config: dict[str, Any]) -> int | None:
            return original(functions.get(config.get("FunctionName")) or func, config)

        return reserved

    replace("services.lambda_svc", "_reserved_concurrency", build, needed=needed)


def leave_logs_and_metrics_of_image_functions_alone() -> None:
    """1.5.33 writes START and REPORT lines of its own, whatever the role may do, and counts direct calls only.

    For functions of package type Image the front writes the logs under the function's role, and
    `invoke_image_functions_at_the_front` measures every call. What never reaches a function, a call above its reserved
    concurrency, stays ministack's to count.
    """
    needed = "logs and metrics of image functions are written once, and as on AWS"
    functions = found("services.lambda_svc", "_functions", needed=needed)

    def is_image(function: Mapping[str, Any] | None) -> bool:
        return ((function or {}).get("config") or function or {}).get("PackageType") == "Image"

    def without_images(original: Callable[..., None]) -> Callable[..., None]:
        def emit(func: dict[str, Any], *arguments: Any, **options: Any) -> None:  # noqa: ANN401  handed on
            if not is_image(func):
                original(func, *arguments, **options)

        return emit

    def only_refused(original: Callable[..., None]) -> Callable[..., None]:
        def emit(function_name: str, duration_ms: float, error: bool, throttle: bool) -> None:
            if not is_image(functions.get(function_name)) or (throttle and not duration_ms):
                original(function_name, duration_ms, error, throttle)

        return emit

    replace("services.lambda_svc", "_emit_lambda_logs", without_images, needed=needed)
    replace("services.lambda_svc", "_emit_lambda_metrics", only_refused, needed=needed)


def _function_metrics(needed: str) -> Callable[[dict[str, Any], dict[str, Any], float], None]:
    """A function that counts one call under the function, and under the alias or version that was called."""
    record = found("services.cloudwatch", "record_metric", needed=needed)

    def measure(config: dict[str, Any], result: dict[str, Any], milliseconds: float) -> None:
        name, invoked = str(config.get("FunctionName")), str(config.get("FunctionArn"))
        qualifier = invoked.removeprefix(version_arn(invoked, "")).lstrip(":")
        throttled = bool(result.get("throttle"))
        values = (
            {"Throttles": (1, "Count")}
            if throttled
            else {
                "Invocations": (1, "Count"),
                "Errors": (int(bool(result.get("error"))), "Count"),
                "Duration": (milliseconds, "Milliseconds"),
                "Throttles": (0, "Count"),
            }
        )
        for dimensions in ({"FunctionName": name}, {"FunctionName": name, "Resource": f"{name}:{qualifier}"}):
            if qualifier or len(dimensions) == 1:
                for metric, (value, unit) in values.items():
                    record("AWS/Lambda", metric, value, unit, dimensions)

    return measure
