"""Network load balancers. The sandbox's cluster forwards what comes to them: it is told of every listener."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, is_unknown, kind
from quintet.sandbox.kinds.calls import (
    ONE_REGION,
    RefusedError,
    absent,
    chosen,
    only,
    pascal,
    present,
    removed_tags,
    require,
    tag_list,
)
from quintet.sandbox.listeners import Listeners

LONGEST_NAME, LONGEST_PREFIX, _UNIQUE_BYTES = 32, 6, 13
_OF_LOAD_BALANCERS = {
    "enableCrossZoneLoadBalancing": "load_balancing.cross_zone.enabled",
    "enableDeletionProtection": "deletion_protection.enabled",
}


class Elb(Kind):
    """What all types of the service share."""

    ignored: ClassVar[Mapping[str, str]] = ONE_REGION

    @property
    def _elb(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("elbv2")

    def name(self, inputs: Properties) -> str:
        """Its name, or the prefix that the program gives and what makes it the only one of that name."""
        return str(inputs.get("name") or f"{inputs['namePrefix']}{secrets.token_hex(_UNIQUE_BYTES)}")

    def tagged(self, inputs: Properties) -> dict[str, Any]:
        """The tags as an argument of a call that makes it."""
        return {"Tags": tag_list(inputs["tags"])} if inputs.get("tags") else {}

    def retag(self, arn: str, old: Properties, inputs: Properties) -> Properties:
        """Change the tags; the outputs that this changed."""
        if gone := removed_tags(old, inputs):
            self._elb.remove_tags(ResourceArns=[arn], TagKeys=gone)
        if tags := inputs.get("tags"):
            self._elb.add_tags(ResourceArns=[arn], Tags=tag_list(tags))
        return {"tagsAll": inputs.get("tags") or {}}


@kind
class LoadBalancer(Elb):
    """A load balancer of connections."""

    token = "aws:lb/loadBalancer:LoadBalancer"
    name_input = "name"
    name_limit = LONGEST_NAME
    replace_on = frozenset({"internal", "loadBalancerType", "namePrefix"})
    consumed = frozenset({*_OF_LOAD_BALANCERS, "accessLogs", "securityGroups", "subnets", "tags"})
    ignored: ClassVar[Mapping[str, str]] = {
        **ONE_REGION,
        "dnsRecordClientRoutingPolicy": "the sandbox has no zones that a name could prefer",
        "enforceSecurityGroupInboundRulesOnPrivateLinkTraffic": "nothing comes through PrivateLink here",
        "ipAddressType": "the sandbox answers on 127.0.0.0/8 only",
    }

    def check(self, inputs: Properties) -> Properties:
        """A network load balancer in at least one subnet."""
        if inputs.get("loadBalancerType") != "network":
            raise RefusedError('the sandbox runs load balancers of `loadBalancerType` "network"')
        require(inputs, "subnets", lambda ids: is_unknown(ids) or ids, "a load balancer is in at least one subnet")
        if inputs.get("subnets") is None:
            raise RefusedError("a load balancer needs `subnets`")
        require(inputs, "namePrefix", fits, f"a prefix has at most {LONGEST_PREFIX} characters")
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its ARN is its id."""
        vpc = self._network(inputs)
        scheme = "internal" if inputs.get("internal") else "internet-facing"
        arguments = {"Name": self.name(inputs), "Type": "network", "Scheme": scheme}
        made = self._elb.create_load_balancer(
            **arguments, **chosen(inputs, "subnets", "securityGroups"), **self.tagged(inputs)
        )["LoadBalancers"][0]
        arn = made["LoadBalancerArn"]
        self._set(arn, inputs)
        names = {"arn": arn, "arnSuffix": arn.partition(":loadbalancer/")[2], "dnsName": made["DNSName"]}
        names["name"] = made["LoadBalancerName"]
        return arn, {**names, "vpcId": vpc, "zoneId": "Z26RNL4JYFTOTI", "tagsAll": inputs.get("tags") or {}}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change where it is, who may use it, its settings and tags."""
        self._network(inputs)
        if set(old.get("subnets") or []) != set(inputs["subnets"]):
            self._elb.set_subnets(LoadBalancerArn=id_, Subnets=inputs["subnets"])
        groups = inputs.get("securityGroups") or []
        if set(old.get("securityGroups") or []) != set(groups):
            if not (groups and old.get("securityGroups")):
                raise RefusedError("a network load balancer gets its first security group when it is made, or never")
            self._elb.set_security_groups(LoadBalancerArn=id_, SecurityGroups=groups)
        self._set(id_, inputs)
        return self.retag(id_, old, inputs)

    def delete(self, id_: str, outputs: Properties) -> None:
        """Delete it, unless it is protected."""
        if outputs.get("enableDeletionProtection") and self.read(id_, outputs) is not None:
            raise RefusedError("it has `enableDeletionProtection`; deploy it without, then delete it")
        absent(lambda: self._elb.delete_load_balancer(LoadBalancerArn=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if present(lambda: self._elb.describe_load_balancers(LoadBalancerArns=[id_])) else None

    def _set(self, arn: str, inputs: Properties) -> None:
        attributes = {theirs: inputs.get(ours, False) for ours, theirs in _OF_LOAD_BALANCERS.items()}
        logs = inputs.get("accessLogs") or {}
        only(logs, ("bucket", "enabled", "prefix"), "`accessLogs`")
        attributes["access_logs.s3.enabled"] = bool(logs.get("enabled"))
        attributes |= {f"access_logs.s3.{key}": logs[key] for key in ("bucket", "prefix") if logs.get(key)}
        self._elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=texts(attributes))

    def _network(self, inputs: Properties) -> str:
        """The VPC of the subnets, which is that of the groups."""
        ec2, groups = self.world.client("ec2"), inputs.get("securityGroups") or []
        subnets = ec2.describe_subnets(SubnetIds=inputs["subnets"])["Subnets"]
        zones = [subnet["AvailabilityZone"] for subnet in subnets]
        if len(zones) != len(set(zones)):
            raise RefusedError(f"`subnets` has two of one zone ({', '.join(sorted(zones))}); one of each is allowed")
        described = ec2.describe_security_groups(GroupIds=groups)["SecurityGroups"] if groups else []
        vpcs = {each["VpcId"] for each in (*subnets, *described)}
        if len(vpcs) != 1:
            raise RefusedError(f"`subnets` and `securityGroups` are of several networks: {', '.join(sorted(vpcs))}")
        return str(vpcs.pop())


@kind
class Listener(Elb):
    """A port of a load balancer."""

    token = "aws:lb/listener:Listener"
    replace_on = frozenset({"loadBalancerArn"})
    consumed = frozenset({"defaultActions", "port", "protocol", "tags", "tcpIdleTimeoutSeconds"})

    def check(self, inputs: Properties) -> Properties:
        """It forwards TCP to one target group."""
        if inputs.get("protocol") != "TCP":
            raise RefusedError('the sandbox runs listeners of `protocol` "TCP"')
        actions = inputs.get("defaultActions") or []
        if not is_unknown(actions) and [action.get("type") for action in actions] != ["forward"]:
            raise RefusedError("a listener of TCP has one default action, of `type` forward")
        require(inputs, "tcpIdleTimeoutSeconds", between(60, 6000), "AWS takes 60 to 6000")
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it and open it; its ARN is its id."""
        group = self._target_group(inputs)
        made = self._elb.create_listener(
            LoadBalancerArn=inputs["loadBalancerArn"], **self._arguments(inputs), **self.tagged(inputs)
        )
        arn = made["Listeners"][0]["ListenerArn"]
        self._set(arn, inputs)
        Listeners(self.world).add(arn, group)
        return arn, {"arn": arn, "tagsAll": inputs.get("tags") or {}}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change its port and where it forwards to."""
        group = self._target_group(inputs)
        self._elb.modify_listener(ListenerArn=id_, **self._arguments(inputs))
        self._set(id_, inputs)
        Listeners(self.world).add(id_, group)
        return self.retag(id_, old, inputs)

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Close it and delete it."""
        Listeners(self.world).remove(id_)
        absent(lambda: self._elb.delete_listener(ListenerArn=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if self._elb.describe_listeners(ListenerArns=[id_])["Listeners"] else None

    def resume(self, id_: str, outputs: Properties) -> None:
        """Open it again."""
        Listeners(self.world).add(id_, self._target_group(outputs))

    def _arguments(self, inputs: Properties) -> dict[str, Any]:
        [action] = inputs["defaultActions"]
        only(action, ("order", "targetGroupArn", "type"), "a default action")
        return {**chosen(inputs, "port", "protocol"), "DefaultActions": [pascal(action)]}

    def _set(self, arn: str, inputs: Properties) -> None:
        seconds = {"tcp.idle_timeout.seconds": inputs.get("tcpIdleTimeoutSeconds", 350)}
        self._elb.modify_listener_attributes(ListenerArn=arn, Attributes=texts(seconds))

    def _target_group(self, inputs: Properties) -> str:
        """The ARN of its target group, which exists."""
        [action] = inputs["defaultActions"]
        self._elb.describe_target_groups(TargetGroupArns=[action["targetGroupArn"]])
        return str(action["targetGroupArn"])


def fits(prefix: str) -> bool:
    """Whether a prefix leaves room for what makes a name the only one."""
    return len(prefix) <= LONGEST_PREFIX


def between(low: int, high: int) -> Callable[[int], bool]:
    """Whether a number is one of those that AWS takes."""
    return lambda value: low <= value <= high


def texts(attributes: Mapping[str, Any]) -> list[dict[str, str]]:
    """Attributes as the service takes them: everything is a text."""
    return [{"Key": key, "Value": str(value).lower() if isinstance(value, bool) else str(value)}
            for key, value in attributes.items()]  # fmt: skip
