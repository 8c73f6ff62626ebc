"""An HTTP API in front of functions and private load balancers: throttled, logged without what was said, watched."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import pulumi
import pulumi_aws as aws

from stacks.components.alarm_topic import AlarmTopic
from stacks.components.alarms import Alarm, watch
from stacks.components.arguments import checked_name, matching, one_of, refuse, within
from stacks.components.custom_domain import CustomDomain, attach_domain
from stacks.components.function import RETENTION_DAYS, ContainerLambda
from stacks.components.names import log_group_name
from stacks.components.private_balancer import PrivateBalancer

# An HTTP API waits no longer, and says 503 (API Gateway quotas).
LONGEST_WAIT_SECONDS = 30
ADDRESS_HEADER = "x-source-ip"
"""In which whoever stands behind a load balancer is told who calls; what a caller writes there is overwritten."""
Target = ContainerLambda | PrivateBalancer
_STAGE = "$default"
_ROUTE = r"\$default|(ANY|GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /\S*"
# Neither texts, nor paths (a client writes them), nor addresses of people.
_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "routeKey": "$context.routeKey",
    "status": "$context.status",
    "responseLength": "$context.responseLength",
    "responseLatencyMs": "$context.responseLatency",
    "integrationStatus": "$context.integrationStatus",
    "integrationLatencyMs": "$context.integrationLatency",
    "errorType": "$context.error.responseType",
}


class Authorization(Enum):
    """Who may call."""

    NONE = "none"
    JWT = "jwt"
    IAM = "iam"


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """How much an API takes before it answers 429.

    Attributes:
        rate: Requests a second, sustained.
        burst: Requests at once.
    """

    rate: float
    burst: int

    def __post_init__(self) -> None:
        # 10000 and 5000 are an account's quotas in a region.
        refuse("Throttle", within("rate", self.rate, 1, 10_000, "a second"), within("burst", self.burst, 1, 5_000))


@dataclass(frozen=True, kw_only=True)
class HttpApiArgs:
    """What an API needs.

    Attributes:
        routes: Functions, or load balancers, by route key, as `GET /items/{id}` or `ANY /{path+}`.
        alarms: Who is told when it fails or is slow.
        throttle: How much it takes.
        authorization: Who may call any of the routes.
        jwt_issuer: Whose tokens are taken; needed for JWT.
        jwt_audiences: For whom the tokens must be; needed for JWT.
        cors_origins: Sites whose pages may call from a browser; none by default.
        domain: An address of one's own.
        slow_ms: p99 of the answer that is alarming, in milliseconds.
        log_retention_days: One of those that CloudWatch Logs takes.
        kms_key_arn: A key of the owner's for the log group; its policy must admit CloudWatch Logs.
    """

    routes: Mapping[str, Target]
    alarms: AlarmTopic
    throttle: Throttle = field(default_factory=lambda: Throttle(rate=50, burst=100))
    authorization: Authorization = Authorization.NONE
    jwt_issuer: str | None = None
    jwt_audiences: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    domain: CustomDomain | None = None
    slow_ms: int = 3_000
    log_retention_days: int = 30
    kms_key_arn: str | None = None

    def __post_init__(self) -> None:
        jwt = self.authorization is Authorization.JWT
        refuse(
            "HttpApiArgs",
            [] if self.routes else ["routes is empty"],
            *[matching("a route", key, _ROUTE, "METHOD /path, ANY /{path+} or $default") for key in self.routes],
            [f"jwt needs {missing}" for missing in self._missing_for_jwt()] if jwt else [],
            ["jwt_issuer and jwt_audiences go with authorization jwt only"]
            if not jwt and (self.jwt_issuer or self.jwt_audiences)
            else [],
            matching("jwt_issuer", self.jwt_issuer, r"https://\S+", "an address that begins with https://"),
            *[
                matching("cors_origins", site, r"https?://[^/*\s]+", "https://site.example")
                for site in self.cors_origins
            ],
            within("slow_ms", self.slow_ms, 1, LONGEST_WAIT_SECONDS * 1000, "ms"),
            one_of("log_retention_days", self.log_retention_days, RETENTION_DAYS),
        )

    def _missing_for_jwt(self) -> list[str]:
        return [name for name in ("jwt_issuer", "jwt_audiences") if not getattr(self, name)]


class HttpApi(pulumi.ComponentResource):
    """An API with one stage, deployed whenever a route changes.

    Attributes:
        url: How a client calls it, without a slash at the end.
        api_id: For metrics and roles.
        execution_arn: For roles that may call it.
    """

    url: pulumi.Output[str]
    api_id: pulumi.Output[str]
    execution_arn: pulumi.Output[str]

    def __init__(self, name: str, args: HttpApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("quintet:network:HttpApi", checked_name(name), None, opts)
        child = pulumi.ResourceOptions(parent=self)
        api = aws.apigatewayv2.Api(
            f"{name}-api",
            protocol_type="HTTP",
            cors_configuration=_cors(args),
            # With a domain of one's own the other address would be a side door.
            disable_execute_api_endpoint=True if args.domain else None,
            opts=child,
        )
        self.api_id, self.execution_arn = api.id, api.execution_arn
        stage = _stage(name, args, api, child)
        authorizer = _authorizer(name, args, api, child)
        for number, (key, to) in enumerate(sorted(args.routes.items())):
            _route(f"{name}-{number}", key, to, args=args, api=api, authorizer=authorizer, child=child)
        self.url = api.api_endpoint if args.domain is None else attach_domain(name, args.domain, api, stage, child)
        self._alarms(name, args, child)
        self.register_outputs({"url": self.url, "apiId": self.api_id})

    def series(self) -> dict[str, pulumi.Input[str]]:
        """The dimensions of the API's metrics."""
        return {"ApiId": self.api_id}

    def _alarms(self, name: str, args: HttpApiArgs, child: pulumi.ResourceOptions) -> None:
        failing = Alarm(
            description=f"{name}: one request in twenty or more is answered 5xx; read the service's log",
            namespace="AWS/ApiGateway",
            metric="5xx",
            dimensions=self.series(),
            # Each request counts 0 or 1, so the average is the share of failures.
            statistic="Average",
            threshold=0.05,
        )
        slow = Alarm(
            description=f"{name}: one answer in a hundred takes {args.slow_ms} ms or more",
            namespace="AWS/ApiGateway",
            metric="Latency",
            dimensions=self.series(),
            statistic="p99",
            threshold=args.slow_ms,
        )
        watch(f"{name}-5xx", failing, args.alarms, child)
        watch(f"{name}-latency", slow, args.alarms, child)


