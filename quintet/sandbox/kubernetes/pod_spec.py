"""What a pod template says, read once and refused where an API server or the sandbox would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from quintet.sandbox.kubernetes.errors import InvalidObjectError
from quintet.sandbox.kubernetes.fields import POD, refuse_unknown
from quintet.sandbox.kubernetes.quantities import quantity

_Port = int | str


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A question that is asked again and again; the defaults are those of Kubernetes.

    Attributes:
        how: By what.
        port: A number, already looked up by name; 0 for `exec`.
        path: For `httpGet`.
        headers: For `httpGet`.
        command: For `exec`.
    """

    how: Literal["httpGet", "tcpSocket", "exec"]
    port: int = 0
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    initial_delay_seconds: float = 0
    period_seconds: float = 10
    timeout_seconds: float = 1
    failure_threshold: int = 3
    success_threshold: int = 1


@dataclass(frozen=True, kw_only=True)
class PreStop:
    """What happens before a container is told to end: it sleeps, or a command runs."""

    sleep_seconds: float = 0
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mount:
    """A volume, or one file of it, at a path of the container."""

    volume: str
    path: str
    sub_path: str = ""


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container; `environment` and `environment_from` are as declared, to be resolved for each pod."""

    name: str
    image: str
    command: tuple[str, ...]
    arguments: tuple[str, ...]
    working_folder: str
    ports: Mapping[str, int]
    environment: tuple[Mapping[str, Any], ...]
    environment_from: tuple[Mapping[str, Any], ...]
    mounts: tuple[Mount, ...]
    limits: Mapping[str, str]
    requests: Mapping[str, str]
    startup: Probe | None
    liveness: Probe | None
    readiness: Probe | None
    pre_stop: PreStop | None

    @property
    def memory_bytes(self) -> int | None:
        """What it may use; None for all there is."""
        return int(quantity(self.limits["memory"])) if "memory" in self.limits else None


@dataclass(frozen=True, kw_only=True)
class PodSpec:
    """A pod template without what the sandbox ignores."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    containers: tuple[Container, ...]
    volumes: Mapping[str, Mapping[str, Any]]
    service_account: str
    grace_seconds: float

    @property
    def ports(self) -> dict[str, int]:
        """Named ports of all containers."""
        return {name: port for container in self.containers for name, port in container.ports.items()}

    @property
    def numbers(self) -> list[int]:
        """All declared ports."""
        return [port for container in self.containers for port in container.ports.values()]


def read_template(template: Mapping[str, Any]) -> PodSpec:
    """Read `spec.template` of a Deployment.

    Raises:
        InvalidObjectError: It holds what the sandbox does not run, or what an API server refuses.
    """
    metadata, spec = template.get("metadata") or {}, template.get("spec") or {}
    refuse_unknown(spec, POD, "spec.template.spec")
    if spec.get("restartPolicy") not in {None, "Always"}:
        raise InvalidObjectError("`spec.template.spec.restartPolicy` of a Deployment is Always")
    containers = tuple(_container(item) for item in spec.get("containers") or ())
    if not containers:
        raise InvalidObjectError("`spec.template.spec.containers` names none")
    volumes = {volume["name"]: _volume(volume) for volume in spec.get("volumes") or ()}
    _refuse_unknown_mounts(containers, volumes)
    grace = spec.get("terminationGracePeriodSeconds")
    return PodSpec(
        labels=dict(metadata.get("labels") or {}),
        annotations=dict(metadata.get("annotations") or {}),
        containers=containers,
        volumes=volumes,
        service_account=spec.get("serviceAccountName") or "default",
        grace_seconds=30.0 if grace is None else float(grace),
    )


