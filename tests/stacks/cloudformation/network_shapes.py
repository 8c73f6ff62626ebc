"""Networks, what stands in them, and how an HTTP API reaches it."""

import json
from collections.abc import Mapping
from typing import Any

from tests.stacks.cloudformation.shape import TAGS, Shape, same

_PROVIDERS_NAME = "AWS is told a name that the provider makes of it"
_ATTRIBUTE = "an attribute: the schema knows their names as any text"
_RULE = {"securityGroupId": "GroupId", "cidrIpv4": "CidrIp", "cidrIpv6": "CidrIpv6"}


def health_check(given: Mapping[str, Any]) -> dict[str, Any]:
    names = {
        "enabled": "HealthCheckEnabled",
        "healthyThreshold": "HealthyThresholdCount",
        "interval": "HealthCheckIntervalSeconds",
        "path": "HealthCheckPath",
        "port": "HealthCheckPort",
        "protocol": "HealthCheckProtocol",
        "timeout": "HealthCheckTimeoutSeconds",
        "unhealthyThreshold": "UnhealthyThresholdCount",
    }
    matcher = {"Matcher": {"HttpCode": given["matcher"]}} if given.get("matcher") else {}
    rest = {names.get(key, key): value for key, value in given.items() if key != "matcher"}
    return rest | matcher


NETWORK_SHAPES: Mapping[str, Shape] = {
    "aws:apigatewayv2/vpcLink:VpcLink": Shape("AWS::ApiGatewayV2::VpcLink", values={"tags": same}),
    "aws:ec2/eip:Eip": Shape("AWS::EC2::EIP", values=TAGS),
    "aws:ec2/flowLog:FlowLog": Shape(
        "AWS::EC2::FlowLog",
        names={"iamRoleArn": "DeliverLogsPermissionArn"},
        values=TAGS,
        spread={"vpcId": lambda given: {"ResourceId": given, "ResourceType": "VPC"}},
    ),
    "aws:ec2/internetGateway:InternetGateway": Shape(
        "AWS::EC2::InternetGateway",
        values=TAGS,
        left_out={"vpcId": "a resource of its own there, AWS::EC2::VPCGatewayAttachment"},
    ),
    "aws:ec2/natGateway:NatGateway": Shape("AWS::EC2::NatGateway", values=TAGS),
    "aws:ec2/route:Route": Shape("AWS::EC2::Route"),
    "aws:ec2/routeTable:RouteTable": Shape("AWS::EC2::RouteTable", values=TAGS),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Shape("AWS::EC2::SubnetRouteTableAssociation"),
    "aws:ec2/securityGroup:SecurityGroup": Shape(
        "AWS::EC2::SecurityGroup", names={"name": "GroupName", "description": "GroupDescription"}, values=TAGS
    ),
    "aws:ec2/subnet:Subnet": Shape("AWS::EC2::Subnet", values=TAGS),
    "aws:ec2/vpc:Vpc": Shape("AWS::EC2::VPC", values=TAGS),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Shape(
        "AWS::EC2::VPCEndpoint", names={"policy": "PolicyDocument"}, values=TAGS | {"policy": json.loads}
    ),
    "aws:lb/listener:Listener": Shape("AWS::ElasticLoadBalancingV2::Listener"),
    "aws:lb/loadBalancer:LoadBalancer": Shape(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        names={"loadBalancerType": "Type"},
        values=TAGS,
        left_out={
            "namePrefix": _PROVIDERS_NAME,
            "enableCrossZoneLoadBalancing": _ATTRIBUTE,
            "enableDeletionProtection": _ATTRIBUTE,
        },
        spread={"internal": lambda given: {"Scheme": "internal" if given else "internet-facing"}},
    ),
    "aws:lb/targetGroup:TargetGroup": Shape(
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        values=TAGS,
        left_out={
            "namePrefix": _PROVIDERS_NAME,
            "connectionTermination": _ATTRIBUTE,
            "deregistrationDelay": _ATTRIBUTE,
            "preserveClientIp": _ATTRIBUTE,
        },
        spread={"healthCheck": health_check},
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": Shape(
        "AWS::EC2::SecurityGroupEgress",
        names=_RULE
        | {"referencedSecurityGroupId": "DestinationSecurityGroupId", "prefixListId": "DestinationPrefixListId"},
        left_out={"tags": "CloudFormation tags the group and not the rule"},
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": Shape(
        "AWS::EC2::SecurityGroupIngress",
        names=_RULE | {"referencedSecurityGroupId": "SourceSecurityGroupId", "prefixListId": "SourcePrefixListId"},
        left_out={"tags": "CloudFormation tags the group and not the rule"},
    ),
}
