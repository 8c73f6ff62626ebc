"""A namespace whose pods can do no harm and hear nobody unless something says so."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from stacks.components.cluster import Kubernetes


@dataclass(frozen=True)
class Namespace:
    """Where a service's objects are.

    Attributes:
        name: The namespace's name.
        cluster: The cluster it is in.
        ready: What must exist before a pod starts in it.
    """

    name: str
    cluster: Kubernetes
    ready: Sequence[pulumi.Resource]


def make_namespace(name: str, physical_name: str, cluster: Kubernetes) -> Namespace:
    """Declare a namespace that refuses pods with rights (Pod Security `restricted`) and closes every door.

    Args:
        name: The logical name.
        physical_name: What it is called in the cluster.
        cluster: Which one.
    """
    enforced = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    made = kubernetes.core.v1.Namespace(
        f"{name}-namespace",
        metadata={"name": physical_name, "labels": {**enforced, **cluster.readiness_gate, **managed()}},
        opts=cluster.options,
    )
    closed = kubernetes.networking.v1.NetworkPolicy(
        f"{name}-closed",
        metadata={"name": "closed", "namespace": made.metadata.name, "labels": managed()},
        spec={"pod_selector": {}, "policy_types": ["Ingress", "Egress"]},
        opts=cluster.options,
    )
    return Namespace(physical_name, cluster, (made, closed))


def managed() -> dict[str, str]:
    """The labels by which people find whose an object is."""
    return {"app.kubernetes.io/managed-by": "pulumi", "app.kubernetes.io/part-of": pulumi.get_project()}
