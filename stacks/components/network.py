"""A network in two zones: where pods run, where load balancers stand, and the way out, which is a matter of money."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import pulumi
import pulumi_aws as aws

from stacks.components.arguments import checked_name, matching, one_of, refuse
from stacks.components.endpoints import gateway_endpoints, interface_endpoints
from stacks.components.flow_logs import flow_logs
from stacks.components.function import RETENTION_DAYS

ZONES = 2
_SMALLEST_PREFIX, _LARGEST_PREFIX = 24, 16  # a VPC has at most a /16; below a /24 the pods of one node do not fit


class Egress(Enum):
    """How what runs in the network reaches the internet."""

    NAT = "nat"
    """A NAT gateway a zone: nothing inside has a public address. About $33 a month each and 4.5 cents a GB."""
    PUBLIC_IP = "public_ip"
    """Nodes have public addresses, which security groups close. Costs the addresses only, $3.60 a month each."""
    NONE = "none"
    """Not at all: AWS's own services are reached by interface endpoints, $7.30 a month each and zone."""


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """What a network needs.

    Attributes:
        cidr: Its addresses, a /16 to a /24; must not overlap with what it is ever to be connected with.
        egress: The way out.
        region: For the names of its endpoints.
        zones: Names of two availability zones.
        log_retention_days: How long it is kept who was refused a connection.
        kms_key_arn: A key of the owner's for that log group; its policy must admit CloudWatch Logs.
    """

    cidr: str
    egress: Egress
    region: str
    zones: Sequence[str]
    log_retention_days: int = 30
    kms_key_arn: str | None = None

    def __post_init__(self) -> None:
        refuse(
            "NetworkArgs",
            cidr_problems(self.cidr),
            [] if len(self.zones) == ZONES else [f"zones has {len(self.zones)}; allowed are {ZONES}"],
            one_of("log_retention_days", self.log_retention_days, RETENTION_DAYS),
            matching("kms_key_arn", self.kms_key_arn, r"arn:aws:kms:[^:]+:\d{12}:key/.+", "the ARN of a KMS key"),
        )


def cidr_problems(cidr: str) -> list[str]:
    """Complaints about addresses that a VPC cannot have."""
    try:
        network = ipaddress.IPv4Network(cidr)
    except ValueError as wrong:
        return [f"cidr is {cidr!r} ({wrong}); allowed is a network such as 10.40.0.0/16"]
    if not network.is_private or network.is_loopback or network.is_link_local:
        return [f"cidr is {cidr!r}; allowed are private addresses, as 10.40.0.0/16"]
    if not _LARGEST_PREFIX <= network.prefixlen <= _SMALLEST_PREFIX:
        return [f"cidr is a /{network.prefixlen}; allowed are /{_LARGEST_PREFIX} to /{_SMALLEST_PREFIX}"]
    return []


@dataclass(frozen=True)
class Subnets:
    """Two subnets of one purpose, one a zone.

    Attributes:
        ids: Their ids.
        cidrs: Their addresses.
    """

    ids: list[pulumi.Input[str]]
    cidrs: list[str]


@dataclass(frozen=True)
class Place:
    """What a network is to those that stand in it, whoever made it.

    Attributes:
        vpc_id: Its id.
        nodes: Where nodes and pods run.
        edge: Where load balancers and what leads to them stand. In a network of our own nothing else does, so whoever
            speaks from there is one of them.
        egress: How the nodes reach the internet.
        ready: What must exist before anything inside reaches anything outside.
    """

    vpc_id: pulumi.Input[str]
    nodes: Subnets
    edge: Subnets
    egress: Egress
    ready: Sequence[pulumi.Resource] = ()


class Network(pulumi.ComponentResource):
    """A VPC with public, node and edge subnets in two zones.

    Attributes:
        place: What is in it.
    """

    place: Place

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("quintet:network:Network", checked_name(name), None, opts)
        child = pulumi.ResourceOptions(parent=self)
        vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=args.cidr,
            enable_dns_support=True,
            # Private names of endpoints and of the cluster need it.
            enable_dns_hostnames=True,
            tags={"Name": name},
            opts=child,
        )
        # Whatever forgets its security group gets this one, which admits nothing and lets nothing out.
        aws.ec2.DefaultSecurityGroup(f"{name}-closed", vpc_id=vpc.id, ingress=[], egress=[], opts=child)
        plan = _Plan.of(args.cidr)
        nodes, tables, ways_out = _node_subnets(name, args, vpc, plan, child)
        edge = _subnets(f"{name}-edge", args, vpc, plan.edge, child, tags=_INTERNAL_BALANCERS)
        gateways = gateway_endpoints(name, args.region, vpc, tables, child)
        endpoints = []
        if args.egress is Egress.NONE:
            endpoints = interface_endpoints(name, args.region, vpc, nodes, child)
        flow_logs(name, vpc, args.log_retention_days, args.kms_key_arn, child)
        ready = [*ways_out, *gateways, *endpoints]
        self.place = Place(vpc.id, _known(nodes, plan.nodes), _known(edge, plan.edge), args.egress, ready)
        self.register_outputs({"vpcId": vpc.id})


# Who may put load balancers where; the tags by which EKS finds subnets.
_INTERNAL_BALANCERS = {"kubernetes.io/role/internal-elb": "1"}
_PUBLIC_BALANCERS = {"kubernetes.io/role/elb": "1"}