def _container(value: Mapping[str, Any]) -> Container:
    for name in ("name", "image"):
        if not value.get(name):
            raise InvalidObjectError(f"a container of the pod needs `{name}`")
    ports = {
        str(port.get("name") or port["containerPort"]): int(port["containerPort"]) for port in value.get("ports") or ()
    }
    resources = value.get("resources") or {}
    return Container(
        name=value["name"],
        image=value["image"],
        command=tuple(value.get("command") or ()),
        arguments=tuple(value.get("args") or ()),
        working_folder=value.get("workingDir") or "",
        ports=ports,
        environment=tuple(value.get("env") or ()),
        environment_from=tuple(value.get("envFrom") or ()),
        mounts=tuple(
            Mount(mount["name"], mount["mountPath"], mount.get("subPath") or "")
            for mount in value.get("volumeMounts") or ()
        ),
        limits={name: str(amount) for name, amount in (resources.get("limits") or {}).items()},
        requests={name: str(amount) for name, amount in (resources.get("requests") or {}).items()},
        startup=_probe(value, "startupProbe", ports),
        liveness=_probe(value, "livenessProbe", ports),
        readiness=_probe(value, "readinessProbe", ports),
        pre_stop=_pre_stop((value.get("lifecycle") or {}).get("preStop")),
    )


_TIMES = {
    "initialDelaySeconds": "initial_delay_seconds",
    "periodSeconds": "period_seconds",
    "timeoutSeconds": "timeout_seconds",
    "failureThreshold": "failure_threshold",
    "successThreshold": "success_threshold",
}


def _probe(container: Mapping[str, Any], name: str, ports: Mapping[str, int]) -> Probe | None:
    value = container.get(name)
    if not value:
        return None
    ways = [way for way in ("httpGet", "tcpSocket", "exec") if value.get(way) is not None]
    if len(ways) != 1:
        raise InvalidObjectError(f"`{name}` of the container {container['name']} needs one of httpGet, tcpSocket, exec")
    [way] = ways
    told = value[way]
    numbers: dict[str, Any] = {ours: value[theirs] for theirs, ours in _TIMES.items() if value.get(theirs) is not None}
    if way == "exec":
        return Probe(how="exec", command=tuple(told["command"]), **numbers)
    port = _number(told.get("port"), ports, f"{name} of the container {container['name']}")
    if way == "tcpSocket":
        return Probe(how="tcpSocket", port=port, **numbers)
    if told.get("scheme") not in {None, "HTTP"}:
        raise InvalidObjectError(f"`{name}` asks over {told['scheme']}; the sandbox asks over HTTP")
    headers = {header["name"]: header["value"] for header in told.get("httpHeaders") or ()}
    return Probe(how="httpGet", port=port, path=told.get("path") or "/", headers=headers, **numbers)


def _number(port: _Port | None, ports: Mapping[str, int], where: str) -> int:
    if isinstance(port, int) or (isinstance(port, str) and port.isdigit()):
        return int(port)
    if port is None or port not in ports:
        known = ", ".join(f"{name} ({number})" for name, number in ports.items()) or "none"
        raise InvalidObjectError(f"`{where}` asks the port {port!r}, which the container does not have; it has {known}")
    return ports[port]


def _pre_stop(value: Mapping[str, Any] | None) -> PreStop | None:
    if not value:
        return None
    if value.get("sleep"):
        return PreStop(sleep_seconds=float(value["sleep"]["seconds"]))
    command = tuple((value.get("exec") or {}).get("command") or ())
    # `sleep` as a command would be the machine's; the hook is the same without it.
    if match := re.fullmatch(
        r"sleep (\d+(?:\.\d+)?)s?", " ".join(command[-1:] if command[:2] == ("sh", "-c") else command)
    ):
        return PreStop(sleep_seconds=float(match[1]))
    return PreStop(command=command)


def _volume(value: Mapping[str, Any]) -> Mapping[str, Any]:
    if len([name for name, item in value.items() if name != "name" and item is not None]) != 1:
        raise InvalidObjectError(f"the volume {value['name']} needs one of configMap, secret, emptyDir")
    return value


def _refuse_unknown_mounts(containers: tuple[Container, ...], volumes: Mapping[str, Any]) -> None:
    for container in containers:
        for mount in container.mounts:
            if mount.volume not in volumes:
                known = ", ".join(volumes) or "none"
                raise InvalidObjectError(
                    f"the container {container.name} mounts the volume {mount.volume}, which the pod does not have; "
                    f"it has {known}"
                )
