"""Networks as AWS would have them: what does not fit, or does not exist, is refused before it is made."""

from collections.abc import Callable
from typing import Any

import pytest

from quintet.sandbox.kinds.base import UNKNOWN
from quintet.sandbox.kinds.calls import RefusedError
from tests.quintet.kinds import network_lives as network
from tests.quintet.kinds.deploying import Deployer

INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
ROUTE = "aws:ec2/route:Route"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
FLOW = "aws:ec2/flowLog:FlowLog"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
TARGETS = "aws:lb/targetGroup:TargetGroup"
LISTENER = "aws:lb/listener:Listener"
LINK = "aws:apigatewayv2/vpcLink:VpcLink"
INTEGRATION = "aws:apigatewayv2/integration:Integration"
NAT = "aws:ec2/natGateway:NatGateway"
TCP = {"port": 80, "protocol": "TCP", "targetType": "ip", "vpcId": "vpc-1", "name": "tg"}
RULE = {"securityGroupId": "sg-1", "ipProtocol": "tcp", "fromPort": 1, "toPort": 1}
NLB = {"loadBalancerType": "network", "name": "nlb"}
THROUGH = {"apiId": "a", "integrationType": "HTTP_PROXY", "integrationUri": "arn"}

# type, inputs, what the message says
ALONE: list[tuple[str, dict[str, Any], str]] = [
    ("aws:ec2/vpc:Vpc", {}, "needs a `cidrBlock`"),
    ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.1/16"}, "has host bits set"),
    ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/8"}, "AWS takes /16 to /28"),
    ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16", "instanceTenancy": "mine"}, "allowed: default, dedicated"),
    ("aws:ec2/subnet:Subnet", {"vpcId": "vpc-1", "cidrBlock": "10.0.0.0/29"}, "AWS takes /16 to /28"),
    ("aws:ec2/subnet:Subnet", {"vpcId": "vpc-1", "cidrBlock": "10.0.0.0/24"}, "vpc-1 is none of the vpcs"),
    ("aws:ec2/eip:Eip", {"domain": "standard"}, "allowed: vpc"),
    (NAT, {"subnetId": "subnet-1"}, "has an `allocationId`"),
    (NAT, {"subnetId": "subnet-1", "connectivityType": "private", "allocationId": "a"}, "no other has"),
    (ROUTE, {"routeTableId": "rtb-1", "destinationCidrBlock": "0.0.0.0/0"}, "one of `gatewayId`, `natGatewayId`"),
    (ROUTE, {"routeTableId": "rtb-1", "gatewayId": "igw-1"}, "`destinationCidrBlock`"),
    ("aws:ec2/securityGroup:SecurityGroup", {"vpcId": "vpc-1", "name": "a"}, "vpc-1 is none of the vpcs"),
    (INGRESS, RULE, "a rule has one of `cidrIpv4`"),
    (INGRESS, {**RULE, "cidrIpv4": "0.0.0.0/0", "cidrIpv6": "::/0"}, "a rule has one of"),
    (INGRESS, {**RULE, "cidrIpv4": "0.0.0.0/0", "ipProtocol": "-1"}, "it takes no `fromPort`"),
    (INGRESS, {"securityGroupId": "s", "ipProtocol": "tcp", "cidrIpv4": "0.0.0.0/0"}, "needs `fromPort` and `toPort`"),
    (INGRESS, {**RULE, "cidrIpv4": "0.0.0.0/0"}, "sg-1 is none of the security groups"),
    (ENDPOINT, {"vpcId": "v", "serviceName": "com.amazonaws.eu-west-1.s3"}, "begin with com.amazonaws.us-east-1."),
    (ENDPOINT, {"vpcId": "v", "serviceName": network.LOGS}, "has no gateway"),
    (ENDPOINT, {"vpcId": "v", "serviceName": network.S3, "subnetIds": ["s"]}, "Gateway takes no `subnetIds`"),
    (ENDPOINT, {"vpcId": "v", "serviceName": network.S3, "vpcEndpointType": "Interface", "routeTableIds": ["r"]},
     "Interface takes no `routeTableIds`"),
    (FLOW, {"trafficType": "ALL", "logDestination": "a", "iamRoleArn": "r"}, "watches one of"),
    (FLOW, {"vpcId": "v", "trafficType": "ALL", "logDestination": "a"}, "needs an `iamRoleArn`"),
    (FLOW, {"vpcId": "v", "iamRoleArn": "r"}, "needs `logDestination` and `trafficType`"),
    (BALANCER, {**NLB, "loadBalancerType": "application"}, 'of `loadBalancerType` "network"'),
    (BALANCER, NLB, "needs `subnets`"),
    (BALANCER, {**NLB, "subnets": []}, "in at least one subnet"),
    (BALANCER, {"loadBalancerType": "network", "subnets": ["s"], "namePrefix": "too-long"}, "at most 6 characters"),
    (TARGETS, {**TCP, "protocol": "HTTP"}, '`protocol` "TCP"'),
    (TARGETS, {**TCP, "healthCheck": {"protocol": "TCP", "path": "/"}}, "of `protocol` TCP has no `path`"),
    (TARGETS, {**TCP, "healthCheck": {"interval": 1}}, "AWS takes 5 to 300"),
    (TARGETS, {**TCP, "healthCheck": {"colour": "red"}}, "does not realise `colour`"),
    (LISTENER, {"loadBalancerArn": "a", "port": 80, "protocol": "TLS"}, '`protocol` "TCP"'),
    (LISTENER, {"loadBalancerArn": "a", "port": 80, "protocol": "TCP", "defaultActions": [{"type": "redirect"}]},
     "`type` forward"),
    (LINK, {"name": "a", "subnetIds": []}, "those given are of none"),
    (INTEGRATION, {**THROUGH, "connectionType": "VPC_LINK"}, "`connectionId` names a VPC link"),
    (INTEGRATION, {**THROUGH, "connectionId": "a"}, "`connectionId` names a VPC link"),
    (INTEGRATION, {**THROUGH, "connectionType": "VPC_LINK", "connectionId": "a"}, "with an `integrationMethod`"),
]  # fmt: skip