@dataclass(frozen=True)
class _Plan:
    """How the addresses are divided: a quarter for the nodes of each zone, an eighth or less for all else."""

    nodes: list[str]
    public: list[str]
    edge: list[str]

    @classmethod
    def of(cls, cidr: str) -> "_Plan":
        eighths = list(ipaddress.IPv4Network(cidr).subnets(prefixlen_diff=3))
        quarters = list(ipaddress.IPv4Network(cidr).subnets(prefixlen_diff=2))
        # Half of the seventh eighth each: a load balancer needs eight free addresses in a zone.
        edge = list(eighths[6].subnets(prefixlen_diff=1))
        return cls(
            nodes=[str(quarters[0]), str(quarters[1])],
            public=[str(eighths[4]), str(eighths[5])],
            edge=[str(edge[0]), str(edge[1])],
        )


def _known(subnets: Sequence[aws.ec2.Subnet], cidrs: Sequence[str]) -> Subnets:
    return Subnets([subnet.id for subnet in subnets], list(cidrs))


def _node_subnets(
    name: str, args: NetworkArgs, vpc: aws.ec2.Vpc, plan: _Plan, child: pulumi.ResourceOptions
) -> tuple[list[aws.ec2.Subnet], list[aws.ec2.RouteTable], list[pulumi.Resource]]:
    """Where nodes run, the tables that say how they get out, and what must be there before they do."""
    if args.egress is Egress.NONE:
        nodes = _subnets(f"{name}-node", args, vpc, plan.nodes, child)
        tables, joined = _tables(f"{name}-node", vpc, nodes, child)
        return nodes, tables, joined
    gateway = aws.ec2.InternetGateway(f"{name}-internet", vpc_id=vpc.id, opts=child)
    if args.egress is Egress.PUBLIC_IP:
        nodes = _subnets(f"{name}-node", args, vpc, plan.nodes, child, tags=_PUBLIC_BALANCERS, public=True)
        tables, joined = _tables(f"{name}-node", vpc, nodes, child)
        return nodes, tables, [*joined, *_default_routes(f"{name}-node", tables, [gateway, gateway], child)]
    public = _subnets(f"{name}-public", args, vpc, plan.public, child, tags=_PUBLIC_BALANCERS)
    outer, outer_joined = _tables(f"{name}-public", vpc, public, child)
    outward = _default_routes(f"{name}-public", outer, [gateway, gateway], child)
    nodes = _subnets(f"{name}-node", args, vpc, plan.nodes, child)
    tables, joined = _tables(f"{name}-node", vpc, nodes, child)
    gateways = _nat(name, public, gateway, child)
    routes = _default_routes(f"{name}-node", tables, gateways, child)
    return nodes, tables, [*outer_joined, *outward, *joined, *routes]


def _subnets(
    name: str,
    args: NetworkArgs,
    vpc: aws.ec2.Vpc,
    cidrs: Sequence[str],
    child: pulumi.ResourceOptions,
    *,
    tags: dict[str, str] | None = None,
    public: bool = False,
) -> list[aws.ec2.Subnet]:
    return [
        aws.ec2.Subnet(
            f"{name}-{number}",
            vpc_id=vpc.id,
            cidr_block=cidr,
            availability_zone=zone,
            map_public_ip_on_launch=public,
            tags={"Name": f"{name}-{number}", **(tags or {})},
            opts=child,
        )
        for number, (zone, cidr) in enumerate(zip(args.zones, cidrs, strict=True))
    ]


def _tables(
    name: str, vpc: aws.ec2.Vpc, subnets: Sequence[aws.ec2.Subnet], child: pulumi.ResourceOptions
) -> tuple[list[aws.ec2.RouteTable], list[pulumi.Resource]]:
    """A route table a subnet: each zone goes its own way out, and one zone's failure is its own."""
    tables, joined = [], []
    for number, subnet in enumerate(subnets):
        table = aws.ec2.RouteTable(f"{name}-routes-{number}", vpc_id=vpc.id, opts=child)
        tables.append(table)
        joined.append(
            aws.ec2.RouteTableAssociation(
                f"{name}-joined-{number}", subnet_id=subnet.id, route_table_id=table.id, opts=child
            )
        )
    return tables, list[pulumi.Resource](joined)


Gateway = aws.ec2.InternetGateway | aws.ec2.NatGateway


def _default_routes(
    name: str, tables: Sequence[aws.ec2.RouteTable], gateways: Sequence[Gateway], child: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    routes: list[pulumi.Resource] = []
    for number, (table, gateway) in enumerate(zip(tables, gateways, strict=True)):
        through_nat = isinstance(gateway, aws.ec2.NatGateway)
        routes.append(
            aws.ec2.Route(
                f"{name}-outward-{number}",
                route_table_id=table.id,
                destination_cidr_block="0.0.0.0/0",
                nat_gateway_id=gateway.id if through_nat else None,
                gateway_id=None if through_nat else gateway.id,
                opts=child,
            )
        )
    return routes


def _nat(
    name: str, public: Sequence[aws.ec2.Subnet], internet: aws.ec2.InternetGateway, child: pulumi.ResourceOptions
) -> list[aws.ec2.NatGateway]:
    gateways = []
    for number, subnet in enumerate(public):
        address = aws.ec2.Eip(f"{name}-address-{number}", domain="vpc", opts=child)
        # A NAT gateway fails while its VPC has no way out itself.
        options = pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[internet]))
        gateways.append(
            aws.ec2.NatGateway(f"{name}-nat-{number}", allocation_id=address.id, subnet_id=subnet.id, opts=options)
        )
    return gateways
