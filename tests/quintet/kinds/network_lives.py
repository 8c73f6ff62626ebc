"""Networks and what stands in them, from the beginning to the end."""

import itertools
from typing import Any

from tests.quintet.emulator.running import policy
from tests.quintet.kinds.deploying import Deployer, Made
from tests.quintet.kinds.life import Life, with_

_NUMBERS = itertools.count(1)
_NAT_GATEWAYS: dict[str, str] = {}
"""A NAT gateway of the same network, by route table."""
S3 = "com.amazonaws.us-east-1.s3"
LOGS = "com.amazonaws.us-east-1.logs"
HEALTH = {"protocol": "HTTP", "path": "/healthz/backend", "port": "traffic-port", "matcher": "200", "interval": 10}


def vpc(d: Deployer, **more: Any) -> Made:
    return d.make("aws:ec2/vpc:Vpc", cidrBlock="10.40.0.0/16", **more)


def subnet(d: Deployer, of: Made | None = None, *, third: int = 0, zone: str = "a", **more: Any) -> Made:
    given = {"vpcId": (of or vpc(d)).id, "cidrBlock": f"10.40.{third}.0/24", "availabilityZone": f"us-east-1{zone}"}
    return d.make("aws:ec2/subnet:Subnet", **{**given, **more})


def group(d: Deployer, of: Made | None = None, **more: Any) -> Made:
    return d.make("aws:ec2/securityGroup:SecurityGroup", vpcId=(of or vpc(d)).id, **more)


def gateway(d: Deployer, of: Made) -> Made:
    return d.make("aws:ec2/internetGateway:InternetGateway", vpcId=of.id)


def table(d: Deployer, of: Made) -> Made:
    return d.make("aws:ec2/routeTable:RouteTable", vpcId=of.id)


def nat(d: Deployer, of: Made) -> Made:
    address = d.make("aws:ec2/eip:Eip", domain="vpc")
    return d.make("aws:ec2/natGateway:NatGateway", subnetId=subnet(d, of).id, allocationId=address.id)


def route(d: Deployer) -> dict[str, Any]:
    of = vpc(d)
    given = {"routeTableId": table(d, of).id, "destinationCidrBlock": "0.0.0.0/0", "gatewayId": gateway(d, of).id}
    _NAT_GATEWAYS[given["routeTableId"]] = nat(d, of).id
    return given


def other_gateway(inputs: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in inputs.items() if key != "gatewayId"}
    return rest | {"natGatewayId": _NAT_GATEWAYS[inputs["routeTableId"]]}


def association(d: Deployer) -> dict[str, Any]:
    of = vpc(d)
    return {"routeTableId": table(d, of).id, "subnetId": subnet(d, of).id}


def main_association(d: Deployer) -> dict[str, Any]:
    of = vpc(d)
    return {"routeTableId": table(d, of).id, "vpcId": of.id}


def rule(d: Deployer) -> dict[str, Any]:
    of = vpc(d)
    other = group(d, of, name=f"other-{next(_NUMBERS)}")
    return {
        "securityGroupId": group(d, of, name=f"one-{next(_NUMBERS)}").id,
        "referencedSecurityGroupId": other.id,
        "ipProtocol": "tcp",
        "fromPort": 80,
        "toPort": 80,
        "tags": {"a": "1"},
    }


def interface(d: Deployer) -> dict[str, Any]:
    of = vpc(d, enableDnsHostnames=True)
    group_, place = group(d, of), subnet(d, of)
    common = {"vpcEndpointType": "Interface", "vpcId": of.id, "serviceName": LOGS, "privateDnsEnabled": True}
    return {**common, "subnetIds": [place.id], "securityGroupIds": [group_.id]}


def flow_log(d: Deployer) -> dict[str, Any]:
    written = d.make("aws:cloudwatch/logGroup:LogGroup")
    common = {"trafficType": "REJECT", "maxAggregationInterval": 600, "logDestinationType": "cloud-watch-logs"}
    return {**common, "vpcId": vpc(d).id, "logDestination": written["arn"], "iamRoleArn": d.role()["arn"]}


