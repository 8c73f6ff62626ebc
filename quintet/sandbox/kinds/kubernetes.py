"""Objects of Kubernetes: kept by the sandbox's cluster, which runs what they declare.

Of the types that have no kind here (NetworkPolicy, PodDisruptionBudget, ServiceMonitor, NodeClass, ...) nothing runs:
they are declared only, and `quintet status` lists them.
"""

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pulumi.runtime import rpc

from quintet.sandbox.kinds.base import Kind, Properties, is_unknown, kind
from quintet.sandbox.kinds.calls import RefusedError

if TYPE_CHECKING:
    from quintet.sandbox.kubernetes.cluster import Cluster


class KubernetesObject(Kind):
    """One object. Its name is its own to give, as other places read it.

    Attributes:
        api_version: Of its type.
        object_kind: Of its type.
        fixed: Inputs that a cluster does not let anybody change.
    """

    api_version: ClassVar[str]
    object_kind: ClassVar[str]
    fixed: ClassVar[frozenset[str]] = frozenset()
    volatile = frozenset({"status"})

    def check(self, inputs: Properties) -> Properties:
        """Refuse what an API server would, and what the sandbox does not run; pure."""
        whole = self._object(inputs)
        if not is_unknown(whole):
            from quintet.sandbox.kubernetes.checks import check_object  # noqa: PLC0415  for programs that have some

            check_object(whole)
        return {**inputs, "apiVersion": self.api_version, "kind": self.object_kind}

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Apply it and wait until it is what it declares; what failed to become so is taken away again."""
        cluster, whole = self._cluster, self._object(inputs)
        namespace, name = _place(inputs)
        existed = cluster.get(self.object_kind, namespace, name) is not None
        try:
            made = cluster.apply(whole)
        except Exception:
            if not existed:
                cluster.delete(self.object_kind, namespace, name)
            raise
        return f"{namespace}/{name}" if namespace else name, self._outputs(made)

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Apply it anew and wait."""
        return self._outputs(self._cluster.apply(self._object(inputs)))

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it."""
        if self.world.kubernetes:
            self.world.kubernetes.delete(self.object_kind, *_place(outputs))

    def read(self, id_: str, outputs: Properties) -> Properties | None:  # noqa: ARG002  Kind's signature
        """As the cluster has it."""
        found = self._cluster.get(self.object_kind, *_place(outputs))
        return None if found is None else {**outputs, **self._outputs(found)}

    def resume(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Apply it again: a cluster that was started anew has nothing."""
        self._cluster.apply(self._object({name: outputs.get(name) for name in self.consumed}))

    def replaces(self, key: str, old: Properties, new: Properties) -> bool:
        """Another name or namespace, or what no cluster changes in place."""
        return key in self.fixed or (key == "metadata" and _place(old) != _place(new))

    def same_name(self, old: Properties, new: Properties) -> bool:
        """By name and namespace."""
        return _place(old) == _place(new)

    @property
    def _cluster(self) -> "Cluster":
        if self.world.kubernetes is None:
            raise RefusedError("no cluster runs here; `quintet up` starts it")
        return self.world.kubernetes

    def _object(self, inputs: Properties) -> dict[str, Any]:
        given = {name: value for name, value in inputs.items() if name in self.consumed and value is not None}
        metadata = _without_none(given.get("metadata") or {})
        return {**_without_none(given), "metadata": metadata, "apiVersion": self.api_version, "kind": self.object_kind}

    def _outputs(self, value: Mapping[str, Any]) -> Properties:
        return {name: value[name] for name in ("metadata", "spec", "status") if name in value}


def _encrypted(data: Mapping[str, Any]) -> bool:
    """Whether a state of the real engine holds it as a secret."""
    return rpc._special_sig_key in data  # noqa: SLF001  the SDK's name of what marks secrets


def _without_none(value: Any) -> Any:  # noqa: ANN401  any JSON
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def _place(properties: Properties) -> tuple[str, str]:
    """Namespace and name; a Namespace has none."""
    metadata = properties.get("metadata") or {}
    name = metadata.get("name", "")
    if properties.get("kind") == "Namespace":
        return "", name
    return metadata.get("namespace") or "default", name


_COMMON = frozenset({"apiVersion", "kind", "metadata"})


