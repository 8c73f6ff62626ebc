"""A Kubernetes cluster: EKS Auto Mode made here, or one that is there already."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from stacks.components.arguments import checked_name, matching, one_of, refuse
from stacks.components.cluster_roles import cluster_role, node_role
from stacks.components.function import RETENTION_DAYS
from stacks.components.network import Place

SERVICE_CIDR = "172.20.0.0/16"
"""Addresses of Services; within the cluster only, and one of the two ranges that EKS itself would take."""
DNS_ADDRESS = "172.20.0.10"
"""Where names are resolved: the tenth address of the Services' range, as EKS has it."""
_DNS_NAME = "kube-dns.kube-system.svc.cluster.local"
_LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")

Binding = Literal["eks.amazonaws.com/v1", "elbv2.k8s.aws/v1beta1"]
"""Who registers pods with a load balancer: Auto Mode itself, or the AWS Load Balancer Controller."""


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """What a cluster needs.

    Attributes:
        cluster_name: Its physical name; the log group of its control plane is named after it.
        place: Where its nodes run.
        region: Where it is; the kubeconfig says so.
        version: Of Kubernetes, as `1.34`.
        public_access: Networks from which its API is reached over the internet; none: from its own network only.
        kms_key_arn: A key of the owner's for Secrets and logs; absent: one that is made.
        key_deletion_days: How long that one can be brought back, in days.
        log_retention_days: Of the control plane's logs.
        protected: AWS refuses to delete it.
    """

    cluster_name: str
    place: Place
    region: str
    version: str
    public_access: tuple[str, ...] = ()
    kms_key_arn: str | None = None
    key_deletion_days: int = 30
    log_retention_days: int = 30
    protected: bool = True

    def __post_init__(self) -> None:
        refuse(
            "ClusterArgs",
            matching("cluster_name", self.cluster_name, r"[a-z][a-z0-9-]{0,99}", "up to 100 letters, digits, hyphens"),
            matching("version", self.version, r"1\.\d{2}", "a version such as 1.34"),
            [problem for network in self.public_access for problem in _network_problems(network)],
            one_of("log_retention_days", self.log_retention_days, RETENTION_DAYS),
        )


def _network_problems(network: str) -> list[str]:
    try:
        ipaddress.IPv4Network(network)
    except ValueError as wrong:
        return [f"public_access has {network!r} ({wrong}); allowed are networks such as 203.0.113.0/24"]
    return []


@dataclass(frozen=True)
class Kubernetes:
    """What a cluster is to those that run in it, whoever made it.

    Attributes:
        name: Its name, by which roles are given to pods.
        security_group: The group that nodes and pods are in.
        dns: Where names are resolved within.
        binding: Who registers pods with a load balancer.
        options: For every component that declares something in it: the provider beside those of AWS.
    """

    name: pulumi.Input[str]
    security_group: pulumi.Input[str]
    dns: str
    binding: Binding
    options: pulumi.ResourceOptions

    @property
    def readiness_gate(self) -> dict[str, str]:
        """The label of a namespace whose pods are ready only when the load balancer sends them requests."""
        group = self.binding.partition("/")[0]
        return {f"{group}/pod-readiness-gate-inject": "enabled"}


class Cluster(pulumi.ComponentResource):
    """EKS Auto Mode: AWS runs the nodes, their network, load balancing and disks.

    Attributes:
        cluster_name: Its name, known when pods can run.
        security_group: Of nodes and pods.
        kubeconfig: For whoever may call AWS as a role that the cluster admits; holds no secret.
    """

    cluster_name: pulumi.Output[str]
    security_group: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("quintet:compute:Cluster", checked_name(name), None, opts)
        child = pulumi.ResourceOptions(parent=self)
        key_arn = args.kms_key_arn or _key(name, args, child)
        logs = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            # EKS writes to this name and no other; a group that it made itself would keep logs for ever.
            name=f"/aws/eks/{args.cluster_name}/cluster",
            retention_in_days=args.log_retention_days,
            kms_key_id=args.kms_key_arn,
            opts=child,
        )
        nodes, node_policies = node_role(name, child)
        role, policies = cluster_role(name, key_arn, child)
        cluster = _cluster(name, args, role, nodes, key_arn, after=[logs, *policies, *node_policies], parent=self)
        metrics = aws.eks.Addon(
            f"{name}-metrics-server", cluster_name=cluster.name, addon_name="metrics-server", opts=child
        )
        # An autoscaler without it knows no load; so whoever runs in the cluster waits for it.
        self.cluster_name = pulumi.Output.all(cluster.name, metrics.arn).apply(lambda known: str(known[0]))
        self.security_group = cluster.vpc_config.cluster_security_group_id
        self.kubeconfig = _kubeconfig(cluster, args.region)
        self.register_outputs({"clusterName": self.cluster_name})


