"""Who may speak with whom in a cluster: peers, and the NetworkPolicies that are made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from stacks.components.arguments import refuse, within

_METADATA = "169.254.169.254/32"
ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One that a pod listens to or speaks to.

    Attributes:
        port: Of the listening side.
        labels: Pods of the same namespace, or of `namespace`.
        namespace: Another namespace, all of whose pods are meant unless labels say which.
        cidrs: Addresses; without labels, namespace and addresses everybody is meant.
        protocol: `TCP` or `UDP`.
        last_port: The end of a range that begins with `port`.
    """

    port: int
    labels: Mapping[str, str] | None = None
    namespace: str | None = None
    cidrs: Sequence[pulumi.Input[str]] = ()
    protocol: str = "TCP"
    last_port: int | None = None

    def __post_init__(self) -> None:
        both = bool(self.cidrs) and (self.labels is not None or self.namespace is not None)
        refuse(
            "Peer",
            within("port", self.port, 1, 65_535),
            within("last_port", self.last_port, self.port, 65_535),
            ["cidrs do not go with labels or a namespace"] if both else [],
        )

    def _peers(self) -> list[kubernetes.networking.v1.NetworkPolicyPeerArgsDict]:
        if self.cidrs:
            return [_block(cidr) for cidr in self.cidrs]
        peer: kubernetes.networking.v1.NetworkPolicyPeerArgsDict = {}
        if self.labels is not None:
            peer["pod_selector"] = {"match_labels": dict(self.labels)}
        if self.namespace is not None:
            peer["namespace_selector"] = {"match_labels": {"kubernetes.io/metadata.name": self.namespace}}
        return [peer] if peer else []

    def _ports(self) -> list[kubernetes.networking.v1.NetworkPolicyPortArgsDict]:
        port: kubernetes.networking.v1.NetworkPolicyPortArgsDict = {"port": self.port, "protocol": self.protocol}
        if self.last_port:
            port["end_port"] = self.last_port
        return [port]

    def ingress(self) -> kubernetes.networking.v1.NetworkPolicyIngressRuleArgsDict:
        """Listen to it."""
        return {"from_": self._peers(), "ports": self._ports()}

    def egress(self) -> kubernetes.networking.v1.NetworkPolicyEgressRuleArgsDict:
        """Speak to it."""
        rule: kubernetes.networking.v1.NetworkPolicyEgressRuleArgsDict = {"ports": self._ports()}
        if peers := self._peers():
            rule["to"] = peers
        return rule


def _block(cidr: pulumi.Input[str]) -> kubernetes.networking.v1.NetworkPolicyPeerArgsDict:
    # Whoever may speak to everybody would also reach the node's metadata, and with it the node's role.
    if cidr == ANYWHERE:
        return {"ip_block": {"cidr": cidr, "except_": [_METADATA]}}
    return {"ip_block": {"cidr": cidr}}


def names() -> tuple[Peer, ...]:
    """Resolving names. By port alone: on Auto Mode a process of the node answers, which no selector can name."""
    return Peer(port=53, protocol="UDP"), Peer(port=53)


def pod_identity() -> Peer:
    """The agent of EKS Pod Identity on the pod's own node, from which its credentials come."""
    return Peer(port=80, cidrs=("169.254.170.23/32",))


def https() -> Peer:
    """AWS and issuers of tokens. Their addresses change, and NetworkPolicies know no prefix lists or names."""
    return Peer(port=443, cidrs=(ANYWHERE,))