def balancer(d: Deployer, **more: Any) -> Made:
    of = vpc(d)
    places = [subnet(d, of, third=1, zone="a").id, subnet(d, of, third=2, zone="b").id]
    given = {
        "namePrefix": "nlb-",
        "loadBalancerType": "network",
        "internal": True,
        "subnets": places,
        "securityGroups": [group(d, of).id],
    }
    return d.make("aws:lb/loadBalancer:LoadBalancer", **{**given, **more})


def targets(d: Deployer, network: str = "vpc-1") -> Made:
    given = {
        "namePrefix": "tg-",
        "port": 8080,
        "protocol": "TCP",
        "targetType": "ip",
        "vpcId": network,
        "healthCheck": HEALTH,
    }
    return d.make("aws:lb/targetGroup:TargetGroup", **given)


def listener(d: Deployer) -> dict[str, Any]:
    of = balancer(d)
    forward = {"type": "forward", "targetGroupArn": targets(d, of["vpcId"]).id}
    return {"loadBalancerArn": of.id, "port": 80, "protocol": "TCP", "defaultActions": [forward]}


def link(d: Deployer) -> dict[str, Any]:
    of = vpc(d)
    return {"subnetIds": [subnet(d, of).id], "securityGroupIds": [group(d, of).id], "tags": {"a": "1"}}


NETWORK_LIVES = [
    Life("aws:ec2/vpc:Vpc", lambda d: {"cidrBlock": "10.40.0.0/16", "tags": {"a": "1"}},
         with_(enableDnsHostnames=True, tags={"b": "1"})),
    Life("aws:ec2/subnet:Subnet", lambda d: subnet(d).inputs | {"cidrBlock": "10.40.9.0/24"},
         with_(mapPublicIpOnLaunch=True, tags={"b": "1"})),
    Life("aws:ec2/internetGateway:InternetGateway", lambda d: {"vpcId": vpc(d).id}, with_(tags={"b": "1"})),
    Life("aws:ec2/eip:Eip", lambda d: {"domain": "vpc"}, with_(tags={"b": "1"})),
    Life("aws:ec2/natGateway:NatGateway", lambda d: nat(d, vpc(d)).inputs, with_(tags={"b": "1"})),
    Life("aws:ec2/routeTable:RouteTable", lambda d: {"vpcId": vpc(d).id}, with_(tags={"b": "1"})),
    Life("aws:ec2/route:Route", route, other_gateway),
    Life("aws:ec2/routeTableAssociation:RouteTableAssociation", association),
    Life("aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation", main_association),
    Life("aws:ec2/securityGroup:SecurityGroup",
         lambda d: {"vpcId": vpc(d).id, "ingress": [{"protocol": "tcp", "fromPort": 1, "toPort": 2, "self": True}]},
         with_(ingress=[], egress=[{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}],
               tags={"b": "1"})),
    Life("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", lambda d: {"vpcId": vpc(d).id},
         with_(ingress=[{"protocol": "tcp", "fromPort": 1, "toPort": 2, "self": True}], tags={"b": "1"}),
         outlives=True),
    Life("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", rule,
         with_(fromPort=8080, toPort=8080, description="nginx", tags={})),
    Life("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", rule, with_(description="nginx")),
    Life("aws:ec2/vpcEndpoint:VpcEndpoint", interface,
         lambda i: {**i, "securityGroupIds": [], "policy": policy(("logs:PutLogEvents", "*")), "tags": {"a": "1"},
                    "privateDnsEnabled": False}),
    Life("aws:ec2/flowLog:FlowLog", flow_log, with_(tags={"b": "1"})),
    Life("aws:lb/loadBalancer:LoadBalancer", lambda d: balancer(d).inputs,
         with_(enableCrossZoneLoadBalancing=True, accessLogs={"bucket": "b", "enabled": True}, tags={"a": "1"})),
    Life("aws:lb/targetGroup:TargetGroup", lambda d: targets(d).inputs,
         with_(deregistrationDelay=15, preserveClientIp=False, healthCheck={**HEALTH, "interval": 5},
               tags={"a": "1"})),
    Life("aws:lb/listener:Listener", listener, with_(port=81, tcpIdleTimeoutSeconds=60, tags={"a": "1"})),
    Life("aws:apigatewayv2/vpcLink:VpcLink", link, with_(tags={"b": "1"})),
]  # fmt: skip