def _key(name: str, args: ClusterArgs, child: pulumi.ResourceOptions) -> pulumi.Output[str]:
    key = aws.kms.Key(
        f"{name}-key",
        description="Encrypts the Secrets of the cluster",
        enable_key_rotation=True,
        deletion_window_in_days=args.key_deletion_days,
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(protect=args.protected)),
    )
    return key.arn


def _cluster(
    name: str,
    args: ClusterArgs,
    role: aws.iam.Role,
    nodes: aws.iam.Role,
    key_arn: pulumi.Input[str],
    *,
    after: Sequence[pulumi.Resource],
    parent: pulumi.Resource,
) -> aws.eks.Cluster:
    public = bool(args.public_access)
    return aws.eks.Cluster(
        f"{name}-cluster",
        name=args.cluster_name,
        role_arn=role.arn,
        version=args.version,
        access_config={"authentication_mode": "API", "bootstrap_cluster_creator_admin_permissions": True},
        # Auto Mode brings its own, and is on only with these three together.
        bootstrap_self_managed_addons=False,
        compute_config={"enabled": True, "node_pools": ["general-purpose", "system"], "node_role_arn": nodes.arn},
        kubernetes_network_config={"elastic_load_balancing": {"enabled": True}, "service_ipv4_cidr": SERVICE_CIDR},
        storage_config={"block_storage": {"enabled": True}},
        vpc_config={
            "subnet_ids": args.place.nodes.ids,
            "endpoint_private_access": True,
            "endpoint_public_access": public,
            "public_access_cidrs": list(args.public_access) if public else None,
        },
        encryption_config={"provider": {"key_arn": key_arn}, "resources": ["secrets"]},
        enabled_cluster_log_types=list(_LOGS),
        # The dear extended support, at six times the price, is entered by upgrading too late and never by default.
        upgrade_policy={"support_type": "STANDARD"},
        deletion_protection=args.protected,
        # Its name is given, so a new one cannot be made beside it.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[*after, *args.place.ready], delete_before_replace=True),
    )


def _kubeconfig(cluster: aws.eks.Cluster, region: str) -> pulumi.Output[str]:
    """How to reach the cluster; who one is comes from the AWS CLI at each call."""
    token = ["--region", region, "eks", "get-token", "--output", "json", "--cluster-name", cluster.name]
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws", "args": token}}
    server = {
        "server": cluster.endpoint,
        "certificate-authority-data": cluster.certificate_authority.data,
    }
    return pulumi.Output.json_dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "quintet", "cluster": server}],
            "contexts": [{"name": "quintet", "context": {"cluster": "quintet", "user": "quintet"}}],
            "current-context": "quintet",
            "users": [{"name": "quintet", "user": user}],
        }
    )


def enforce_network_policies(name: str, opts: pulumi.ResourceOptions) -> kubernetes.core.v1.ConfigMap:
    """Make Auto Mode obey NetworkPolicies; without this it takes them and does nothing.

    The pools that are built in admit what no policy is about (`networkPolicy: DefaultAllow` of the NodeClass
    `default`), so no NodeClass of our own is needed: every namespace of ours says what it admits.
    """
    return kubernetes.core.v1.ConfigMap(
        f"{name}-network-policies",
        metadata={"name": "amazon-vpc-cni", "namespace": "kube-system"},
        data={"enable-network-policy-controller": "true"},
        opts=opts,
    )


def dns_of(given: str | None, *, made_here: bool) -> str:
    """Where the cluster's names are resolved.

    Args:
        given: What the settings say.
        made_here: The cluster is ours, and so are its addresses.
    """
    return given or (DNS_ADDRESS if made_here else _DNS_NAME)
