"""A load balancer that only an HTTP API reaches: VPC link -> internal network load balancer -> pods."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from stacks.components.alarm_topic import AlarmTopic
from stacks.components.alarms import Alarm, watch
from stacks.components.arguments import checked_name, matching, refuse, within
from stacks.components.cluster import Binding
from stacks.components.namespaces import Namespace, managed
from stacks.components.network import Place

LISTENER_PORT = 80
_DEREGISTRATION_SECONDS = 60
_PREFIX_LENGTH = 5


@dataclass(frozen=True, kw_only=True)
class PrivateBalancerArgs:
    """What a load balancer needs.

    Attributes:
        place: The network; it stands in the edge subnets.
        namespace: Of the pods.
        service: The Service whose pods get the requests.
        service_port: The port of that Service.
        pod_port: Where the pods listen.
        health_path: What a pod answers 200 to while it can serve.
        alarms: Who is told when pods are unwell.
        timeout_seconds: What an answer may take; an HTTP API waits 30.
        protected: AWS refuses to delete it.
    """

    place: Place
    namespace: Namespace
    service: str
    service_port: int
    pod_port: int
    health_path: str
    alarms: AlarmTopic
    timeout_seconds: int = 29
    protected: bool = True

    def __post_init__(self) -> None:
        refuse(
            "PrivateBalancerArgs",
            within("service_port", self.service_port, 1, 65_535),
            within("pod_port", self.pod_port, 1, 65_535),
            within("timeout_seconds", self.timeout_seconds, 1, 30, "seconds"),
            matching("health_path", self.health_path, r"/[\w/.-]*", "a path such as /healthz"),
        )


class PrivateBalancer(pulumi.ComponentResource):
    """A network load balancer before the pods of one Service, and the link by which an HTTP API reaches it.

    Attributes:
        listener_arn: What an API's integration names; known when pods are registered with it.
        link_id: By which connection.
        timeout_seconds: As given.
        ready: What must exist before the pods start: those that start earlier are not ready by its word.
    """

    listener_arn: pulumi.Output[str]
    link_id: pulumi.Output[str]
    timeout_seconds: int
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: PrivateBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("quintet:network:PrivateBalancer", checked_name(name), None, opts)
        child = pulumi.ResourceOptions(parent=self)
        link_group, balancer_group, doors = _groups(name, args, child)
        link = aws.apigatewayv2.VpcLink(
            f"{name}-link", subnet_ids=args.place.edge.ids, security_group_ids=[link_group.id], opts=child
        )
        balancer = _balancer(name, args, balancer_group, child)
        targets = _targets(name, args, child)
        listener = aws.lb.Listener(
            f"{name}-listener",
            load_balancer_arn=balancer.arn,
            port=LISTENER_PORT,
            protocol="TCP",
            default_actions=[{"type": "forward", "target_group_arn": targets.arn}],
            opts=child,
        )
        # A controller can register pods only with a target group that has a load balancer.
        binding = _binding(name, args, targets, listener, child)
        self.listener_arn, self.link_id, self.timeout_seconds = listener.arn, link.id, args.timeout_seconds
        self.ready = [binding, *doors]
        self._series: Mapping[str, pulumi.Input[str]] = {
            "LoadBalancer": balancer.arn_suffix,
            "TargetGroup": targets.arn_suffix,
        }
        self._alarms(name, args, child)
        self.register_outputs({"listenerArn": self.listener_arn, "linkId": self.link_id})

    def series(self) -> Mapping[str, pulumi.Input[str]]:
        """The dimensions of the metrics of its targets."""
        return self._series

    def _alarms(self, name: str, args: PrivateBalancerArgs, child: pulumi.ResourceOptions) -> None:
        unwell = Alarm(
            description=f"{name}: a pod of nginx does not answer, or finds no pod of the service that is ready",
            namespace="AWS/NetworkELB",
            metric="UnHealthyHostCount",
            dimensions=self._series,
            statistic="Maximum",
            threshold=1,
            datapoints=5,
        )
        reset = Alarm(
            description=f"{name}: pods of nginx cut connections; they may run out of memory",
            namespace="AWS/NetworkELB",
            metric="TCP_Target_Reset_Count",
            dimensions={"LoadBalancer": self._series["LoadBalancer"]},
            statistic="Sum",
            threshold=50,
        )
        watch(f"{name}-unhealthy", unwell, args.alarms, child)
        watch(f"{name}-resets", reset, args.alarms, child)


def _groups(
    name: str, args: PrivateBalancerArgs, child: pulumi.ResourceOptions
) -> tuple[aws.ec2.SecurityGroup, aws.ec2.SecurityGroup, list[pulumi.Resource]]:
    """Link -> balancer -> pods: each group lets out to, and in from, the next alone."""

    def group(suffix: str, description: str) -> aws.ec2.SecurityGroup:
        return aws.ec2.SecurityGroup(f"{name}-{suffix}", vpc_id=args.place.vpc_id, description=description, opts=child)

    link, balancer = group("link", "From an HTTP API"), group("balancer", "Before the pods")
    pods = args.namespace.cluster.security_group
    doors = [
        *_door(f"{name}-listen", link.id, balancer.id, LISTENER_PORT, child),
        *_door(f"{name}-pods", balancer.id, pods, args.pod_port, child),
    ]
    return link, balancer, doors


def _door(
    name: str, source: pulumi.Input[str], target: pulumi.Input[str], port: int, child: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """Both sides of one connection."""
    return [
        aws.vpc.SecurityGroupEgressRule(
            f"{name}-out",
            security_group_id=source,
            referenced_security_group_id=target,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            opts=child,
        ),
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-in",
            security_group_id=target,
            referenced_security_group_id=source,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            opts=child,
        ),
    ]


def _prefix(name: str) -> str:
    """What a physical name begins with: 32 characters are too few for project, stack and random digits."""
    return f"{name[:_PREFIX_LENGTH].rstrip('-')}-"


def _balancer(
    name: str, args: PrivateBalancerArgs, group: aws.ec2.SecurityGroup, child: pulumi.ResourceOptions
) -> aws.lb.LoadBalancer:
    return aws.lb.LoadBalancer(
        f"{name}-nlb",
        name_prefix=_prefix(name),
        load_balancer_type="network",
        internal=True,
        subnets=args.place.edge.ids,
        # At creation or never: a network load balancer made without groups takes none later.
        security_groups=[group.id],
        # Few pods: else a zone with one of two would work as hard as it alone.
        enable_cross_zone_load_balancing=True,
        enable_deletion_protection=args.protected,
        opts=child,
    )


def _targets(name: str, args: PrivateBalancerArgs, child: pulumi.ResourceOptions) -> aws.lb.TargetGroup:
    return aws.lb.TargetGroup(
        f"{name}-targets",
        name_prefix=_prefix(name),
        vpc_id=args.place.vpc_id,
        target_type="ip",
        port=args.pod_port,
        protocol="TCP",
        deregistration_delay=_DEREGISTRATION_SECONDS,
        # Pods see the balancer's addresses: from those alone they are told who really calls.
        preserve_client_ip="false",
        health_check={
            "protocol": "HTTP",
            "path": args.health_path,
            "port": "traffic-port",
            "matcher": "200",
            "interval": 10,
            "timeout": 5,
            "healthy_threshold": 2,
            "unhealthy_threshold": 2,
        },
        # Auto Mode touches target groups of its own cluster only.
        tags={"eks:eks-cluster-name": args.namespace.cluster.name},
        opts=child,
    )


def _binding(
    name: str,
    args: PrivateBalancerArgs,
    targets: aws.lb.TargetGroup,
    listener: aws.lb.Listener,
    child: pulumi.ResourceOptions,
) -> kubernetes.apiextensions.CustomResource:
    version: Binding = args.namespace.cluster.binding
    return kubernetes.apiextensions.CustomResource(
        f"{name}-binding",
        api_version=version,
        kind="TargetGroupBinding",
        metadata={"name": args.service, "namespace": args.namespace.name, "labels": managed()},
        spec={
            "serviceRef": {"name": args.service, "port": args.service_port},
            "targetGroupARN": targets.arn,
            "targetType": "ip",
        },
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[listener, *args.namespace.ready])),
    )
