"""HTTP APIs. Their address is a path of the emulator, as a host name of their own needs a name server."""

from collections.abc import Mapping
from typing import Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, kind
from quintet.sandbox.kinds.calls import ONE_REGION, RefusedError, absent, chosen, pascal, present, removed_tags

_TIMEOUT_MAXIMUM = 30_000
"""Milliseconds that an integration of an HTTP API may take (API Gateway quotas for HTTP APIs)."""


class Gateway(Kind):
    """What all types of the service share."""

    ignored: ClassVar[Mapping[str, str]] = ONE_REGION

    @property
    def _gateway(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("apigatewayv2")

    def _tag(self, arn: str, old: Properties, inputs: Properties) -> None:
        if gone := removed_tags(old, inputs):
            self._gateway.untag_resource(ResourceArn=arn, TagKeys=gone)
        if tags := inputs.get("tags"):
            self._gateway.tag_resource(ResourceArn=arn, Tags=tags)


@kind
class Api(Gateway):
    """An HTTP API with its CORS rules."""

    token = "aws:apigatewayv2/api:Api"
    name_input = "name"
    name_limit = 128
    replace_on = frozenset({"protocolType"})
    consumed = frozenset({"corsConfiguration", "description", "disableExecuteApiEndpoint", "tags", "version"})
    ignored: ClassVar[Mapping[str, str]] = {
        **ONE_REGION,
        "ipAddressType": "the sandbox answers on 127.0.0.1 only",
        "apiKeySelectionExpression": "HTTP APIs have no API keys",
    }

    def check(self, inputs: Properties) -> Properties:
        """HTTP APIs only."""
        if inputs.get("protocolType") != "HTTP":
            raise RefusedError(f"the sandbox runs APIs of `protocolType` HTTP, not {inputs.get('protocolType')}")
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it."""
        arguments = chosen(inputs, "name", "protocolType", *sorted(self.consumed - {"tags"}))
        if inputs.get("tags"):
            arguments["Tags"] = inputs["tags"]
        id_ = self._gateway.create_api(**arguments)["ApiId"]
        region, account = self.world.region, self.world.account
        return id_, {
            "apiEndpoint": api_endpoint(self.world.url, id_),
            "arn": f"arn:aws:apigateway:{region}::/apis/{id_}",
            "executionArn": f"arn:aws:execute-api:{region}:{account}:{id_}",
            "routeSelectionExpression": "$request.method $request.path",
            "tagsAll": inputs.get("tags") or {},
        }

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change its settings; a CORS configuration that is gone has a call of its own."""
        plain = {"description": "", "version": "", "disableExecuteApiEndpoint": False}
        arguments = pascal({**plain, **{name: inputs[name] for name in plain if inputs.get(name) is not None}})
        self._gateway.update_api(ApiId=id_, **arguments, **chosen(inputs, "name", "corsConfiguration"))
        if old.get("corsConfiguration") and not inputs.get("corsConfiguration"):
            self._gateway.delete_cors_configuration(ApiId=id_)
        self._tag(old["arn"], old, inputs)
        return {"apiEndpoint": api_endpoint(self.world.url, id_), "tagsAll": inputs.get("tags") or {}}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it with what it has."""
        absent(lambda: self._gateway.delete_api(ApiId=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there; its address follows the emulator's port."""
        if present(lambda: self._gateway.get_api(ApiId=id_)) is None:
            return None
        return {**outputs, "apiEndpoint": api_endpoint(self.world.url, id_)}


def api_endpoint(url: str, id_: str) -> str:
    """Where an API answers in the sandbox."""
    return f"{url}/_aws/execute-api/{id_}"


class PartOfApi(Gateway):
    """What an API consists of: made, changed, read and deleted by calls that are named alike."""

    noun: ClassVar[str]
    id_argument: ClassVar[str]
    renamed: ClassVar[Mapping[str, str]] = {}
    defaults: ClassVar[Mapping[str, Any]] = {}
    """What an input goes back to when it is left out: an update of AWS keeps what it is not told."""

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it."""
        answer = self._call("create", ApiId=inputs["apiId"], **self.arguments(inputs))
        return answer[self.id_argument], self.outputs(inputs, answer)

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change it."""
        dropped = {name: value for name, value in self.defaults.items() if old.get(name) and not inputs.get(name)}
        arguments = {**pascal(dropped, self.renamed), **self.arguments(inputs), self.id_argument: id_}
        answer = self._call("update", ApiId=inputs["apiId"], **arguments)
        return self.outputs(inputs, answer)

    def delete(self, id_: str, outputs: Properties) -> None:
        """Delete it."""
        absent(lambda: self._call("delete", ApiId=outputs["apiId"], **{self.id_argument: id_}))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether the API has it."""
        found = present(lambda: self._call("get", ApiId=outputs["apiId"], **{self.id_argument: id_}))
        return outputs if found else None

    def arguments(self, inputs: Properties) -> dict[str, Any]:
        """The inputs as arguments of `create` and `update`."""
        return chosen(inputs, *sorted(self.consumed - {"tags"}), renamed=self.renamed)

    def outputs(self, inputs: Properties, answer: Properties) -> Properties:  # noqa: ARG002  for those that have any
        """What the answer tells beyond the inputs."""
        return {}

    def _call(self, verb: str, **arguments: Any) -> Any:  # noqa: ANN401  a call of a boto3 client
        return getattr(self._gateway, f"{verb}_{self.noun}")(**arguments)


@kind
class Integration(PartOfApi):
    """What a route calls."""

    token = "aws:apigatewayv2/integration:Integration"
    noun, id_argument = "integration", "IntegrationId"
    replace_on = frozenset({"apiId"})
    renamed: ClassVar[Mapping[str, str]] = {"timeoutMilliseconds": "TimeoutInMillis"}
    defaults: ClassVar[Mapping[str, Any]] = {"description": "", "requestParameters": {}, "timeoutMilliseconds": 30_000}
    consumed = frozenset(
        {"connectionId", "connectionType", "description", "integrationMethod", "integrationType", "integrationUri",
         "payloadFormatVersion", "requestParameters", "timeoutMilliseconds"}
    )  # fmt: skip
    ignored: ClassVar[Mapping[str, str]] = {
        **ONE_REGION,
        "passthroughBehavior": "only WebSocket APIs have it",
    }

    def check(self, inputs: Properties) -> Properties:
        """A Lambda function with payload format 2.0, which is what the emulator sends, or an HTTP address."""
        if inputs.get("integrationType") not in {"AWS_PROXY", "HTTP_PROXY"}:
            raise RefusedError("the sandbox runs integrations of `integrationType` AWS_PROXY and HTTP_PROXY")
        if inputs["integrationType"] == "AWS_PROXY" and inputs.get("payloadFormatVersion") != "2.0":
            raise RefusedError('`payloadFormatVersion` must be "2.0"; AWS takes "1.0" where it is left out')
        if not 50 <= inputs.get("timeoutMilliseconds", _TIMEOUT_MAXIMUM) <= _TIMEOUT_MAXIMUM:  # noqa: PLR2004  AWS's least
            raise RefusedError("`timeoutMilliseconds` of an HTTP API is 50 to 30000")
        _refuse_half_a_link(inputs)
        return inputs

    def arguments(self, inputs: Properties) -> dict[str, Any]:
        """Names of headers and the like stay as they are written."""
        arguments = super().arguments(inputs)
        if parameters := inputs.get("requestParameters"):
            arguments["RequestParameters"] = parameters
        return arguments


def _refuse_half_a_link(inputs: Properties) -> None:
    by_link = inputs.get("connectionType") == "VPC_LINK"
    if by_link != (inputs.get("connectionId") is not None):
        raise RefusedError('`connectionId` names a VPC link, for the `connectionType` "VPC_LINK" and no other')
    if by_link and (inputs["integrationType"] != "HTTP_PROXY" or not inputs.get("integrationMethod")):
        raise RefusedError('through a VPC link the `integrationType` is "HTTP_PROXY", with an `integrationMethod`')


@kind
class Route(PartOfApi):
    """Which requests go where."""

    token = "aws:apigatewayv2/route:Route"
    noun, id_argument = "route", "RouteId"
    replace_on = frozenset({"apiId"})
    defaults: ClassVar[Mapping[str, Any]] = {
        "authorizationType": "NONE",
        "authorizationScopes": [],
        "authorizerId": "",
        "operationName": "",
    }
    consumed = frozenset(
        {"authorizationScopes", "authorizationType", "authorizerId", "operationName", "routeKey", "target"}
    )
    ignored: ClassVar[Mapping[str, str]] = {**ONE_REGION, "apiKeyRequired": "HTTP APIs have no API keys"}


@kind
class Authorizer(PartOfApi):
    """Who may call a route."""

    token = "aws:apigatewayv2/authorizer:Authorizer"
    name_input = "name"
    name_limit = 128
    noun, id_argument = "authorizer", "AuthorizerId"
    replace_on = frozenset({"apiId"})
    renamed: ClassVar[Mapping[str, str]] = {"identitySources": "IdentitySource", "audiences": "Audience"}
    consumed = frozenset(
        {"authorizerPayloadFormatVersion", "authorizerResultTtlInSeconds", "authorizerType", "authorizerUri",
         "enableSimpleResponses", "identitySources", "jwtConfiguration"}
    )  # fmt: skip

    def arguments(self, inputs: Properties) -> dict[str, Any]:
        """With its name."""
        return {"Name": inputs["name"], **super().arguments(inputs)}


@kind
class Stage(PartOfApi):
    """Where an API is served; the emulator keeps its throttling and does not throttle."""

    token = "aws:apigatewayv2/stage:Stage"
    name_input = "name"
    name_limit = 128
    noun, id_argument = "stage", "StageName"
    replace_on = frozenset({"apiId"})
    consumed = frozenset(
        {"accessLogSettings", "autoDeploy", "defaultRouteSettings", "description", "routeSettings", "stageVariables",
         "tags"}
    )  # fmt: skip
    defaults: ClassVar[Mapping[str, Any]] = {
        "description": "",
        "stageVariables": {},
        "defaultRouteSettings": {},
        "accessLogSettings": {},
        "autoDeploy": False,
    }

    def check(self, inputs: Properties) -> Properties:
        """Deployed by itself: nobody makes deployments in the sandbox."""
        if not inputs.get("autoDeploy"):
            raise RefusedError("a stage without `autoDeploy` serves nothing until somebody deploys to it")
        return inputs

    def arguments(self, inputs: Properties) -> dict[str, Any]:
        """Names of variables and routes stay as they are written."""
        arguments = chosen(inputs, "accessLogSettings", "autoDeploy", "defaultRouteSettings", "description")
        if variables := inputs.get("stageVariables"):
            arguments["StageVariables"] = variables
        if settings := inputs.get("routeSettings"):
            bare = [{key: value for key, value in each.items() if key != "routeKey"} for each in settings]
            arguments["RouteSettings"] = {
                each["routeKey"]: pascal(rest) for each, rest in zip(settings, bare, strict=True)
            }
        return {"StageName": inputs["name"], **arguments}

    def outputs(self, inputs: Properties, answer: Properties) -> Properties:  # noqa: ARG002  told by the inputs alone
        """Its addresses; the tags are put apart, as they are not part of an update."""
        api, name, region = inputs["apiId"], inputs["name"], self.world.region
        arn = f"arn:aws:apigateway:{region}::/apis/{api}/stages/{name}"
        path = "/" if name == "$default" else f"/{name}"
        self._tag(arn, {}, inputs)
        return {
            "arn": arn,
            "executionArn": f"arn:aws:execute-api:{region}:{self.world.account}:{api}/{name}",
            "invokeUrl": api_endpoint(self.world.url, api) + path,
            "tagsAll": inputs.get("tags") or {},
        }
