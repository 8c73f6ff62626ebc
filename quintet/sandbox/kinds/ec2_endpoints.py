"""Doors of a network to AWS's own services, and the record of what passes."""

from typing import Any

from quintet.sandbox.kinds.base import Properties, is_unknown, kind
from quintet.sandbox.kinds.calls import RefusedError, absent, chosen, document, require_one_of
from quintet.sandbox.kinds.ec2 import Ec2

_GATEWAY_SERVICES = ("s3", "dynamodb")
_LISTS = {"routeTableIds": "RouteTableIds", "securityGroupIds": "SecurityGroupIds", "subnetIds": "SubnetIds"}
_WATCHED = {"eniId": "NetworkInterface", "subnetId": "Subnet", "vpcId": "VPC"}


@kind
class VpcEndpoint(Ec2):
    """A door to one service: a gateway in route tables, or an interface in subnets."""

    token = "aws:ec2/vpcEndpoint:VpcEndpoint"
    noun = "vpc-endpoint"
    replace_on = frozenset({"serviceName", "vpcEndpointType", "vpcId"})
    consumed = frozenset({*_LISTS, "policy", "privateDnsEnabled", "tags"})

    def check(self, inputs: Properties) -> Properties:
        """What belongs to a gateway, and what to an interface."""
        require_one_of(inputs, "vpcEndpointType", ["Gateway", "Interface"])
        service, gateway = inputs.get("serviceName"), inputs.get("vpcEndpointType", "Gateway") == "Gateway"
        region = f"com.amazonaws.{self.world.region}."
        if not is_unknown(service) and not str(service).startswith(region):
            raise RefusedError(f"`serviceName` is {service!r}; the services of this region begin with {region}")
        if gateway and not is_unknown(service) and str(service).removeprefix(region) not in _GATEWAY_SERVICES:
            raise RefusedError(f"{service} has no gateway; {' and '.join(_GATEWAY_SERVICES)} have")
        wrong = ("securityGroupIds", "subnetIds", "privateDnsEnabled") if gateway else ("routeTableIds",)
        if given := [name for name in wrong if inputs.get(name)]:
            raise RefusedError(f"an endpoint of type {'Gateway' if gateway else 'Interface'} takes no `{given[0]}`")
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it."""
        vpc = self.existing("vpcs", "VpcIds", inputs["vpcId"])["VpcId"]
        for table in inputs.get("routeTableIds") or []:
            self.existing("route_tables", "RouteTableIds", table)
        for subnet in inputs.get("subnetIds") or []:
            self.existing("subnets", "SubnetIds", subnet)
        if inputs.get("privateDnsEnabled"):
            self._require_names(vpc)
        arguments = chosen(inputs, "privateDnsEnabled", "serviceName", "vpcEndpointType", "vpcId", *_LISTS)
        policy = {"PolicyDocument": document(inputs["policy"], "`policy`")} if inputs.get("policy") else {}
        made = self._ec2.create_vpc_endpoint(**arguments, **policy, **self.tagged(inputs))["VpcEndpoint"]
        id_ = made["VpcEndpointId"]
        outputs = {"state": "available", "ownerId": self.world.account, "requesterManaged": False}
        return id_, {**self.named(id_, inputs), **outputs, **self._prefix_list(inputs)}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change where it is, who may use it, and what for."""
        arguments: dict[str, Any] = {}
        for name, theirs in _LISTS.items():
            before, now = set(old.get(name) or []), set(inputs.get(name) or [])
            changes = {f"Add{theirs}": sorted(now - before), f"Remove{theirs}": sorted(before - now)}
            arguments |= {argument: ids for argument, ids in changes.items() if ids}
        if inputs.get("policy") != old.get("policy"):
            policy = inputs.get("policy")
            arguments |= {"PolicyDocument": document(policy, "`policy`")} if policy else {"ResetPolicy": True}
        if inputs.get("privateDnsEnabled") != old.get("privateDnsEnabled"):
            arguments["PrivateDnsEnabled"] = bool(inputs.get("privateDnsEnabled"))
        if arguments:
            self._ec2.modify_vpc_endpoint(VpcEndpointId=id_, **arguments)
        return self.retag(id_, old, inputs)

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it."""
        absent(lambda: self._ec2.delete_vpc_endpoints(VpcEndpointIds=[id_]))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if self.described("vpc_endpoints", VpcEndpointIds=[id_]) else None

    def _prefix_list(self, inputs: Properties) -> Properties:
        if inputs.get("vpcEndpointType", "Gateway") != "Gateway":
            return {}
        by_name = {"Name": "prefix-list-name", "Values": [inputs["serviceName"]]}
        [found] = self.described("prefix_lists", Filters=[by_name])
        return {"prefixListId": found["PrefixListId"], "cidrBlocks": found["Cidrs"]}

    def _require_names(self, vpc: str) -> None:
        for attribute in ("enableDnsSupport", "enableDnsHostnames"):
            answer = self._ec2.describe_vpc_attribute(VpcId=vpc, Attribute=attribute)
            if not answer[attribute[0].upper() + attribute[1:]]["Value"]:
                raise RefusedError(f"`privateDnsEnabled` needs `{attribute}` of {vpc}")


@kind
class FlowLog(Ec2):
    """A record of the connections of a network; nothing passes here, so nothing is written."""

    token = "aws:ec2/flowLog:FlowLog"
    noun = "vpc-flow-log"
    replace_on = frozenset(
        {*_WATCHED, "iamRoleArn", "logDestination", "logDestinationType", "logFormat", "maxAggregationInterval",
         "trafficType"}
    )  # fmt: skip
    consumed = frozenset({"tags"})

    def check(self, inputs: Properties) -> Properties:
        """What is watched, where it is written, and who may write there."""
        if sum(inputs.get(name) is not None for name in _WATCHED) != 1:
            raise RefusedError(f"a flow log watches one of {', '.join(f'`{name}`' for name in _WATCHED)}")
        require_one_of(inputs, "logDestinationType", ["cloud-watch-logs", "s3"])
        require_one_of(inputs, "maxAggregationInterval", [60, 600])
        if inputs.get("logDestination") is None or inputs.get("trafficType") is None:
            raise RefusedError("a flow log needs `logDestination` and `trafficType`")
        by_role = inputs.get("logDestinationType", "cloud-watch-logs") == "cloud-watch-logs"
        if by_role != (inputs.get("iamRoleArn") is not None):
            raise RefusedError("a flow log needs an `iamRoleArn` to write to CloudWatch Logs, and only for that")
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it."""
        watched = next(name for name in _WATCHED if inputs.get(name) is not None)
        renamed = {"iamRoleArn": "DeliverLogsPermissionArn"}
        settings = ("iamRoleArn", "logDestination", "logDestinationType", "logFormat", "maxAggregationInterval")
        arguments = chosen(inputs, *settings, "trafficType", renamed=renamed)
        what = {"ResourceIds": [inputs[watched]], "ResourceType": _WATCHED[watched]}
        made = self._ec2.create_flow_logs(**what, **arguments)
        if failed := made.get("Unsuccessful"):
            raise RefusedError(str(failed[0]["Error"]["Message"]))
        id_ = made["FlowLogIds"][0]
        return id_, {**self.named(id_, inputs), **self.retag(id_, {}, inputs)}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change its tags."""
        return self.retag(id_, old, inputs)

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it."""
        absent(lambda: self._ec2.delete_flow_logs(FlowLogIds=[id_]))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if self.described("flow_logs", FlowLogIds=[id_]) else None
