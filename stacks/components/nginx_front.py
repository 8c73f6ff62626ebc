"""nginx in front of a service on Kubernetes: pods of its own, without rights, that read one file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from stacks.components.kubernetes_service import KubernetesService, KubernetesServiceArgs, Scale
from stacks.components.namespaces import Namespace
from stacks.components.nginx_config import OWN_HEALTH, PORT, NginxArgs, nginx_config
from stacks.components.peers import Peer
from stacks.components.pods import Probe, Probes, Stopping
from stacks.components.workload_identity import WorkloadIdentity

FILE_AT = "/etc/nginx/quintet"
SERVICE_PORT = 80
_USER = 101  # of the image nginx-unprivileged
# A load balancer goes on sending new connections for up to two minutes after a pod was taken from it.
_STOPPING = Stopping(notice_seconds=120, drain_seconds=30)
_PROBES = Probes(
    startup=Probe(path=OWN_HEALTH, period_seconds=1, failures=30),
    readiness=Probe(path=OWN_HEALTH, period_seconds=2, failures=2),
    liveness=Probe(path=OWN_HEALTH, period_seconds=10, failures=3),
)


@dataclass(frozen=True, kw_only=True)
class NginxFrontArgs:
    """What it needs.

    Attributes:
        namespace: Where it is.
        application: What it is part of.
        image: `repository@digest` of nginx-unprivileged, 1.27.3 or newer, which follows names as they change.
        version: Of that image; a label.
        config: What its file says; whom it trusts is also who may speak to it.
        backends: Labels of the pods behind it, and their port.
        cpu_millicores: Of a pod.
        memory_mb: Of a pod.
        scale: How many pods.
        after: What must exist before a pod starts, beyond its own.
    """

    namespace: Namespace
    application: str
    image: pulumi.Input[str]
    version: pulumi.Input[str]
    config: NginxArgs
    backends: Peer
    cpu_millicores: int = 250
    memory_mb: int = 256
    scale: Scale = field(default_factory=Scale)
    after: Sequence[pulumi.Resource] = ()


def selector(application: str) -> Mapping[str, str]:
    """The labels of its pods: who is behind it admits them."""
    return {"app.kubernetes.io/name": application, "app.kubernetes.io/component": "nginx"}


def nginx_front(name: str, args: NginxFrontArgs, opts: pulumi.ResourceOptions) -> KubernetesService:
    """Declare nginx as a service of its own."""
    identity = WorkloadIdentity(name, args.namespace, opts=opts)
    return KubernetesService(
        name,
        KubernetesServiceArgs(
            namespace=args.namespace,
            identity=identity,
            application=args.application,
            component="nginx",
            image=args.image,
            version=args.version,
            port=PORT,
            service_port=SERVICE_PORT,
            command=("nginx", "-c", f"{FILE_AT}/nginx.conf", "-g", "daemon off;"),
            files={"nginx.conf": nginx_config(args.config)},
            files_at=FILE_AT,
            user=_USER,
            probes=_PROBES,
            stopping=_STOPPING,
            cpu_millicores=args.cpu_millicores,
            memory_mb=args.memory_mb,
            scale=args.scale,
            admits=[Peer(port=PORT, cidrs=args.config.trusted)],
            reaches=[args.backends],
            after=args.after,
        ),
        opts,
    )
