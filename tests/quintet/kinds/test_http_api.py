"""An HTTP API in front of a function, called as a client calls it."""

import json
import time
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.quintet.emulator.running import StubFront, policy
from tests.quintet.kinds.deploying import Deployer, Made
from tests.quintet.kinds.test_lambda import alias, total


class Served:
    """An API with a route to an alias, as the program declares it."""

    def __init__(self, deploy: Deployer, *, allowed: bool = True, stage: bool = True, source: str = "*", **api: Any):
        self.deploy = deploy
        self.function = deploy.function()
        self.alias = alias(deploy, self.function)
        self.api = deploy.make("aws:apigatewayv2/api:Api", protocolType="HTTP", **api)
        self.integration = deploy.make(
            "aws:apigatewayv2/integration:Integration",
            apiId=self.api.id,
            integrationType="AWS_PROXY",
            integrationUri=self.alias["invokeArn"],
            payloadFormatVersion="2.0",
            integrationMethod="POST",
        )
        target = f"integrations/{self.integration.id}"
        route = {"apiId": self.api.id, "routeKey": "ANY /{path+}", "target": target}
        self.route = deploy.make("aws:apigatewayv2/route:Route", **route)
        if stage:
            self.stage = self._stage()
        if allowed:
            self.allow(f"{self.api['executionArn']}/{source}")

    def _stage(self) -> Made:
        self.group = self.deploy.make("aws:cloudwatch/logGroup:LogGroup")
        line = {
            "id": "$context.requestId",
            "route": "$context.routeKey",
            "status": "$context.status",
            "x": "$context.no",
        }
        log = {"destinationArn": self.group["arn"], "format": json.dumps(line)}
        given = {"apiId": self.api.id, "name": "$default", "autoDeploy": True, "accessLogSettings": log}
        return self.deploy.make("aws:apigatewayv2/stage:Stage", **given)

    def allow(self, source: str, *, qualifier: str | None = "live") -> Made:
        return self.deploy.make(
            "aws:lambda/permission:Permission",
            function=self.function["name"],
            qualifier=qualifier,
            action="lambda:InvokeFunction",
            principal="apigateway.amazonaws.com",
            sourceArn=source,
        )

    def call(self, method: str = "POST", path: str = "/v1/moderate", **options: Any) -> httpx.Response:
        return httpx.request(method, self.api["apiEndpoint"] + path, trust_env=False, timeout=10, **options)

    def signed(self, allows: str) -> httpx.Response:
        """A call with the credentials of a role that has this policy."""
        role = self.deploy.role()
        self.deploy.make("aws:iam/rolePolicy:RolePolicy", role=role["name"], policy=allows)
        given = self.deploy.world.credentials(role["arn"], "session")
        credentials = Credentials(given.access_key_id, given.secret_access_key, given.session_token)
        request = AWSRequest("POST", self.api["apiEndpoint"] + "/v1/moderate", data=b"{}")
        SigV4Auth(credentials, "execute-api", "us-east-1").add_auth(request)
        return self.call(content=b"{}", headers=dict(request.headers))


def test_a_call_reaches_the_function(deploy: Deployer, front: StubFront) -> None:
    served = Served(deploy)
    front.answer = lambda event: (200, {}, {"statusCode": 201, "headers": {"x-a": "b"}, "body": event["rawPath"]})

    answer = served.call(json={"text": "hello"})

    assert (answer.status_code, answer.text, answer.headers["x-a"]) == (201, "/v1/moderate", "b")
    assert front.calls[0][0]["X-Amzn-Lambda-Invoked-Function-Arn"] == served.alias["arn"]


@pytest.mark.parametrize("source", ["*", "*/*", "*/POST/*", "$default/*/{path+}", "*/*/{path+}"])
def test_a_permission_for_the_route_allows_it(deploy: Deployer, source: str) -> None:
    assert Served(deploy, source=source).call().status_code == 200


@pytest.mark.parametrize("source", ["other/*", "*/GET/*", "*/*/v2"])
def test_a_permission_for_another_route_does_not(deploy: Deployer, source: str) -> None:
    assert Served(deploy, source=source).call().status_code == 500


def test_without_a_permission_the_call_fails_and_the_denial_is_told(deploy: Deployer, front: StubFront) -> None:
    mark = deploy.world.denials.mark()
    served = Served(deploy, allowed=False)

    answer = served.call()

    (denial,) = deploy.world.denials.since(mark)
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})
    assert (denial.principal, denial.action) == ("apigateway.amazonaws.com", "lambda:InvokeFunction")
    assert denial.resource == served.alias["arn"]
    assert front.calls == []


def test_a_permission_without_the_alias_does_not_allow_the_alias(deploy: Deployer) -> None:
    served = Served(deploy, allowed=False)
    served.allow(f"{served.api['executionArn']}/*", qualifier=None)

    assert served.call().status_code == 500


