"""Doors from a network to AWS's own services, which then need no way to the internet."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

# They cost nothing, so every network has them.
_GATEWAYS = ("s3", "dynamodb")
# What nodes and pods call: images, roles of pods, the cluster's own address, logs.
INTERFACES = ("ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "logs", "sts")


def gateway_endpoints(
    name: str, region: str, vpc: aws.ec2.Vpc, tables: Sequence[aws.ec2.RouteTable], child: pulumi.ResourceOptions
) -> list[aws.ec2.VpcEndpoint]:
    """Routes to S3 and DynamoDB; layers of images come from S3, too."""
    return [
        aws.ec2.VpcEndpoint(
            f"{name}-{service}",
            vpc_id=vpc.id,
            service_name=f"com.amazonaws.{region}.{service}",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id for table in tables],
            opts=child,
        )
        for service in _GATEWAYS
    ]


def interface_endpoints(
    name: str,
    region: str,
    vpc: aws.ec2.Vpc,
    subnets: Sequence[aws.ec2.Subnet],
    child: pulumi.ResourceOptions,
) -> list[aws.ec2.VpcEndpoint]:
    """Addresses within the network for every service that nodes and pods call."""
    group = aws.ec2.SecurityGroup(
        f"{name}-endpoints", vpc_id=vpc.id, description="Calls of this network to services of AWS", opts=child
    )
    aws.vpc.SecurityGroupIngressRule(
        f"{name}-endpoints-https",
        security_group_id=group.id,
        cidr_ipv4=vpc.cidr_block,
        ip_protocol="tcp",
        from_port=443,
        to_port=443,
        opts=child,
    )
    return [
        aws.ec2.VpcEndpoint(
            f"{name}-{service.replace('.', '-')}",
            vpc_id=vpc.id,
            service_name=f"com.amazonaws.{region}.{service}",
            vpc_endpoint_type="Interface",
            # Code asks for the usual names and gets the private addresses.
            private_dns_enabled=True,
            subnet_ids=[subnet.id for subnet in subnets],
            security_group_ids=[group.id],
            opts=child,
        )
        for service in INTERFACES
    ]
