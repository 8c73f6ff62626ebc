"""Target groups of network load balancers, and how their targets are checked."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from quintet.sandbox.kinds.base import Properties, is_unknown, kind
from quintet.sandbox.kinds.calls import ONE_REGION, RefusedError, absent, chosen, only, present, require, require_one_of
from quintet.sandbox.kinds.elb import LONGEST_NAME, LONGEST_PREFIX, Elb, between, fits, texts
from quintet.sandbox.listeners import Listeners

if TYPE_CHECKING:
    from quintet.sandbox.world import World

_HEALTH: Mapping[str, Any] = {
    "enabled": True,
    "healthyThreshold": 3,
    "interval": 30,
    "matcher": "200-399",
    "path": "/",
    "port": "traffic-port",
    "protocol": "TCP",
    "timeout": 10,
    "unhealthyThreshold": 3,
}
"""A target group's health check where the program says nothing (Network Load Balancers user guide, "Health checks")."""

_HTTP_ONLY = ("matcher", "path")
_BOUNDS = {"healthyThreshold": (2, 10), "interval": (5, 300), "timeout": (2, 120), "unhealthyThreshold": (2, 10)}
_OF_TARGET_GROUPS = {
    "connectionTermination": "deregistration_delay.connection_termination.enabled",
    "deregistrationDelay": "deregistration_delay.timeout_seconds",
    "preserveClientIp": "preserve_client_ip.enabled",
    "proxyProtocolV2": "proxy_protocol_v2.enabled",
}


@kind
class TargetGroup(Elb):
    """Where connections go; its targets are registered by the cluster's TargetGroupBinding."""

    token = "aws:lb/targetGroup:TargetGroup"
    name_input = "name"
    name_limit = LONGEST_NAME
    replace_on = frozenset({"namePrefix", "port", "protocol", "targetType", "vpcId"})
    consumed = frozenset({*_OF_TARGET_GROUPS, "healthCheck", "tags"})
    ignored: ClassVar[Mapping[str, str]] = {**ONE_REGION, "ipAddressType": "the sandbox answers on 127.0.0.0/8 only"}

    def check(self, inputs: Properties) -> Properties:
        """Addresses behind a network load balancer, and a health check that it takes."""
        if inputs.get("protocol") != "TCP" or inputs.get("targetType") != "ip":
            raise RefusedError('the sandbox runs target groups of `protocol` "TCP" and `targetType` "ip"')
        require(inputs, "namePrefix", fits, f"a prefix has at most {LONGEST_PREFIX} characters")
        check_health(inputs.get("healthCheck") or {})
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its ARN is its id."""
        arguments = {"Name": self.name(inputs), **chosen(inputs, "port", "protocol", "targetType", "vpcId")}
        made = self._elb.create_target_group(**arguments, **_health_arguments(inputs), **self.tagged(inputs))
        arn = made["TargetGroups"][0]["TargetGroupArn"]
        self._set(arn, inputs)
        names = {"arn": arn, "name": arguments["Name"], "arnSuffix": f"targetgroup/{arn.partition(':targetgroup/')[2]}"}
        return arn, {**names, "loadBalancerArns": [], "tagsAll": inputs.get("tags") or {}}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change the health check, which its listeners are told, the settings and the tags."""
        self._elb.modify_target_group(TargetGroupArn=id_, **_health_arguments(inputs))
        self._set(id_, inputs)
        tags = self.retag(id_, old, inputs)
        listeners = Listeners(self.world)
        for listener in listeners_of(self.world, id_):
            listeners.add(listener, id_)
        return tags

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it, unless a listener still sends connections there."""
        if used := listeners_of(self.world, id_):
            raise RefusedError(f"the listener {used[0]} still forwards to it")
        absent(lambda: self._elb.delete_target_group(TargetGroupArn=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if present(lambda: self._elb.describe_target_groups(TargetGroupArns=[id_])) else None

    def _set(self, arn: str, inputs: Properties) -> None:
        given = {theirs: inputs[ours] for ours, theirs in _OF_TARGET_GROUPS.items() if inputs.get(ours) is not None}
        if given:
            self._elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=texts(given))


def check_health(given: Properties) -> None:
    """Hold what AWS holds of a target group's health check behind a network load balancer.

    Raises:
        RefusedError: The message has the setting and what is allowed.
    """
    if is_unknown(given):
        return
    only(given, _HEALTH, "`healthCheck`")
    require_one_of(given, "protocol", ["TCP", "HTTP", "HTTPS"])
    for name, (low, high) in _BOUNDS.items():
        require(given, name, between(low, high), f"AWS takes {low} to {high}")
    if given.get("protocol", "TCP") == "TCP" and (wrong := [name for name in _HTTP_ONLY if given.get(name)]):
        raise RefusedError(f"a health check of `protocol` TCP has no `{wrong[0]}`")


def health_check(given: Properties) -> Properties:
    """A health check with everything that the program leaves to AWS."""
    return {**_HEALTH, **{key: value for key, value in given.items() if value is not None}}


def listeners_of(world: "World", target_group: str) -> list[str]:
    """The listeners that forward to a target group."""
    pages = world.client("elbv2").get_paginator("describe_load_balancers").paginate()
    balancers = [balancer["LoadBalancerArn"] for page in pages for balancer in page["LoadBalancers"]]
    described = (world.client("elbv2").describe_listeners(LoadBalancerArn=arn)["Listeners"] for arn in balancers)
    return [
        listener["ListenerArn"]
        for listeners in described
        for listener in listeners
        if any(action.get("TargetGroupArn") == target_group for action in listener["DefaultActions"])
    ]


def _health_arguments(inputs: Properties) -> dict[str, Any]:
    given = health_check(inputs.get("healthCheck") or {})
    arguments = {
        "HealthCheckEnabled": given["enabled"],
        "HealthCheckIntervalSeconds": given["interval"],
        "HealthCheckPort": str(given["port"]),
        "HealthCheckProtocol": given["protocol"],
        "HealthCheckTimeoutSeconds": given["timeout"],
        "HealthyThresholdCount": given["healthyThreshold"],
        "UnhealthyThresholdCount": given["unhealthyThreshold"],
    }
    of_http = {"HealthCheckPath": given["path"], "Matcher": {"HttpCode": given["matcher"]}}
    return arguments if given["protocol"] == "TCP" else {**arguments, **of_http}
