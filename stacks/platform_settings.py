"""What an environment may set about the network and the cluster that services share."""

import ipaddress
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from stacks.components.network import cidr_problems
from stacks.sections import Absent, Listed, Section

VpcId = Annotated[str, Field(pattern=r"^vpc-[0-9a-f]+$")]
SubnetId = Annotated[str, Field(pattern=r"^subnet-[0-9a-f]+$")]
GroupId = Annotated[str, Field(pattern=r"^sg-[0-9a-f]+$")]
# The longest that EKS takes is 100 characters; the name is also part of other names.
ClusterName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]
_SUBNETS = 2


class Platform(Section):
    """Settings of the network and the cluster; each key begins with `network` or `cluster`.

    Attributes:
        network_cidr: Addresses of a network that is made.
        network_egress: How it reaches the internet.
        network_vpc: A network that is there already.
        network_private_subnets: Two of its subnets, for nodes and load balancers.
        network_public_subnets: Two of its subnets, for nodes that have public addresses.
        cluster: Whether one is made or is there already.
        cluster_name: Of one that is there.
        cluster_kubeconfig: How to reach one that is there; secret.
        cluster_security_group: What its nodes and pods are in.
        cluster_version: Of Kubernetes, for one that is made.
        cluster_public_access: From where the API of one that is made is reached over the internet.
        cluster_dns: Where its names are resolved.
        cluster_balancing: Who registers pods with load balancers.
    """

    network_cidr: str
    network_egress: Literal["nat", "public_ip", "none"]
    network_vpc: Annotated[VpcId | None, Absent]
    network_private_subnets: Annotated[tuple[SubnetId, ...], Listed]
    network_public_subnets: Annotated[tuple[SubnetId, ...], Listed]
    cluster: Literal["create", "existing"]
    cluster_name: Annotated[ClusterName | None, Absent]
    cluster_kubeconfig: Annotated[SecretStr | None, Absent]
    cluster_security_group: Annotated[GroupId | None, Absent]
    cluster_version: Annotated[str, Field(pattern=r"^1\.\d{2}$")]
    cluster_public_access: Annotated[tuple[str, ...], Listed]
    cluster_dns: Annotated[str | None, Absent]
    cluster_balancing: Literal["auto_mode", "controller"]

    @field_validator("network_cidr")
    @classmethod
    def _addresses_of_a_vpc(cls, cidr: str) -> str:
        if problems := cidr_problems(cidr):
            raise ValueError("; ".join(problems))
        return cidr

    @field_validator("network_private_subnets", "network_public_subnets")
    @classmethod
    def _with_a_vpc_only(cls, subnets: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if "network_vpc" not in info.data:  # it is wrong itself, and told
            return subnets
        if subnets and not info.data["network_vpc"]:
            raise ValueError("goes with networkVpc, and none is set")
        if len(set(subnets)) not in {0, _SUBNETS}:
            raise ValueError("allowed are two subnets in two zones")
        if info.data["network_vpc"] and not subnets and info.field_name == _needed(info.data.get("network_egress")):
            raise ValueError(f"an existing network needs two, for networkEgress {info.data['network_egress']}")
        return subnets

    @field_validator("cluster_name", "cluster_kubeconfig", "cluster_security_group")
    @classmethod
    def _with_an_existing_cluster(cls, value: object, info: ValidationInfo) -> object:
        kind = info.data.get("cluster")
        if kind == "existing" and not value:
            raise ValueError("an existing cluster needs it")
        if kind == "create" and value:
            raise ValueError("goes with cluster existing, not create")
        return value

    @field_validator("cluster_public_access")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            try:
                ipaddress.IPv4Network(network)
            except ValueError as wrong:
                raise ValueError(f"{wrong}; allowed are networks such as 203.0.113.0/24") from None
        return networks

    @field_validator("cluster_dns")
    @classmethod
    def _an_address(cls, address: str | None) -> str | None:
        if address is not None and not _is_address(address):
            raise ValueError("allowed is the address at which the cluster resolves names, as 172.20.0.10")
        return address

    @field_validator("cluster_balancing")
    @classmethod
    def _auto_mode_balances_itself(cls, who: str, info: ValidationInfo) -> str:
        if who == "controller" and info.data.get("cluster") == "create":
            raise ValueError("goes with cluster existing; a cluster that is made runs in Auto Mode, which does it")
        return who


def _needed(egress: object) -> str:
    return "network_public_subnets" if egress == "public_ip" else "network_private_subnets"


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
