from pathlib import Path
from typing import Any

import pulumi
import pytest

from quintet.sandbox.engine.recording import Recording
from stacks.components.arguments import ArgumentsError
from stacks.components.custom_domain import CustomDomain
from stacks.components.function import ContainerLambda, ContainerLambdaArgs
from stacks.components.http_api import Authorization, HttpApi, HttpApiArgs, Throttle
from tests.stacks.declaring import ACCOUNT, KEY, Declare, a_topic, an_image, parsed, small_context

ROUTE, PERMISSION = "aws:apigatewayv2/route:Route", "aws:lambda/permission:Permission"
CERTIFICATE = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/1"
JWT = {
    "authorization": Authorization.JWT,
    "jwt_issuer": "https://issuer.example.com",
    "jwt_audiences": ("quintet",),
}


@pytest.fixture
def context(tmp_path: Path) -> Path:
    return small_context(tmp_path / "context")


def declared(
    declare: Declare, context: Path, *, routes: tuple[str, ...] = ("ANY /{path+}",), timeout: int = 29, **changes: Any
) -> Recording:
    def program() -> None:
        alarms = a_topic()
        args = ContainerLambdaArgs(
            image=an_image(context), handler="app.main.handler", alarms=alarms, timeout_seconds=timeout
        )
        function = ContainerLambda("echo", args)
        given = {"routes": dict.fromkeys(routes, function), "alarms": alarms}
        pulumi.export("url", HttpApi("echo", HttpApiArgs(**(given | changes))).url)

    return declare(program)


def test_an_api_sends_each_route_to_the_alias(declare: Declare, context: Path) -> None:
    recording = declared(declare, context)

    integration = recording.one("aws:apigatewayv2/integration:Integration")
    alias = recording.one("aws:lambda/alias:Alias")
    assert integration.inputs["integrationUri"] == alias.outputs["invokeArn"]
    assert integration.inputs["payloadFormatVersion"] == "2.0"
    assert recording.one(ROUTE).inputs["target"] == f"integrations/{integration.id}"
    assert recording.one(ROUTE).inputs["routeKey"] == "ANY /{path+}"
    assert recording.outputs["url"] == recording.one("aws:apigatewayv2/api:Api").outputs["apiEndpoint"]


@pytest.mark.parametrize(("timeout", "wait"), [(5, 6_000), (29, 30_000), (30, 30_000), (900, 30_000)])
def test_the_api_waits_as_long_as_the_function_takes_and_no_longer_than_it_can(
    declare: Declare, context: Path, timeout: int, wait: int
) -> None:
    integration = declared(declare, context, timeout=timeout).one("aws:apigatewayv2/integration:Integration")

    assert integration.inputs["timeoutMilliseconds"] == wait


@pytest.mark.parametrize(
    ("route", "source"),
    [("ANY /{path+}", "/*/{path+}"), ("POST /items/{id}", "/POST/items/{id}"), ("$default", "/$default")],
)
def test_the_api_may_call_the_alias_for_that_route_only(
    declare: Declare, context: Path, route: str, source: str
) -> None:
    recording = declared(declare, context, routes=(route,))

    permission = recording.one(PERMISSION).inputs
    api = recording.one("aws:apigatewayv2/api:Api").outputs["executionArn"]
    assert permission["qualifier"] == "live"
    assert permission["function"] == recording.one("aws:lambda/function:Function").outputs["name"]
    assert permission["principal"] == "apigateway.amazonaws.com"
    assert permission["sourceArn"] == f"{api}/$default{source}"


def test_several_routes_have_a_permission_each(declare: Declare, context: Path) -> None:
    recording = declared(declare, context, routes=("GET /a", "POST /b"))

    assert [item.inputs["routeKey"] for item in recording.of(ROUTE)] == ["GET /a", "POST /b"]
    assert len({item.inputs["sourceArn"] for item in recording.of(PERMISSION)}) == 2


def test_a_changed_route_is_deployed_at_once_and_throttled(declare: Declare, context: Path) -> None:
    stage = declared(declare, context, throttle=Throttle(rate=5, burst=7)).one("aws:apigatewayv2/stage:Stage").inputs

    assert (stage["name"], stage["autoDeploy"]) == ("$default", True)
    assert stage["defaultRouteSettings"] == {
        "throttlingRateLimit": 5,
        "throttlingBurstLimit": 7,
        "detailedMetricsEnabled": True,
    }


def test_access_logs_are_json_without_texts_paths_or_addresses(declare: Declare, context: Path) -> None:
    recording = declared(declare, context, log_retention_days=7, kms_key_arn=KEY)

    group = recording.one("aws:cloudwatch/logGroup:LogGroup", name="echo-access-logs")
    settings = recording.one("aws:apigatewayv2/stage:Stage").inputs["accessLogSettings"]
    line = parsed(settings["format"])
    assert settings["destinationArn"] == group.outputs["arn"]
    assert group.inputs["name"] == "/aws/vendedlogs/apis/quintet-test-echo"
    assert (group.inputs["retentionInDays"], group.inputs["kmsKeyId"]) == (7, KEY)
    assert {"requestId", "routeKey", "status", "responseLatencyMs"} <= line.keys()
    assert not any(word in settings["format"] for word in ("sourceIp", "context.path", "userAgent", "body"))