@pytest.mark.parametrize(("token", "inputs", "message"), ALONE)
def test_what_aws_would_refuse_is_refused(deploy: Deployer, token: str, inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception) as error:  # noqa: PT011  of the kinds, of the validator, of the service
        deploy.make(token, **inputs)

    assert message in str(error.value)


def second_subnet(d: Deployer) -> None:
    of = network.vpc(d)
    network.subnet(d, of, third=1)
    network.subnet(d, of, cidrBlock="10.40.0.0/20")


def outside(d: Deployer) -> None:
    network.subnet(d, cidrBlock="10.41.0.0/24")


def nowhere(d: Deployer) -> None:
    network.subnet(d, zone="z")


def second_gateway(d: Deployer) -> None:
    of = network.vpc(d)
    network.gateway(d, of)
    network.gateway(d, of)


def route_elsewhere(d: Deployer) -> None:
    table, gateway = network.table(d, network.vpc(d)), network.gateway(d, network.vpc(d))
    d.make(ROUTE, routeTableId=table.id, destinationCidrBlock="0.0.0.0/0", gatewayId=gateway.id)


def second_route(d: Deployer) -> None:
    given = network.route(d)
    d.make(ROUTE, **given)
    d.make(ROUTE, **given)


def association_elsewhere(d: Deployer) -> None:
    association = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    d.make(association, routeTableId=network.table(d, network.vpc(d)).id, subnetId=network.subnet(d).id)


def second_association(d: Deployer) -> None:
    association = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    given = network.association(d)
    d.make(association, **given)
    d.make(association, **given)


def second_rule(d: Deployer) -> None:
    given = network.rule(d)
    d.make(INGRESS, **given)
    d.make(INGRESS, **given)


def rule_of_nobody(d: Deployer) -> None:
    d.make(INGRESS, **{**network.rule(d), "referencedSecurityGroupId": "sg-0123456789abcdef0"})


def private_names(d: Deployer) -> None:
    given = network.interface(d)
    d.make(ENDPOINT, **{**given, "vpcId": network.vpc(d).id, "subnetIds": [], "securityGroupIds": []})


def one_zone_twice(d: Deployer) -> None:
    of = network.vpc(d)
    network.balancer(d, subnets=[network.subnet(d, of, third=1).id, network.subnet(d, of, third=2).id])


def group_elsewhere(d: Deployer) -> None:
    network.balancer(d, securityGroups=[network.group(d).id])


def group_too_late(d: Deployer) -> None:
    made = network.balancer(d, securityGroups=[])
    of = d.cloud.invoke("aws:ec2/getSubnet:getSubnet", {"id": made["subnets"][0]})["vpcId"]
    group = d.make("aws:ec2/securityGroup:SecurityGroup", vpcId=of)
    made.update({**made.inputs, "securityGroups": [group.id]})


def link_of_two(d: Deployer) -> None:
    d.make(LINK, subnetIds=[network.subnet(d).id], securityGroupIds=[network.group(d).id])