def _cors(args: HttpApiArgs) -> aws.apigatewayv2.ApiCorsConfigurationArgsDict | None:
    if not args.cors_origins:
        return None
    return {
        "allow_origins": list(args.cors_origins),
        "allow_methods": ["GET", "POST", "PUT", "PATCH", "DELETE"],
        "allow_headers": ["authorization", "content-type", "traceparent", "idempotency-key"],
        "expose_headers": ["x-request-id", "traceparent", "retry-after"],
        "max_age": 3600,
    }


def _stage(
    name: str, args: HttpApiArgs, api: aws.apigatewayv2.Api, child: pulumi.ResourceOptions
) -> aws.apigatewayv2.Stage:
    # Under /aws/vendedlogs/ delivery needs no account-wide resource policy, which has room for ten groups.
    logs = aws.cloudwatch.LogGroup(
        f"{name}-access-logs",
        name=log_group_name("/aws/vendedlogs/apis", name),
        retention_in_days=args.log_retention_days,
        kms_key_id=args.kms_key_arn,
        opts=child,
    )
    return aws.apigatewayv2.Stage(
        f"{name}-stage",
        api_id=api.id,
        name=_STAGE,
        auto_deploy=True,
        access_log_settings={"destination_arn": logs.arn, "format": json.dumps(_ACCESS_LOG)},
        default_route_settings={
            "throttling_rate_limit": args.throttle.rate,
            "throttling_burst_limit": args.throttle.burst,
            "detailed_metrics_enabled": True,
        },
        opts=child,
    )