def test_failures_and_slow_answers_are_watched(declare: Declare, context: Path) -> None:
    recording = declared(declare, context, slow_ms=800)

    api = recording.one("aws:apigatewayv2/api:Api").id
    failing = recording.one("aws:cloudwatch/metricAlarm:MetricAlarm", name="echo-5xx").inputs
    slow = recording.one("aws:cloudwatch/metricAlarm:MetricAlarm", name="echo-latency").inputs
    assert (failing["metricName"], failing["statistic"], failing["threshold"]) == ("5xx", "Average", 0.05)
    assert (slow["metricName"], slow["extendedStatistic"], slow["threshold"]) == ("Latency", "p99", 800)
    assert failing["dimensions"] == slow["dimensions"] == {"ApiId": api}


def test_anyone_may_call_and_no_site_may_by_default(declare: Declare, context: Path) -> None:
    recording = declared(declare, context)

    assert recording.one(ROUTE).inputs["authorizationType"] == "NONE"
    assert recording.of("aws:apigatewayv2/authorizer:Authorizer") == []
    api = recording.one("aws:apigatewayv2/api:Api").inputs
    assert not {"corsConfiguration", "disableExecuteApiEndpoint"} & api.keys()


def test_signed_requests_only(declare: Declare, context: Path) -> None:
    recording = declared(declare, context, authorization=Authorization.IAM)

    assert recording.one(ROUTE).inputs["authorizationType"] == "AWS_IAM"


def test_tokens_of_one_issuer_for_one_audience_only(declare: Declare, context: Path) -> None:
    recording = declared(declare, context, **JWT)

    authorizer = recording.one("aws:apigatewayv2/authorizer:Authorizer")
    route = recording.one(ROUTE).inputs
    assert authorizer.inputs["authorizerType"] == "JWT"
    assert authorizer.inputs["jwtConfiguration"] == {"issuer": JWT["jwt_issuer"], "audiences": ["quintet"]}
    assert (route["authorizationType"], route["authorizerId"]) == ("JWT", authorizer.id)


def test_pages_of_a_site_may_call(declare: Declare, context: Path) -> None:
    api = declared(declare, context, cors_origins=("https://site.example",)).one("aws:apigatewayv2/api:Api")

    cors = api.inputs["corsConfiguration"]
    assert cors["allowOrigins"] == ["https://site.example"]
    assert "POST" in cors["allowMethods"]
    assert "authorization" in cors["allowHeaders"]


def test_a_preflight_needs_no_token(declare: Declare, context: Path) -> None:
    recording = declared(declare, context, cors_origins=("https://site.example",), **JWT)

    routes = {item.inputs["routeKey"]: item.inputs["authorizationType"] for item in recording.of(ROUTE)}
    assert routes == {"ANY /{path+}": "JWT", "OPTIONS /{path+}": "NONE"}


def test_an_address_of_ones_own_leaves_no_side_door(declare: Declare, context: Path) -> None:
    domain = CustomDomain(name="api.example.com", certificate_arn=CERTIFICATE, zone_id="Z1")

    recording = declared(declare, context, domain=domain)

    host = recording.one("aws:apigatewayv2/domainName:DomainName").inputs
    mapping = recording.one("aws:apigatewayv2/apiMapping:ApiMapping").inputs
    record = recording.one("aws:route53/record:Record").inputs
    assert recording.outputs["url"] == "https://api.example.com"
    assert recording.one("aws:apigatewayv2/api:Api").inputs["disableExecuteApiEndpoint"] is True
    assert host["domainNameConfiguration"]["securityPolicy"] == "TLS_1_2"
    assert host["domainNameConfiguration"]["certificateArn"] == CERTIFICATE
    assert (mapping["domainName"], mapping["stage"]) == ("api.example.com", "$default")
    assert (record["name"], record["zoneId"], record["type"]) == ("api.example.com", "Z1", "A")


def test_a_domain_whose_dns_is_elsewhere_gets_no_record(declare: Declare, context: Path) -> None:
    recording = declared(declare, context, domain=CustomDomain(name="api.example.com", certificate_arn=CERTIFICATE))

    assert recording.of("aws:route53/record:Record") == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"routes": ()}, "routes is empty"),
        ({"routes": ("FETCH /a",)}, "a route is 'FETCH /a'"),
        ({"authorization": Authorization.JWT}, "jwt needs jwt_issuer; jwt needs jwt_audiences"),
        ({"jwt_issuer": "https://a.example"}, "go with authorization jwt only"),
        ({**JWT, "jwt_issuer": "issuer"}, "jwt_issuer is 'issuer'"),
        ({"cors_origins": ("*",)}, r"cors_origins is '\*'"),
        ({"slow_ms": 31_000}, "slow_ms is 31000; allowed are 1 to 30000 ms"),
        ({"log_retention_days": 2}, "log_retention_days is 2"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    declare: Declare, context: Path, changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(Exception, match=complaint) as refused:
        declared(declare, context, **changes)

    assert "HttpApiArgs" in str(refused.value)


@pytest.mark.parametrize(("rate", "burst", "wrong"), [(0, 1, "rate is 0"), (1, 5_001, "burst is 5001")])
def test_a_throttle_beyond_an_accounts_quota_is_refused(rate: float, burst: int, wrong: str) -> None:
    with pytest.raises(ArgumentsError, match=wrong):
        Throttle(rate=rate, burst=burst)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"name": "https://api.example.com"}, "name is"),
        ({"certificate_arn": "mine"}, "certificate_arn is"),
        ({"zone_id": "example.com"}, "zone_id is"),
    ],
)
def test_a_domain_that_leads_nowhere_is_refused(changes: dict[str, str], wrong: str) -> None:
    with pytest.raises(ArgumentsError, match=wrong):
        CustomDomain(**({"name": "api.example.com", "certificate_arn": CERTIFICATE} | changes))