def test_a_permission_that_is_taken_away_is_missed(deploy: Deployer) -> None:
    served = Served(deploy, allowed=False)
    permission = served.allow(f"{served.api['executionArn']}/*")
    before = served.call().status_code

    permission.delete()

    assert (before, served.call().status_code) == (200, 500)


def test_the_error_of_a_function_stays_inside(deploy: Deployer, front: StubFront) -> None:
    front.answer = lambda event: (200, {"X-Amz-Function-Error": "Unhandled"}, {"errorMessage": "secret detail"})

    answer = Served(deploy).call()

    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})


def test_a_throttled_function_is_not_available(deploy: Deployer, front: StubFront) -> None:
    front.answer = lambda event: (429, {}, {})

    answer = Served(deploy).call()

    assert (answer.status_code, answer.json()) == (503, {"message": "Service Unavailable"})


def test_a_slow_function_is_cut_off_at_the_timeout_of_its_integration(deploy: Deployer, front: StubFront) -> None:
    served = Served(deploy)
    served.integration.update({**served.integration.inputs, "timeoutMilliseconds": 100})
    front.answer = lambda event: (time.sleep(1), 200, {}, {})[1:]

    started = time.monotonic()
    answer = served.call()

    assert (answer.status_code, answer.json()) == (503, {"message": "Service Unavailable"})
    assert time.monotonic() - started < 0.9


def test_a_body_above_ten_megabytes_is_too_large(deploy: Deployer, front: StubFront) -> None:
    answer = Served(deploy).call(content=b"x" * (10 * 1024 * 1024 + 1))

    assert answer.status_code == 413
    assert front.calls == []


def test_an_api_without_a_stage_has_no_address(deploy: Deployer) -> None:
    assert Served(deploy, stage=False).call().status_code == 404


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eDp5"}])
def test_a_route_with_iam_authorization_admits_signed_calls_only(deploy: Deployer, headers: dict[str, str]) -> None:
    served = Served(deploy)
    served.route.update({**served.route.inputs, "authorizationType": "AWS_IAM"})

    assert served.call(headers=headers).status_code == 403


def test_a_signed_call_needs_the_permission_to_invoke_the_api(deploy: Deployer) -> None:
    served = Served(deploy)
    served.route.update({**served.route.inputs, "authorizationType": "AWS_IAM"})

    allowed = served.signed(policy(("execute-api:Invoke", f"{served.api['executionArn']}/*")))
    denied = served.signed(policy(("execute-api:Invoke", f"{served.api['executionArn']}/*/GET/*")))

    assert (allowed.status_code, denied.status_code) == (200, 403)


def test_a_path_without_a_route_is_not_found(deploy: Deployer) -> None:
    assert Served(deploy).call(path="/").status_code == 404


def test_cors_is_answered_by_the_api(deploy: Deployer, front: StubFront) -> None:
    cors = {"allowOrigins": ["https://a.example"], "allowMethods": ["POST"], "allowHeaders": ["content-type"]}
    served = Served(deploy, corsConfiguration=cors)
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}

    preflight = served.call("OPTIONS", headers=asked)

    assert preflight.headers["access-control-allow-origin"] == "https://a.example"
    assert front.calls == []


def test_a_change_of_the_cors_rules_and_their_end_take_effect(deploy: Deployer) -> None:
    cors = {"allowOrigins": ["https://a.example"], "allowMethods": ["POST"]}
    served = Served(deploy, corsConfiguration=cors)

    served.api.update({"protocolType": "HTTP", "name": served.api["name"]})

    answer = served.call(headers={"Origin": "https://a.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_calls_are_counted_and_logged(deploy: Deployer, front: StubFront) -> None:
    served = Served(deploy)
    front.answer = lambda event: (200, {}, {"statusCode": 502, "body": ""})

    served.call()

    logs = deploy.world.client("logs")
    events = logs.filter_log_events(logGroupName=served.group.id)["events"]
    line = json.loads(events[0]["message"])
    assert {"route": "ANY /{path+}", "status": "502", "x": "-"}.items() <= line.items()
    assert total(deploy, "AWS/ApiGateway", "Count", {"ApiId": served.api.id}) == 1
    assert total(deploy, "AWS/ApiGateway", "5xx", {"ApiId": served.api.id}) == 1
    assert total(deploy, "AWS/Lambda", "Invocations", {"FunctionName": served.function.id}) == 1


def test_the_address_follows_the_emulator(deploy: Deployer) -> None:
    served = Served(deploy)
    moved = Deployer(type(deploy.world)(deploy.world.root, deploy.world.home, url=deploy.world.url))
    served.api.outputs["apiEndpoint"] = "http://127.0.0.1:1/_aws/execute-api/old"

    found = moved.cloud.read(served.api.type, served.api.id, served.api.outputs)

    assert found
    assert found["apiEndpoint"] == f"{deploy.world.url}/_aws/execute-api/{served.api.id}"