@kind
class Namespace(KubernetesObject):
    """Where other objects lie."""

    token = "kubernetes:core/v1:Namespace"
    api_version, object_kind = "v1", "Namespace"
    consumed = _COMMON


@kind
class ConfigMap(KubernetesObject):
    """Variables and files."""

    token = "kubernetes:core/v1:ConfigMap"
    api_version, object_kind = "v1", "ConfigMap"
    # Pulumi makes a new one, so that pods which name it are rolled.
    fixed = frozenset({"binaryData", "data", "immutable"})
    consumed = _COMMON | {"binaryData", "data", "immutable"}


@kind
class Secret(KubernetesObject):
    """Variables and files that nobody sees."""

    token = "kubernetes:core/v1:Secret"
    api_version, object_kind = "v1", "Secret"
    fixed = frozenset({"data", "immutable", "stringData", "type"})
    consumed = _COMMON | {"data", "immutable", "stringData", "type"}

    def _outputs(self, value: Mapping[str, Any]) -> Properties:
        """`data` holds all of it, as a server tells it; Pulumi's class marks it as secret."""
        plain = (value.get("stringData") or {}).items()
        encoded = {name: base64.b64encode(item.encode()).decode() for name, item in plain}
        return {**super()._outputs(value), "data": {**(value.get("data") or {}), **encoded}}

    def resume(self, id_: str, outputs: Properties) -> None:
        """From `data`, which holds what `stringData` said, too; the cluster itself knows what a state has encrypted."""
        data = outputs.get("data") or {}
        if isinstance(data, dict) and all(isinstance(value, str) for value in data.values()) and not _encrypted(data):
            super().resume(id_, {**outputs, "stringData": None})


@kind
class ServiceAccount(KubernetesObject):
    """Who a pod is."""

    token = "kubernetes:core/v1:ServiceAccount"
    api_version, object_kind = "v1", "ServiceAccount"
    consumed = _COMMON
    ignored: ClassVar[Mapping[str, str]] = {
        "automountServiceAccountToken": "there is no API server to use a token at",
        "imagePullSecrets": "images are built here and not pulled",
    }


@kind
class Service(KubernetesObject):
    """A name for pods that are ready."""

    token = "kubernetes:core/v1:Service"
    api_version, object_kind = "v1", "Service"
    consumed = _COMMON | {"spec"}

    def resume(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Its pods may come later."""
        self._cluster.apply(self._object({name: outputs.get(name) for name in self.consumed}), wait=False)

    def replaces(self, key: str, old: Properties, new: Properties) -> bool:
        """A headless Service never gets an address of the cluster, nor the other way round."""
        changed = (old.get("spec") or {}).get("clusterIP") != (new.get("spec") or {}).get("clusterIP")
        return super().replaces(key, old, new) or (key == "spec" and changed)


@kind
class Deployment(KubernetesObject):
    """Pods of one template; made and changed when they are ready."""

    token = "kubernetes:apps/v1:Deployment"
    api_version, object_kind = "apps/v1", "Deployment"
    consumed = _COMMON | {"spec"}

    def replaces(self, key: str, old: Properties, new: Properties) -> bool:
        """Its selector is for ever."""
        changed = (old.get("spec") or {}).get("selector") != (new.get("spec") or {}).get("selector")
        return super().replaces(key, old, new) or (key == "spec" and changed)


@kind
class HorizontalPodAutoscaler(KubernetesObject):
    """How many pods: here the least, as nothing measures their load."""

    token = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
    api_version, object_kind = "autoscaling/v2", "HorizontalPodAutoscaler"
    consumed = _COMMON | {"spec"}


class TargetGroupBinding(KubernetesObject):
    """The ready pods of a Service are the targets of a load balancer's group."""

    object_kind = "TargetGroupBinding"
    consumed = _COMMON | {"spec"}


@kind
class AutoModeBinding(TargetGroupBinding):
    """As EKS Auto Mode has it."""

    token = "kubernetes:eks.amazonaws.com/v1:TargetGroupBinding"
    api_version = "eks.amazonaws.com/v1"


@kind
class ControllerBinding(TargetGroupBinding):
    """As the AWS Load Balancer Controller has it."""

    token = "kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding"
    api_version = "elbv2.k8s.aws/v1beta1"