def _authorizer(
    name: str, args: HttpApiArgs, api: aws.apigatewayv2.Api, child: pulumi.ResourceOptions
) -> aws.apigatewayv2.Authorizer | None:
    if args.authorization is not Authorization.JWT:
        return None
    return aws.apigatewayv2.Authorizer(
        f"{name}-jwt",
        api_id=api.id,
        authorizer_type="JWT",
        identity_sources=["$request.header.Authorization"],
        jwt_configuration={"issuer": args.jwt_issuer, "audiences": list(args.jwt_audiences)},
        opts=child,
    )


def _route(
    name: str,
    key: str,
    to: Target,
    *,
    args: HttpApiArgs,
    api: aws.apigatewayv2.Api,
    authorizer: aws.apigatewayv2.Authorizer | None,
    child: pulumi.ResourceOptions,
) -> None:
    integration = (
        _to_function(name, to, api, child) if isinstance(to, ContainerLambda) else _to_balancer(name, to, api, child)
    )
    target = pulumi.Output.concat("integrations/", integration.id)
    aws.apigatewayv2.Route(
        f"{name}-route",
        api_id=api.id,
        route_key=key,
        target=target,
        authorization_type={"none": "NONE", "jwt": "JWT", "iam": "AWS_IAM"}[args.authorization.value],
        authorizer_id=authorizer.id if authorizer else None,
        opts=child,
    )
    if args.cors_origins and args.authorization is not Authorization.NONE and key.startswith("ANY "):
        # A browser's preflight carries no token; ANY would refuse it before CORS is looked at.
        aws.apigatewayv2.Route(
            f"{name}-preflight",
            api_id=api.id,
            route_key=f"OPTIONS {key.removeprefix('ANY ')}",
            target=target,
            authorization_type="NONE",
            opts=child,
        )
    if isinstance(to, ContainerLambda):
        _permission(name, key, to, api, child)


def _to_function(
    name: str, function: ContainerLambda, api: aws.apigatewayv2.Api, child: pulumi.ResourceOptions
) -> aws.apigatewayv2.Integration:
    return aws.apigatewayv2.Integration(
        f"{name}-integration",
        api_id=api.id,
        integration_type="AWS_PROXY",
        integration_uri=function.invoke_arn,
        payload_format_version="2.0",
        timeout_milliseconds=min(function.timeout_seconds + 1, LONGEST_WAIT_SECONDS) * 1000,
        opts=child,
    )


def _to_balancer(
    name: str, balancer: PrivateBalancer, api: aws.apigatewayv2.Api, child: pulumi.ResourceOptions
) -> aws.apigatewayv2.Integration:
    return aws.apigatewayv2.Integration(
        f"{name}-integration",
        api_id=api.id,
        integration_type="HTTP_PROXY",
        integration_method="ANY",
        connection_type="VPC_LINK",
        connection_id=balancer.link_id,
        integration_uri=balancer.listener_arn,
        payload_format_version="1.0",
        request_parameters={f"overwrite:header.{ADDRESS_HEADER}": "$context.identity.sourceIp"},
        timeout_milliseconds=min(balancer.timeout_seconds + 1, LONGEST_WAIT_SECONDS) * 1000,
        opts=child,
    )


def _permission(
    name: str, key: str, function: ContainerLambda, api: aws.apigatewayv2.Api, child: pulumi.ResourceOptions
) -> None:
    aws.lambda_.Permission(
        f"{name}-permission",
        action="lambda:InvokeFunction",
        function=function.function_name,
        qualifier=function.alias_name,
        principal="apigateway.amazonaws.com",
        source_arn=pulumi.Output.concat(api.execution_arn, f"/{_STAGE}", _source(key)),
        opts=child,
    )


def _source(key: str) -> str:
    """What follows the stage in the ARN of a route, as `/POST/items` or `/*/{path+}`."""
    if key == "$default":
        return "/$default"
    method, path = key.split(" ", 1)
    return f"/{'*' if method == 'ANY' else method}{path}"
