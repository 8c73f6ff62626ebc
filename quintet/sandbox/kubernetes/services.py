"""Services: which pods, at which ports, answer under a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quintet.sandbox.kubernetes.errors import InvalidObjectError
from quintet.sandbox.kubernetes.fields import SERVICE, refuse_unknown
from quintet.sandbox.kubernetes.objects import Object, selects

if TYPE_CHECKING:
    from quintet.sandbox.kubernetes.pod import Pod

_TYPES = ("ClusterIP", None)


def check_service(value: Object) -> None:
    """Refuse what a Service of the sandbox is not.

    Raises:
        InvalidObjectError: The message names the field.
    """
    spec = value.get("spec") or {}
    refuse_unknown(spec, SERVICE, "spec")
    if spec.get("type") not in _TYPES:
        raise InvalidObjectError(f"`spec.type` is {spec['type']}; the sandbox runs Services of the type ClusterIP")
    if not spec.get("ports"):
        raise InvalidObjectError("`spec.ports` names none")


@dataclass(frozen=True)
class ServiceView:
    """A Service and the pods that it names now."""

    value: Object
    pods: tuple[Pod, ...]

    @property
    def headless(self) -> bool:
        """Whether its name stands for the pods themselves and not for one address of the cluster."""
        return (self.value.get("spec") or {}).get("clusterIP") == "None"

    def at(self, port: int | str) -> list[tuple[str, int]]:
        """Where to connect for a port of the Service, by number or name.

        The name of a headless one leads to the pods, at the port that the caller says; that of another one to an
        address of the cluster, which passes on the declared ports only.
        """
        if self.headless and isinstance(port, int):
            return sorted((pod.address, port) for pod in self.pods)
        declared = self._port(port)
        if declared is None:
            return []
        target = declared.get("targetPort") or declared["port"]
        found = ((pod.address, _number(target, pod)) for pod in self.pods)
        return sorted((address, number) for address, number in found if number is not None)

    def _port(self, port: int | str) -> Mapping[str, Any] | None:
        ports: Iterable[Mapping[str, Any]] = self.value["spec"].get("ports") or ()
        return next((each for each in ports if port in {each["port"], each.get("name")}), None)


def _number(target: int | str, pod: Pod) -> int | None:
    """The number of a target port; None for a name that the pod does not have, as on a cluster."""
    return target if isinstance(target, int) else pod.spec.ports.get(target)


def view(value: Object, pods: Iterable[Pod]) -> ServiceView:
    """A Service with those of the pods that it selects and that are ready."""
    spec, namespace = value.get("spec") or {}, value["metadata"]["namespace"]
    selector, unready = spec.get("selector") or {}, bool(spec.get("publishNotReadyAddresses"))
    chosen = (
        pod
        for pod in pods
        if pod.namespace == namespace and selects(selector, dict(pod.spec.labels)) and (pod.ready or unready)
    )
    return ServiceView(value, tuple(chosen))