TOGETHER: list[tuple[Callable[[Deployer], None], str]] = [
    (second_subnet, "overlaps with 10.40.1.0/24"),
    (outside, "not within 10.40.0.0/16"),
    (nowhere, "there are us-east-1a, us-east-1b, us-east-1c"),
    (second_gateway, "has an internet gateway already"),
    (route_elsewhere, "its gateway of vpc-"),
    (second_route, "has a route to 0.0.0.0/0 already"),
    (association_elsewhere, "the subnet of vpc-"),
    (second_association, "uses a route table already"),
    (second_rule, "has this very rule already"),
    (rule_of_nobody, "is none of the security groups"),
    (private_names, "`privateDnsEnabled` needs `enableDnsHostnames`"),
    (one_zone_twice, "has two of one zone"),
    (group_elsewhere, "are of several networks"),
    (group_too_late, "when it is made, or never"),
    (link_of_two, "of one network"),
]


@pytest.mark.parametrize(("mistake", "message"), TOGETHER)
def test_what_does_not_go_together_is_refused(
    deploy: Deployer, mistake: Callable[[Deployer], None], message: str
) -> None:
    with pytest.raises(RefusedError) as error:
        mistake(deploy)

    assert message in str(error.value)


def test_a_network_that_has_subnets_is_not_deleted(deploy: Deployer) -> None:
    of = network.vpc(deploy)
    network.subnet(deploy, of)

    with pytest.raises(Exception, match="has dependencies"):
        of.delete()


def test_a_network_knows_what_aws_gave_it(deploy: Deployer) -> None:
    of = network.vpc(deploy)

    taken = deploy.make("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", vpcId=of.id)

    assert taken.id == of["defaultSecurityGroupId"]
    group = deploy.world.client("ec2").describe_security_groups(GroupIds=[taken.id])["SecurityGroups"][0]
    assert (group["IpPermissions"], group["IpPermissionsEgress"]) == ([], [])


def test_a_new_security_group_lets_nothing_out(deploy: Deployer) -> None:
    made = network.group(deploy)

    group = deploy.world.client("ec2").describe_security_groups(GroupIds=[made.id])["SecurityGroups"][0]

    assert group["IpPermissionsEgress"] == []


def test_a_changed_rule_keeps_its_id(deploy: Deployer) -> None:
    made = deploy.make(INGRESS, **network.rule(deploy))

    made.update({**made.inputs, "fromPort": 8080, "toPort": 8081})

    [rule] = deploy.world.client("ec2").describe_security_group_rules(SecurityGroupRuleIds=[made.id])[
        "SecurityGroupRules"
    ]
    assert (rule["FromPort"], rule["ToPort"]) == (8080, 8081)
    assert made.replaces({**made.inputs, "referencedSecurityGroupId": "sg-1"}) == ("referencedSecurityGroupId",)


def test_a_name_made_of_a_prefix_is_another_at_each_time(deploy: Deployer) -> None:
    first, second = network.targets(deploy), network.targets(deploy)

    assert first["name"].startswith("tg-")
    assert first["name"] != second["name"]
    assert len(first["name"]) <= 32
    assert not deploy.cloud.diff(TARGETS, first.inputs, {**first.inputs, "port": 81}).delete_first


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        ("aws:ec2/subnet:Subnet", {"vpcId": UNKNOWN, "cidrBlock": UNKNOWN}),
        (ROUTE, {"routeTableId": UNKNOWN, "gatewayId": UNKNOWN, "destinationCidrBlock": "0.0.0.0/0"}),
        (INGRESS, {**RULE, "securityGroupId": UNKNOWN, "referencedSecurityGroupId": UNKNOWN}),
        (BALANCER, {**NLB, "subnets": UNKNOWN, "securityGroups": [UNKNOWN]}),
        (TARGETS, {**TCP, "healthCheck": UNKNOWN}),
        (LISTENER, {"loadBalancerArn": UNKNOWN, "port": 80, "protocol": "TCP", "defaultActions": UNKNOWN}),
        (ENDPOINT, {"vpcId": UNKNOWN, "serviceName": network.S3, "routeTableIds": UNKNOWN}),
        ("aws:elasticache/user:User", {"userId": "u", "userName": "u", "engine": "valkey", "passwords": UNKNOWN}),
        ("aws:elasticache/user:User", {"userId": "u", "userName": "u", "engine": "valkey", "passwords": [UNKNOWN]}),
    ],
)
def test_a_preview_may_hold_unknown_values(deploy: Deployer, token: str, inputs: dict[str, Any]) -> None:
    assert deploy.cloud.check(token, "x", {}, inputs, autoname="a")
