"""What ministack's HTTP APIs lack or do otherwise than AWS's; see `emulator_gaps` for the rules of these functions."""

import asyncio
import contextvars
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from quintet.sandbox.emulator_gaps import Record, called_arn, found, replace
from quintet.sandbox.emulator_private_integrations import raw_query

BODY_LIMIT = 10 * 1024 * 1024
"""Bytes of a request that an HTTP API accepts (AWS quotas of HTTP APIs: payload size, 10 MB)."""

Answer = tuple[int, dict[str, Any], bytes]

_in_http_api: contextvars.ContextVar[bool] = contextvars.ContextVar("in_http_api", default=False)
_VARIABLE = re.compile(r"\$context\.([A-Za-z.]+)")


def call_functions_as_http_apis_do(record: Record) -> None:
    """1.5.33 lets an HTTP API call any function, for as long as it takes, with a request of any size.

    AWS asks the function's policy for the route's ARN and answers 500 where it does not allow the call, 503 after the
    integration's timeout, and 413 to a request above 10 MB.
    """
    needed = "a missing aws:lambda:Permission and a slow function must show as they do on AWS"
    denied_function = _denied_function(needed)
    function_in = found("services.apigateway", "_extract_lambda_ref_from_integration_uri", needed=needed)

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
            if len(body or b"") > BODY_LIMIT:
                return _message(413, "Request Entity Too Large")
            if function := denied_function(integration, api_id, stage, method, route_key):
                record("apigateway.amazonaws.com", "lambda:InvokeFunction", function)
                return _message(500, "Internal Server Error")
            seconds = integration.get("timeoutInMillis", 30_000) / 1000
            token = _in_http_api.set(True)
            called = called_arn.set(str(function_in(integration.get("integrationUri", ""))))
            try:
                answer = original(
                    integration, api_id, stage, path, method, headers, body, query, route_key, *rest, **options
                )
                return await _within(answer, seconds)
            finally:
                called_arn.reset(called)
                _in_http_api.reset(token)

        return invoke

    replace("services.apigateway", "_invoke_lambda_proxy", build, needed=needed)


async def _within(called: Awaitable[Answer], seconds: float) -> Answer:
    """The answer, or 503 when it takes too long; the function then runs on unheard, as on AWS."""
    task = asyncio.ensure_future(called)
    await asyncio.wait({task}, timeout=seconds)
    if task.done():
        return task.result()
    task.add_done_callback(lambda late: late.cancelled() or late.exception())
    return _message(503, "Service Unavailable")


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


def serve_http_apis_as_aws_does() -> None:
    """1.5.33 serves the stage `$default` of an HTTP API that has none, and writes neither metrics nor access logs.

    On a route with IAM authorization it also lets through what is not signed but has some Authorization header.
    """
    needed = "a program without a stage has no address, and alarms and logs of an API need its calls"
    authorization_of = found("services.apigateway", "route_authorization_type", needed=needed)
    stages_of = found("services.apigateway", "_stages", needed=needed)
    route_of = found("services.apigateway", "_match_route", needed=needed)
    measure, log = _api_metrics(needed), _access_log(needed)

    def build(original: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
        async def execute(
            api_id: str,
            stage: str,
            path: str,
            method: str,
            headers: dict[str, str],
            *arguments: Any,  # noqa: ANN401  handed on
        ) -> Answer:
            raw_query.set(arguments[-1])
            settings = stages_of.get(api_id, {}).get(stage)
            if settings is None:
                return _message(404, "Not Found")
            started = time.time()
            if authorization_of(api_id, stage, method, path) == "AWS_IAM" and not _signed(headers):
                answer = _message(403, "Forbidden")
            else:
                answer = await original(api_id, stage, path, method, headers, *arguments)
            route = (route_of(api_id, method, path) or {}).get("routeKey", "-")
            call = _Call(api_id, stage, method, path, route, answer[0], len(answer[2]), started, time.time() - started)
            measure(call)
            log(settings.get("accessLogSettings") or {}, call)
            return answer

        return execute

    replace("services.apigateway", "_handle_execute_in_scope", build, needed=needed)


def _signed(headers: dict[str, str]) -> bool:
    authorization = next((value for name, value in headers.items() if name.lower() == "authorization"), "")
    return authorization.startswith("AWS4-HMAC-SHA256 ")


@dataclass(frozen=True)
class _Call:
    """One call of an HTTP API, for its metrics and its access log."""

    api_id: str
    stage: str
    method: str
    path: str
    route: str
    status: int
    length: int
    started: float
    seconds: float

    @property
    def context(self) -> dict[str, str]:
        """The variables of an access log that the emulator knows; every other is written as `-`, as AWS does."""
        milliseconds = str(round(self.seconds * 1000))
        return {
            "apiId": self.api_id,
            "httpMethod": self.method,
            "identity.sourceIp": "127.0.0.1",
            "integrationLatency": milliseconds,
            "integrationStatus": str(self.status),
            "path": self.path,
            "protocol": "HTTP/1.1",
            "requestId": f"{self.api_id}-{self.started:.6f}",
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(self.started)),
            "requestTimeEpoch": str(int(self.started)),
            "responseLatency": milliseconds,
            "responseLength": str(self.length),
            "routeKey": self.route,
            "stage": self.stage,
            "status": str(self.status),
        }


def _api_metrics(needed: str) -> Callable[[_Call], None]:
    record = found("services.cloudwatch", "record_metric", needed=needed)

    def measure(call: _Call) -> None:
        values = {
            "Count": (1, "Count"),
            "4xx": (int(400 <= call.status < 500), "Count"),  # noqa: PLR2004  HTTP
            "5xx": (int(call.status >= 500), "Count"),  # noqa: PLR2004  HTTP
            "Latency": (call.seconds * 1000, "Milliseconds"),
            "IntegrationLatency": (call.seconds * 1000, "Milliseconds"),
        }
        for dimensions in ({"ApiId": call.api_id}, {"ApiId": call.api_id, "Stage": call.stage}):
            for metric, (value, unit) in values.items():
                record("AWS/ApiGateway", metric, value, unit, dimensions)

    return measure


def _access_log(needed: str) -> Callable[[dict[str, Any], _Call], None]:
    make_stream = found("services.cloudwatch_logs", "_create_log_stream", needed=needed)
    put = found("services.cloudwatch_logs", "_put_log_events", needed=needed)

    def log(settings: dict[str, Any], call: _Call) -> None:
        if not settings.get("destinationArn") or not settings.get("format"):
            return
        known = call.context
        line = _VARIABLE.sub(lambda match: known.get(match[1], "-"), settings["format"])
        where = {"logGroupName": settings["destinationArn"].split(":")[6], "logStreamName": call.api_id}
        make_stream(where)  # it answers an error, and does nothing, where there is one already
        put({**where, "logEvents": [{"timestamp": int(call.started * 1000), "message": line}]})

    return log


def _message(status: int, text: str) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps({"message": text}).encode()
