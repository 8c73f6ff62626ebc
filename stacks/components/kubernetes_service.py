"""A service on Kubernetes: its pods scale on their load, are replaced without losing a request, hear only peers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as kubernetes

from stacks.components.arguments import checked_name, matching, refuse, within
from stacks.components.configuration import config_map, secret
from stacks.components.namespaces import Namespace, managed
from stacks.components.peers import Peer, names, pod_identity
from stacks.components.pods import PORT_NAME, Container, Probes, Stopping, pod
from stacks.components.workload_identity import WorkloadIdentity

_CPU_TARGET_PERCENT = 70
_PROGRESS_SECONDS = 600  # a new node of Auto Mode takes one or two minutes, a large image another
_STEADY_SECONDS = 5
_OLD_VERSIONS = 3


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How many pods.

    Attributes:
        minimum: At rest. Two, so that one can go.
        maximum: Under load.
    """

    minimum: int = 2
    maximum: int = 10

    def __post_init__(self) -> None:
        refuse(
            "Scale",
            within("minimum", self.minimum, 1, 1_000, "pods"),
            within("maximum", self.maximum, self.minimum, 1_000, "pods"),
        )


@dataclass(frozen=True, kw_only=True)
class KubernetesServiceArgs:
    """What a service needs.

    Attributes:
        namespace: Where it is.
        identity: Who its pods are, and what they use.
        application: What it is part of; the label `app.kubernetes.io/name`.
        component: Which part; the label `app.kubernetes.io/component`.
        image: `repository@digest`.
        version: Of what runs; a label that people read.
        port: Where the container listens.
        probes: How it is asked whether it is well.
        stopping: How a pod goes.
        cpu_millicores: Of a pod, reserved and at most.
        memory_mb: Of a pod, reserved and at most.
        scale: How many pods.
        service_port: Where the Service listens; absent: it has no address of its own, and its name leads to every
            pod that is ready, so that the caller chooses.
        labels: Further labels by which its pods are told from others.
        environment: Variables beside those of the identity's uses.
        secrets: Variables that are kept in a Secret.
        from_pod: Variables by the field of the pod that they carry.
        command: In place of the image's own.
        files: Files by name, mounted at `files_at`.
        files_at: An absolute path.
        user: The number of the user of the image; absent: 10001.
        admits: Who may speak to the pods.
        reaches: Whom the pods speak to, beside the resolution of names.
        after: What must exist before a pod starts.
    """

    namespace: Namespace
    identity: WorkloadIdentity
    application: str
    component: str
    image: pulumi.Input[str]
    version: pulumi.Input[str]
    port: int
    probes: Probes
    stopping: Stopping
    cpu_millicores: int
    memory_mb: int
    scale: Scale = field(default_factory=Scale)
    service_port: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    from_pod: Mapping[str, str] = field(default_factory=dict)
    command: Sequence[str] = ()
    files: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    files_at: str = ""
    user: int = 10_001
    admits: Sequence[Peer] = ()
    reaches: Sequence[Peer] = ()
    after: Sequence[pulumi.Resource] = ()

    def __post_init__(self) -> None:
        sources = (self.identity.uses, self.environment, self.secrets, self.from_pod)
        twice = sorted(
            {name for at, names_ in enumerate(sources) for other in sources[:at] for name in names_ if name in other}
        )
        refuse(
            "KubernetesServiceArgs",
            within("port", self.port, 1024, 65_535, "(a container without rights cannot listen below)"),
            within("cpu_millicores", self.cpu_millicores, 50, 32_000, "millicores"),
            within("memory_mb", self.memory_mb, 32, 65_536, "MB"),
            within("service_port", self.service_port, 1, 65_535),
            [f"{name} is set twice" for name in twice],
            [
                problem
                for source in sources
                for name in source
                for problem in matching("a variable", name, r"[A-Z][A-Z0-9_]*", "capitals, digits and underscores")
            ],
            ["files and files_at go together"] if bool(self.files) != bool(self.files_at) else [],
            matching("files_at", self.files_at or None, r"/[\w/.-]+", "an absolute path"),
        )

    @property
    def selector(self) -> dict[str, str]:
        """By what its pods are told from all others; it can never be changed."""
        return {
            "app.kubernetes.io/name": self.application,
            "app.kubernetes.io/component": self.component,
            **self.labels,
        }


