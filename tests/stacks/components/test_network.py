"""A network: what is in it for each way out, and that everything inside has one."""

import ipaddress
from collections.abc import Callable
from typing import Any

import pytest

from quintet.sandbox.engine.recording import Recording
from stacks.components.arguments import ArgumentsError
from stacks.components.endpoints import INTERFACES
from stacks.components.network import Egress, Network, NetworkArgs
from tests.stacks.declaring import Declare

SUBNET, ROUTE, ENDPOINT = "aws:ec2/subnet:Subnet", "aws:ec2/route:Route", "aws:ec2/vpcEndpoint:VpcEndpoint"
NAT, JOINED = "aws:ec2/natGateway:NatGateway", "aws:ec2/routeTableAssociation:RouteTableAssociation"
every_way = pytest.mark.parametrize("egress", list(Egress))


def args(**changes: Any) -> NetworkArgs:
    given = {"cidr": "10.40.0.0/16", "egress": Egress.NAT, "region": "us-east-1", "zones": ("us-east-1a", "us-east-1b")}
    return NetworkArgs(**(given | changes))


def network(**changes: Any) -> Callable[[], object]:
    return lambda: Network("network", args(**changes))


def nodes(recording: Recording) -> list[Any]:
    return [item for item in recording.of(SUBNET) if item.name.startswith("network-node")]


@every_way
@pytest.mark.parametrize("cidr", ["10.40.0.0/16", "192.168.7.0/24", "172.16.0.0/20"])
def test_subnets_lie_within_the_network_apart_from_each_other_in_two_zones(
    declare: Declare, egress: Egress, cidr: str
) -> None:
    subnets = declare(network(egress=egress, cidr=cidr)).of(SUBNET)

    addresses = [ipaddress.ip_network(item.inputs["cidrBlock"]) for item in subnets]
    assert all(each.subnet_of(ipaddress.ip_network(cidr)) for each in addresses)
    assert not [(one, other) for at, one in enumerate(addresses) for other in addresses[:at] if one.overlaps(other)]
    # AWS takes /16 to /28; a load balancer needs eight free addresses in its zone.
    assert all(16 <= each.prefixlen <= 28 for each in addresses)
    assert {item.inputs["availabilityZone"] for item in subnets} == {"us-east-1a", "us-east-1b"}


def ways_out(recording: Recording) -> list[dict[str, Any]]:
    """The default route of each subnet of the nodes."""
    tables = {item.inputs["subnetId"]: item.inputs["routeTableId"] for item in recording.of(JOINED)}
    routes = {item.inputs["routeTableId"]: item.inputs for item in recording.of(ROUTE)}
    return [routes[tables[item.id]] for item in nodes(recording) if tables[item.id] in routes]


def test_nodes_go_out_by_a_nat_gateway_of_their_own_zone(declare: Declare) -> None:
    recording = declare(network(egress=Egress.NAT))

    gateways = [route["natGatewayId"] for route in ways_out(recording)]
    zones = {item.id: item.inputs["availabilityZone"] for item in recording.of(SUBNET)}
    standing = {item.id: zones[item.inputs["subnetId"]] for item in recording.of(NAT)}
    assert [standing[each] for each in gateways] == [item.inputs["availabilityZone"] for item in nodes(recording)]
    assert len(set(gateways)) == 2
    assert not any(item.inputs["mapPublicIpOnLaunch"] for item in recording.of(SUBNET))


def test_nat_gateways_stand_where_the_internet_is_reached(declare: Declare) -> None:
    recording = declare(network(egress=Egress.NAT))

    tables = {item.inputs["subnetId"]: item.inputs["routeTableId"] for item in recording.of(JOINED)}
    outward = {item.inputs["routeTableId"] for item in recording.of(ROUTE) if item.inputs.get("gatewayId")}
    assert {tables[item.inputs["subnetId"]] for item in recording.of(NAT)} == outward


def test_nodes_with_public_addresses_go_out_themselves(declare: Declare) -> None:
    recording = declare(network(egress=Egress.PUBLIC_IP))

    gateway = recording.one("aws:ec2/internetGateway:InternetGateway").id
    assert [route["gatewayId"] for route in ways_out(recording)] == [gateway] * 2
    assert all(item.inputs["mapPublicIpOnLaunch"] for item in nodes(recording))
    assert recording.of(NAT) == []


def test_without_a_way_out_every_service_has_a_door(declare: Declare) -> None:
    recording = declare(network(egress=Egress.NONE))

    doors = [item.inputs for item in recording.of(ENDPOINT) if item.inputs["vpcEndpointType"] == "Interface"]
    assert {door["serviceName"] for door in doors} == {f"com.amazonaws.us-east-1.{name}" for name in INTERFACES}
    assert all(door["privateDnsEnabled"] for door in doors)
    assert all(set(door["subnetIds"]) == {item.id for item in nodes(recording)} for door in doors)
    assert ways_out(recording) == []
    assert recording.of("aws:ec2/internetGateway:InternetGateway") == []


@every_way
def test_storage_is_reached_for_nothing(declare: Declare, egress: Egress) -> None:
    recording = declare(network(egress=egress))

    free = [item.inputs for item in recording.of(ENDPOINT) if item.inputs["vpcEndpointType"] == "Gateway"]
    tables = {item.inputs["subnetId"]: item.inputs["routeTableId"] for item in recording.of(JOINED)}
    assert {door["serviceName"].rpartition(".")[2] for door in free} == {"s3", "dynamodb"}
    assert all(set(door["routeTableIds"]) == {tables[item.id] for item in nodes(recording)} for door in free)


@every_way
def test_load_balancers_stand_apart_and_eks_finds_where(declare: Declare, egress: Egress) -> None:
    recording = declare(network(egress=egress))

    edge = [item for item in recording.of(SUBNET) if item.name.startswith("network-edge")]
    assert [item.inputs["tags"]["kubernetes.io/role/internal-elb"] for item in edge] == ["1", "1"]
    assert not any("kubernetes.io/role/internal-elb" in item.inputs["tags"] for item in nodes(recording))


def test_whoever_forgets_a_group_is_closed_in(declare: Declare) -> None:
    closed = declare(network()).one("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup").inputs

    assert (closed["ingress"], closed["egress"]) == ([], [])


def test_refused_connections_are_logged_for_a_known_time(declare: Declare) -> None:
    recording = declare(network(log_retention_days=7))

    log = recording.one("aws:ec2/flowLog:FlowLog").inputs
    group = recording.one("aws:cloudwatch/logGroup:LogGroup")
    assert (log["trafficType"], log["logDestination"]) == ("REJECT", group.outputs["arn"])
    assert group.inputs["retentionInDays"] == 7


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cidr": "10.40.0.0/15"}, "cidr is a /15; allowed are /16 to /24"),
        ({"cidr": "10.40.0.0/25"}, "cidr is a /25; allowed are /16 to /24"),
        ({"cidr": "8.8.0.0/16"}, "allowed are private addresses"),
        ({"cidr": "127.0.0.0/16"}, "allowed are private addresses"),
        ({"cidr": "10.40.0.1/16"}, "has host bits set"),
        ({"cidr": "here"}, "allowed is a network such as 10.40.0.0/16"),
        ({"zones": ("us-east-1a",)}, "zones has 1; allowed are 2"),
        ({"log_retention_days": 2}, "log_retention_days is 2"),
        ({"kms_key_arn": "key"}, "allowed is the ARN of a KMS key"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ArgumentsError, match=told):
        args(**changes)
