"""The network and the cluster that services share, made or taken as they are."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from stacks.components.cluster import Binding, Cluster, ClusterArgs, Kubernetes, dns_of, enforce_network_policies
from stacks.components.names import stack_prefix
from stacks.components.network import ZONES, Egress, Network, NetworkArgs, Place, Subnets
from stacks.settings import Platform
from stacks.shared import KEY_DELETION_DAYS, Shared

_BINDINGS: dict[str, Binding] = {"auto_mode": "eks.amazonaws.com/v1", "controller": "elbv2.k8s.aws/v1beta1"}


@dataclass(frozen=True)
class Ground:
    """What services on Kubernetes stand on.

    Attributes:
        place: The network.
        cluster: The cluster in it.
    """

    place: Place
    cluster: Kubernetes


def ground(settings: Platform, shared: Shared) -> Ground:
    """Make, or take, the network and the cluster."""
    place = _existing_network(settings, shared) if settings.network_vpc else _network(settings, shared)
    if settings.cluster == "create":
        return Ground(place, _cluster(settings, place, shared))
    return Ground(place, _existing_cluster(settings, shared))


def _network(settings: Platform, shared: Shared) -> Place:
    zones = aws.get_availability_zones(state="available", opts=shared.asking)
    args = NetworkArgs(
        cidr=settings.network_cidr,
        egress=Egress(settings.network_egress),
        region=shared.settings.region,
        zones=zones.names[:ZONES],
        log_retention_days=shared.settings.log_retention_days,
        kms_key_arn=shared.settings.kms_key,
    )
    return Network("network", args, shared.options).place


def _existing_network(settings: Platform, shared: Shared) -> Place:
    """A network of somebody else's: its subnets' addresses are asked for, because policies name addresses."""
    public = settings.network_egress == Egress.PUBLIC_IP.value
    nodes = settings.network_public_subnets if public else settings.network_private_subnets
    edge = settings.network_private_subnets or settings.network_public_subnets

    def subnets(ids: tuple[str, ...]) -> Subnets:
        return Subnets(list(ids), [aws.ec2.get_subnet(id=id_, opts=shared.asking).cidr_block for id_ in ids])

    return Place(str(settings.network_vpc), subnets(nodes), subnets(edge), Egress(settings.network_egress))


def _cluster(settings: Platform, place: Place, shared: Shared) -> Kubernetes:
    common = shared.settings
    args = ClusterArgs(
        cluster_name=stack_prefix(),
        place=place,
        version=settings.cluster_version,
        public_access=settings.cluster_public_access,
        region=common.region,
        kms_key_arn=common.kms_key,
        key_deletion_days=KEY_DELETION_DAYS[common.protected],
        log_retention_days=common.log_retention_days,
        protected=common.protected,
    )
    cluster = Cluster("cluster", args, shared.options)
    options = _options(cluster.kubeconfig, shared)
    enforce_network_policies("cluster", options)
    return Kubernetes(
        name=cluster.cluster_name,
        security_group=cluster.security_group,
        dns=dns_of(settings.cluster_dns, made_here=True),
        binding="eks.amazonaws.com/v1",
        options=options,
    )


def _existing_cluster(settings: Platform, shared: Shared) -> Kubernetes:
    if not (settings.cluster_name and settings.cluster_security_group and settings.cluster_kubeconfig):
        raise ValueError("the settings of an existing cluster were not checked")
    kubeconfig = pulumi.Output.secret(settings.cluster_kubeconfig.get_secret_value())
    return Kubernetes(
        name=settings.cluster_name,
        security_group=settings.cluster_security_group,
        dns=dns_of(settings.cluster_dns, made_here=False),
        binding=_BINDINGS[settings.cluster_balancing],
        options=_options(kubeconfig, shared),
    )


def _options(kubeconfig: pulumi.Input[str], shared: Shared) -> pulumi.ResourceOptions:
    """The provider that speaks to the cluster, beside those of AWS."""
    provider = kubernetes.Provider("cluster", kubeconfig=kubeconfig)
    return pulumi.ResourceOptions.merge(shared.options, pulumi.ResourceOptions(providers=[provider]))