class KubernetesService(pulumi.ComponentResource):
    """A Deployment with its Service, autoscaler, disruption budget, policy and configuration, all of one name.

    Attributes:
        service_name: The Service's name.
        selector: The labels of its pods.
        workload: The Deployment; it is there when the pods are ready.
    """

    service_name: pulumi.Output[str]
    selector: dict[str, str]
    workload: kubernetes.apps.v1.Deployment

    def __init__(self, name: str, args: KubernetesServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("quintet:compute:KubernetesService", checked_name(name), None, opts)
        self._name, self._args, self.selector = name, args, args.selector
        self._child = pulumi.ResourceOptions(parent=self, depends_on=list(args.namespace.ready))
        service = self._service()
        policy = self._policy()
        self.service_name = service.metadata.name.apply(str)
        self.workload = self._deployment(self._container(), after=[service, policy])
        self._autoscaler()
        self._budget()
        self.register_outputs({"serviceName": self.service_name})

    @property
    def _labels(self) -> dict[str, pulumi.Input[str]]:
        instance = {"app.kubernetes.io/instance": self._name, "app.kubernetes.io/version": self._args.version}
        return {**self.selector, **instance, **managed()}

    @property
    def _metadata(self) -> kubernetes.meta.v1.ObjectMetaArgsDict:
        return {"name": self._name, "namespace": self._args.namespace.name, "labels": self._labels}

    def _service(self) -> kubernetes.core.v1.Service:
        port = self._args.service_port
        return kubernetes.core.v1.Service(
            f"{self._name}-service",
            metadata={
                **self._metadata,
                # It is there before its pods are; Pulumi would wait for them.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={
                **({} if port else {"cluster_ip": "None"}),
                "type": "ClusterIP",
                "selector": self.selector,
                "ports": [
                    {
                        "name": PORT_NAME,
                        "port": port or self._args.port,
                        "target_port": PORT_NAME if port else self._args.port,
                        "protocol": "TCP",
                    }
                ],
            },
            opts=self._child,
        )

    def _policy(self) -> kubernetes.networking.v1.NetworkPolicy:
        """Who is heard and spoken to. The kubelet's probes come from the pod's own node, which is always heard."""
        reaches = [*names(), *([pod_identity()] if self._args.identity.uses else []), *self._args.reaches]
        return kubernetes.networking.v1.NetworkPolicy(
            f"{self._name}-policy",
            metadata=self._metadata,
            spec={
                "pod_selector": {"match_labels": self.selector},
                "policy_types": ["Ingress", "Egress"],
                "ingress": [peer.ingress() for peer in self._args.admits],
                "egress": [peer.egress() for peer in reaches],
            },
            opts=self._child,
        )

    def _container(self) -> Container:
        args = self._args
        variables = {name: use.identifier for name, use in args.identity.uses.items()} | dict(args.environment)
        labels = {**self.selector, **managed()}
        return Container(
            name=args.component,
            image=args.image,
            port=args.port,
            probes=args.probes,
            stopping=args.stopping,
            cpu_millicores=args.cpu_millicores,
            memory_mb=args.memory_mb,
            command=args.command,
            config_map=config_map(self._name, args.namespace, variables, labels, self._child) if variables else None,
            secret=secret(self._name, args.namespace, args.secrets, labels, self._child) if args.secrets else None,
            from_pod=args.from_pod,
            files=config_map(f"{self._name}-files", args.namespace, args.files, labels, self._child)
            if args.files
            else None,
            files_at=args.files_at,
            user=args.user,
        )

    def _deployment(self, container: Container, after: Sequence[pulumi.Resource]) -> kubernetes.apps.v1.Deployment:
        after = [*after, *self._args.namespace.ready, *self._args.identity.ready, *self._args.after]
        template = pod(container, account=self._args.identity.account, labels=self._labels, selector=self.selector)
        return kubernetes.apps.v1.Deployment(
            f"{self._name}-deployment",
            metadata=self._metadata,
            spec={
                # No `replicas`: their number is the autoscaler's, and an update would undo it.
                "selector": {"match_labels": self.selector},
                "strategy": {
                    "type": "RollingUpdate",
                    "rolling_update": {"max_unavailable": 0, "max_surge": 1},
                },
                "min_ready_seconds": _STEADY_SECONDS,
                "progress_deadline_seconds": _PROGRESS_SECONDS,
                "revision_history_limit": _OLD_VERSIONS,
                "template": template,
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
        )

    def _autoscaler(self) -> None:
        kubernetes.autoscaling.v2.HorizontalPodAutoscaler(
            f"{self._name}-autoscaler",
            metadata=self._metadata,
            spec={
                "scale_target_ref": {"api_version": "apps/v1", "kind": "Deployment", "name": self._name},
                "min_replicas": self._args.scale.minimum,
                "max_replicas": self._args.scale.maximum,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "cpu",
                            "target": {"type": "Utilization", "average_utilization": _CPU_TARGET_PERCENT},
                        },
                    }
                ],
                "behavior": {
                    # Up at once, down slowly: a pod that warms up costs more than one that idles for minutes.
                    "scale_up": {"policies": [{"type": "Percent", "value": 100, "period_seconds": 15}]},
                    "scale_down": {"stabilization_window_seconds": 300},
                },
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.workload]),
        )

    def _budget(self) -> None:
        kubernetes.policy.v1.PodDisruptionBudget(
            f"{self._name}-budget",
            metadata=self._metadata,
            spec={
                "max_unavailable": 1,
                "selector": {"match_labels": self.selector},
                # A pod that does not work keeps no node from being replaced.
                "unhealthy_pod_eviction_policy": "AlwaysAllow",
            },
            opts=self._child,
        )
