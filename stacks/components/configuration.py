"""What pods are configured by: ConfigMaps and Secrets that never change, each with its content's hash in its name.

A change is then a new object, so that it rolls the pods as a new image does, and is rolled back as one.
"""

import hashlib
from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as kubernetes

from stacks.components.namespaces import Namespace

_HASH_LENGTH = 10


def config_map(
    name: str,
    namespace: Namespace,
    data: Mapping[str, pulumi.Input[str]],
    labels: Mapping[str, str],
    child: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    """Declare a ConfigMap `<name>-<hash>`; returns its name once it is there."""
    made = kubernetes.core.v1.ConfigMap(
        f"{name}-config",
        metadata={"name": _hashed(name, data), "namespace": namespace.name, "labels": dict(labels)},
        data=dict(data),
        immutable=True,
        opts=child,
    )
    return made.metadata.name


def secret(
    name: str,
    namespace: Namespace,
    data: Mapping[str, pulumi.Input[str]],
    labels: Mapping[str, str],
    child: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    """Declare a Secret `<name>-<hash>`; returns its name once it is there. Its values are encrypted in the state."""
    hidden = {key: pulumi.Output.secret(value) for key, value in data.items()}
    made = kubernetes.core.v1.Secret(
        f"{name}-secret",
        metadata={"name": _hashed(name, hidden), "namespace": namespace.name, "labels": dict(labels)},
        string_data=hidden,
        immutable=True,
        type="Opaque",
        opts=child,
    )
    return made.metadata.name


def _hashed(name: str, data: Mapping[str, pulumi.Input[str]]) -> pulumi.Output[str]:
    """A name that is another one whenever the data is; 40 bits of a hash tell nothing of a long random secret."""

    def render(content: str) -> str:
        return f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:_HASH_LENGTH]}"

    return pulumi.Output.unsecret(pulumi.Output.json_dumps(dict(data), sort_keys=True).apply(render))
