"""What ministack lacks or does otherwise than AWS, closed from outside: one small function for each gap.

Each says the version it was seen in. They replace private functions of ministack, so its version is pinned; when one
of those is gone the process ends at once with a message that says so. All run inside the emulator's process.
"""

import contextvars
import importlib
import importlib.metadata
import json
from collections.abc import Awaitable, Callable
from typing import Any

from quintet.sandbox.lambda_forwarding import Forwarder

SEEN_WITH = "1.5.33"
"""The version of ministack that the workarounds were written against and are tested with."""

HTTP_API_BODY_LIMIT = 10 * 1024 * 1024
"""Bytes of a request that an HTTP API accepts (AWS quotas of HTTP APIs: payload size, 10 MB)."""

Answer = tuple[int, dict[str, Any], bytes]
Record = Callable[[str, str, str], None]
"""Notes a refused call: principal, action, resource."""

_in_http_api: contextvars.ContextVar[bool] = contextvars.ContextVar("in_http_api", default=False)


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
    forwarder = Forwarder(url)

    def front_of(config: dict[str, Any]) -> str | None:
        return forwarder.url if config.get("PackageType") == "Image" else None

    def execute(func: dict[str, Any], event: Any, _url: str, request_id: str) -> dict[str, Any]:  # noqa: ANN401  any JSON
        return forwarder.invoke(func.get("config") or func, event, request_id)

    replace("services.lambda_svc", "_proxy_url_for", lambda _: front_of, needed=needed)
    replace("services.lambda_svc", "_execute_function_proxy", lambda _: execute, needed=needed)


def reserve_concurrency_for_versions_too() -> None:
    """1.5.33 holds reserved concurrency against calls of `$LATEST` only: a call through an alias or version passes."""
    needed = "reserved concurrency is the function's, whichever version is called"
    functions = found("services.lambda_svc", "_functions", needed=needed)

    def build(original: Callable[..., int | None]) -> Callable[..., int | None]:
        def reserved(func: dict[str, Any], config: dict[str, Any]) -> int | None:
            return original(functions.get(config.get("FunctionName")) or func, config)

        return reserved

    replace("services.lambda_svc", "_reserved_concurrency", build, needed=needed)


def ask_the_function_policy_in_http_apis(record: Record) -> None:
    """1.5.33 lets an HTTP API invoke any function, and takes a request of any size.

    AWS asks the function's policy for the route's ARN and answers 500 where it does not allow the call; it answers
    413 to a request above 10 MB.
    """
    needed = "a missing aws:lambda:Permission must show as it does on AWS"
    denied_function = _denied_function(needed)

    def build(original: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
        async def invoke(  # noqa: PLR0917  ministack's signature
            integration: dict[str, Any],
            api_id: str,
            stage: str,
            path: str,
            method: str,
            headers: dict[str, str],
            body: bytes,
            query: dict[str, Any],
            route_key: str = "$default",
            *rest: Any,  # noqa: ANN401  handed on
            **options: Any,  # noqa: ANN401  handed on
        ) -> Answer:
            if len(body or b"") > HTTP_API_BODY_LIMIT:
                return _message(413, "Request Entity Too Large")
            if function := denied_function(integration, api_id, stage, method, route_key):
                record("apigateway.amazonaws.com", "lambda:InvokeFunction", function)
                return _message(500, "Internal Server Error")
            token = _in_http_api.set(True)
            try:
                return await original(
                    integration, api_id, stage, path, method, headers, body, query, route_key, *rest, **options
                )
            finally:
                _in_http_api.reset(token)

        return invoke

    replace("services.apigateway", "_invoke_lambda_proxy", build, needed=needed)


def _denied_function(needed: str) -> Callable[[dict[str, Any], str, str, str, str], str | None]:
    """A function that gives the ARN of an integration's function when its policy does not let this route call it."""
    evaluate = found("core.iam_evaluator", "evaluate_resource_policy", needed=needed)
    context_class = found("core.iam_evaluator", "EvalContext", needed=needed)
    function_in = found("services.apigateway", "_extract_lambda_ref_from_integration_uri", needed=needed)
    policy_of = found("services.lambda_svc", "function_policy_for_arn", needed=needed)
    account_id = found("core.responses", "get_account_id", needed=needed)
    region = found("core.responses", "get_region", needed=needed)

    def denied(integration: dict[str, Any], api_id: str, stage: str, method: str, route_key: str) -> str | None:
        function = str(function_in(integration.get("integrationUri", "")))
        if (policy := policy_of(function)) is None:
            return None  # no such function: ministack's own answer says so
        route = route_key if route_key == "$default" else f"{method}{route_key.partition(' ')[2]}"
        source = f"arn:aws:execute-api:{region()}:{account_id()}:{api_id}/{stage}/{route}"
        context = context_class(
            principal_arn="",
            principal_type="Service",
            principal_account="",
            action="lambda:InvokeFunction",
            resource_arn=function,
            region=region(),
            service_context={"aws:sourcearn": source, "aws:sourceaccount": account_id()},
        )
        allowed = evaluate(policy[0], context, service="apigateway.amazonaws.com").decision == "Allow"
        return None if allowed else function

    return denied


def answer_failed_functions_as_http_apis_do() -> None:
    """1.5.33 shows a failed function's error to the caller of an HTTP API, with 502, and a throttled one's with 429.

    An HTTP API answers 500 and 503 and tells nothing of the function.
    """

    def build(original: Callable[..., Any]) -> Callable[..., Any]:
        def convert(result: dict[str, Any]) -> Any:  # noqa: ANN401  handed on
            if not (_in_http_api.get() and result.get("error")):
                return original(result)
            throttled = bool(result.get("throttle"))
            status, _, body = _message(*((503, "Service Unavailable") if throttled else (500, "Internal Server Error")))
            return {"statusCode": status, "body": body.decode()}, None

        return convert

    name = "lambda_execute_result_to_api_proxy_response"
    replace("services.lambda_svc", name, build, needed="errors of functions must not reach the public")


def serve_no_stage_that_was_not_made() -> None:
    """1.5.33 serves the stage `$default` of an HTTP API that has no stage; AWS answers 404."""
    needed = "a program without a stage has no address"
    stages_of = found("services.apigateway", "_stages", needed=needed)

    def build(original: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
        async def execute(api_id: str, stage: str, *arguments: Any) -> Answer:  # noqa: ANN401  handed on
            return await original(api_id, stage, *arguments) if stage in stages_of.get(api_id, {}) else _not_found()

        return execute

    replace("services.apigateway", "_handle_execute_in_scope", build, needed=needed)


def _message(status: int, text: str) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps({"message": text}).encode()


def _not_found() -> Answer:
    return _message(404, "Not Found")
