"""A pod that runs one container without rights: what every Deployment of ours is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from stacks.components.arguments import matching, refuse, within

_USER = 10_001
_SCRATCH_MB = 512
PORT_NAME = "http"


@dataclass(frozen=True, kw_only=True)
class Probe:
    """How the kubelet asks whether a container is well.

    Attributes:
        path: Answers 200 when it is.
        period_seconds: How often it is asked.
        failures: So many in a row count.
        timeout_seconds: How long an answer may take.
    """

    path: str
    period_seconds: int
    failures: int
    timeout_seconds: int = 2

    def __post_init__(self) -> None:
        refuse(
            "Probe",
            matching("path", self.path, r"/[\w/.-]*", "a path such as /readyz"),
            within("period_seconds", self.period_seconds, 1, 300, "seconds"),
            within("failures", self.failures, 1, 600),
            within("timeout_seconds", self.timeout_seconds, 1, 60, "seconds"),
        )

    def declared(self) -> kubernetes.core.v1.ProbeArgsDict:
        """As the container has it."""
        return {
            "http_get": {"path": self.path, "port": PORT_NAME},
            "period_seconds": self.period_seconds,
            "failure_threshold": self.failures,
            "timeout_seconds": self.timeout_seconds,
        }


@dataclass(frozen=True, kw_only=True)
class Probes:
    """The three questions.

    Attributes:
        startup: Whether it has begun; until then nothing else is asked.
        readiness: Whether requests may come; no stops them, and nothing else.
        liveness: Whether it can still be helped; no restarts it.
    """

    startup: Probe
    readiness: Probe
    liveness: Probe


@dataclass(frozen=True, kw_only=True)
class Stopping:
    """How a pod goes without losing a request.

    Attributes:
        notice_seconds: It serves on while whoever sends it requests learns that it goes.
        drain_seconds: Then it takes nothing new and finishes what it has.
    """

    notice_seconds: int
    drain_seconds: int

    def __post_init__(self) -> None:
        refuse(
            "Stopping",
            within("notice_seconds", self.notice_seconds, 1, 600, "seconds"),
            within("drain_seconds", self.drain_seconds, 1, 600, "seconds"),
        )

    @property
    def grace_seconds(self) -> int:
        """When the kubelet kills it: later than all of that."""
        return self.notice_seconds + self.drain_seconds + 10


@dataclass(frozen=True, kw_only=True)
class Container:
    """What runs.

    Attributes:
        name: The container's name.
        image: `repository@digest`.
        port: Where it listens.
        probes: How it is asked.
        stopping: How it goes.
        cpu_millicores: Reserved, and no more is given.
        memory_mb: Reserved, and who takes more is killed.
        command: In place of the image's own.
        config_map: The ConfigMap whose entries are its environment.
        secret: The Secret whose entries are its environment, too.
        from_pod: Variables by the field of the pod that they carry, as `status.podIP`.
        files: The ConfigMap whose entries are files in `files_at`.
        files_at: An absolute path.
        user: The number of the user it runs as; absent: ours.
    """

    name: str
    image: pulumi.Input[str]
    port: int
    probes: Probes
    stopping: Stopping
    cpu_millicores: int
    memory_mb: int
    command: Sequence[str] = ()
    config_map: pulumi.Input[str] | None = None
    secret: pulumi.Input[str] | None = None
    from_pod: Mapping[str, str] | None = None
    files: pulumi.Input[str] | None = None
    files_at: str = ""
    user: int = _USER

    def declared(self) -> kubernetes.core.v1.ContainerArgsDict:
        """As the pod has it."""
        container: kubernetes.core.v1.ContainerArgsDict = {
            "name": self.name,
            "image": self.image,
            "ports": [{"name": PORT_NAME, "container_port": self.port, "protocol": "TCP"}],
            "startup_probe": self.probes.startup.declared(),
            "readiness_probe": self.probes.readiness.declared(),
            "liveness_probe": self.probes.liveness.declared(),
            "lifecycle": {"pre_stop": {"sleep": {"seconds": self.stopping.notice_seconds}}},
            "resources": self._resources(),
            "security_context": {
                "allow_privilege_escalation": False,
                "read_only_root_filesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volume_mounts": self._mounts(),
        }
        if self.from_pod:
            container["env"] = [
                {"name": name, "value_from": {"field_ref": {"field_path": path}}}
                for name, path in self.from_pod.items()
            ]
        if sources := self._environment():
            container["env_from"] = sources
        if self.command:
            container["command"] = list(self.command)
        return container

    def volumes(self) -> list[kubernetes.core.v1.VolumeArgsDict]:
        """What it mounts; /tmp is all that it can write to."""
        scratch: kubernetes.core.v1.VolumeArgsDict = {"name": "tmp", "empty_dir": {"size_limit": f"{_SCRATCH_MB}Mi"}}
        if self.files is None:
            return [scratch]
        return [scratch, {"name": "files", "config_map": {"name": self.files}}]

    def _mounts(self) -> list[kubernetes.core.v1.VolumeMountArgsDict]:
        scratch: kubernetes.core.v1.VolumeMountArgsDict = {"name": "tmp", "mount_path": "/tmp"}  # noqa: S108  a volume of its own
        if self.files is None:
            return [scratch]
        return [scratch, {"name": "files", "mount_path": self.files_at, "read_only": True}]

    def _resources(self) -> kubernetes.core.v1.ResourceRequirementsArgsDict:
        amounts = {"cpu": f"{self.cpu_millicores}m", "memory": f"{self.memory_mb}Mi"}
        # As much as is reserved and no more: a pod that borrows is slow whenever its neighbours are busy.
        return {"requests": {**amounts, "ephemeral-storage": f"{_SCRATCH_MB}Mi"}, "limits": amounts}

    def _environment(self) -> list[kubernetes.core.v1.EnvFromSourceArgsDict]:
        sources: list[kubernetes.core.v1.EnvFromSourceArgsDict] = []
        if self.config_map is not None:
            sources.append({"config_map_ref": {"name": self.config_map}})
        if self.secret is not None:
            sources.append({"secret_ref": {"name": self.secret}})
        return sources


def pod(
    container: Container, *, account: str, labels: Mapping[str, pulumi.Input[str]], selector: Mapping[str, str]
) -> kubernetes.core.v1.PodTemplateSpecArgsDict:
    """A pod of one container, spread over zones and nodes."""
    return {
        "metadata": {"labels": dict(labels)},
        "spec": {
            "service_account_name": account,
            "automount_service_account_token": False,
            # Variables for every Service of the namespace would be settings that nobody set.
            "enable_service_links": False,
            "termination_grace_period_seconds": container.stopping.grace_seconds,
            "security_context": {
                "run_as_non_root": True,
                "run_as_user": container.user,
                "run_as_group": container.user,
                "fs_group": container.user,
                "seccomp_profile": {"type": "RuntimeDefault"},
            },
            "containers": [container.declared()],
            "volumes": container.volumes(),
            "topology_spread_constraints": [
                _spread("topology.kubernetes.io/zone", selector),
                _spread("kubernetes.io/hostname", selector),
            ],
        },
    }


def _spread(key: str, selector: Mapping[str, str]) -> kubernetes.core.v1.TopologySpreadConstraintArgsDict:
    return {
        "max_skew": 1,
        "topology_key": key,
        # A pod in a full zone is worth more than none.
        "when_unsatisfiable": "ScheduleAnyway",
        "label_selector": {"match_labels": dict(selector)},
        # Of this version alone: pods that are on their way out would count else.
        "match_label_keys": ["pod-template-hash"],
    }
