"""Route -> integration -> alias of a function -> permission with that qualifier, for that very route."""

import re
from collections.abc import Iterator
from typing import Any

from quintet.sandbox.engine.state import Resource
from tests.stacks.edges.graph import Caller, Graph, admits, name

ALIAS, PERMISSION = "aws:lambda/alias:Alias", "aws:lambda/permission:Permission"
_FUNCTION = re.compile(r"arn:aws:lambda:[^/]+")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


def callable_by_their_api(graph: Graph) -> Iterator[str]:
    for route in graph.of("aws:apigatewayv2/route:Route"):
        yield from _followed(graph, route)


def permission_policy(graph: Graph, function: str, qualifier: str | None) -> list[dict[str, Any]]:
    """The function's policy for a qualifier, as Lambda writes it from the declared permissions."""
    declared = [item.outputs for item in graph.of(PERMISSION) if item.outputs.get("qualifier") == qualifier]
    return [_statement(item) for item in declared if function in {item["function"], _name_in(item["function"])}]


def _followed(graph: Graph, route: Resource) -> Iterator[str]:
    key, api = route.outputs["routeKey"], route.outputs["apiId"]
    integration = _integration(graph, route)
    if integration is None:
        yield f"{name(route)}: {key!r} leads nowhere: its target is no integration of its API. Declare one"
        return
    if integration.outputs["integrationType"] != "AWS_PROXY":
        return
    called = _FUNCTION.search(str(integration.outputs["integrationUri"]))
    alias = graph.first(ALIAS, "arn", called[0] if called else None)
    if alias is None:
        yield (
            f"{name(integration)}: it calls {integration.outputs['integrationUri']}, which is no declared alias, so "
            "that an update would reach every caller at once. Use the alias's `invoke_arn`"
        )
        return
    stages = graph.where("aws:apigatewayv2/stage:Stage", "apiId", api)
    if not stages:
        yield f"{name(route)}: its API has no stage, and so no address. Declare aws.apigatewayv2.Stage"
    for stage in stages:
        yield from _permitted(graph, route, alias, stage.outputs["executionArn"])


def _integration(graph: Graph, route: Resource) -> Resource | None:
    wanted = str(route.outputs.get("target")).removeprefix("integrations/")
    of_api = graph.where("aws:apigatewayv2/integration:Integration", "apiId", route.outputs["apiId"])
    return next((item for item in of_api if item.id == wanted), None)


def _permitted(graph: Graph, route: Resource, alias: Resource, stage_arn: str) -> Iterator[str]:
    function, qualifier = alias.outputs["functionName"], alias.outputs["name"]
    policy, arn = permission_policy(graph, function, qualifier), alias.outputs["arn"]
    sources = [f"{stage_arn}{path}" for path in _paths(route.outputs["routeKey"])]
    pattern = _pattern(stage_arn, route.outputs["routeKey"])
    declare = (
        f"aws.lambda_.Permission(action='lambda:InvokeFunction', function='{function}', qualifier='{qualifier}', "
        f"principal='apigateway.amazonaws.com', source_arn='{pattern}')"
    )
    where = f"{name(route)}: {route.outputs['routeKey']!r} calls {function}:{qualifier}"
    if not all(_may(policy, source, arn) for source in sources):
        yield f"{where}, which no permission with that qualifier allows: the API would answer 500. Declare {declare}"
    elif _may(policy, f"{stage_arn}/GET/another-route", arn):
        yield f"{where}, and its permission lets every route of the API. Declare exactly {declare}"


def _may(policy: list[dict[str, Any]], source: str, alias_arn: str) -> bool:
    return admits(policy, Caller("apigateway.amazonaws.com", source), "lambda:InvokeFunction", alias_arn)


def _paths(key: str) -> list[str]:
    if key == "$default":
        return ["/$default"]
    method, path = key.split(" ", 1)
    return [f"/{one}{path}" for one in (_METHODS if method == "ANY" else (method,))]


def _pattern(stage_arn: str, key: str) -> str:
    if key == "$default":
        return f"{stage_arn}/$default"
    method, path = key.split(" ", 1)
    return f"{stage_arn}/{'*' if method == 'ANY' else method}{path}"


def _statement(permission: dict[str, Any]) -> dict[str, Any]:
    """What AddPermission makes of its arguments; it names the qualified function as the resource."""
    condition: dict[str, dict[str, str]] = {}
    if source := permission.get("sourceArn"):
        condition["ArnLike"] = {"AWS:SourceArn": source}
    if account := permission.get("sourceAccount"):
        condition["StringEquals"] = {"AWS:SourceAccount": account}
    return {
        "Effect": "Allow",
        "Principal": {"Service": permission["principal"]},
        "Action": permission["action"],
        "Resource": "*",
        "Condition": condition,
    }


def _name_in(function: str) -> str:
    """A function's name, whether the permission gives it or its ARN."""
    return function.split(":")[6] if function.startswith("arn:") else function
