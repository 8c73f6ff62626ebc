"""Every port that something is sent to exists, and every door on the way is open."""

from collections.abc import Iterator

from tests.stacks.manifests.declared import Declared, Object, Workload, matches, title
from tests.stacks.manifests.nginx_file import fronts

TARGETS, INGRESS = "aws:lb/targetGroup:TargetGroup", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"

BALANCER, SUBNET = "aws:lb/loadBalancer:LoadBalancer", "aws:ec2/subnet:Subnet"


def services_lead_to_ports_of_pods(declared: Declared) -> Iterator[str]:
    for service in declared.of("Service"):
        for workload in _behind(declared, service):
            for port in service["spec"]["ports"]:
                if workload.port(port.get("targetPort", port["port"])) is None:
                    yield f"{title(service)}: targetPort {port.get('targetPort')} is no port of {workload}"
                elif _headless(service) and workload.port(port["port"]) is None:
                    yield f"{title(service)}: without an address its port {port['port']} must be that of {workload}"


def probes_ask_at_ports_of_pods(declared: Declared) -> Iterator[str]:
    for workload in declared.workloads():
        for name, probe in workload.probes.items():
            if workload.port(probe["port"]) is None:
                yield f"{workload}: {name} asks at {probe['port']}, which is no port of it"


def policies_open_ports_of_pods(declared: Declared) -> Iterator[str]:
    for policy in declared.of("NetworkPolicy"):
        for workload in declared.selected(*_selector(policy)):
            for rule in policy["spec"].get("ingress", []):
                for port in rule["ports"]:
                    if workload.port(port["port"]) is None:
                        yield f"{title(policy)}: opens {port['port']}, which is no port of {workload}"


def who_is_spoken_to_is_heard(declared: Declared) -> Iterator[str]:
    """Both sides of what nginx sends: its egress, and the ingress of the pods behind it."""
    for nginx in fronts(declared):
        for host, port in nginx.upstreams.values():
            for workload in _named(declared, host):
                if not _admits(declared, nginx.workload, workload, port, "egress"):
                    yield f"{nginx.workload}: no NetworkPolicy lets it speak to {workload} at {port}"
                if not _admits(declared, workload, nginx.workload, port, "ingress"):
                    yield f"{workload}: no NetworkPolicy lets {nginx.workload} in at {port}"


def names_can_be_resolved(declared: Declared) -> Iterator[str]:
    for workload in declared.workloads():
        opened = {
            (port["port"], port["protocol"])
            for policy in _policies(declared, workload)
            for rule in policy["spec"].get("egress", [])
            for port in rule["ports"]
        }
        for protocol in ("UDP", "TCP"):
            if (53, protocol) not in opened:
                yield f"{workload}: no NetworkPolicy lets it ask for names by {protocol}"


def nginx_listens_where_it_is_sent_to(declared: Declared) -> Iterator[str]:
    for nginx in fronts(declared):
        if nginx.workload.port(nginx.listens) is None:
            yield f"{nginx.workload}: nginx listens on {nginx.listens}, and its pods have {nginx.workload.ports}"


def upstreams_are_services(declared: Declared) -> Iterator[str]:
    for nginx in fronts(declared):
        for name, (host, port) in nginx.upstreams.items():
            services = [item for item in declared.of("Service") if _address(item) == host]
            if not services:
                yield f"nginx: upstream {name} is {host}, which is the name of no Service"
            for service in services:
                if port not in {item["port"] for item in service["spec"]["ports"]}:
                    yield f"nginx: upstream {name} is at port {port}, which {title(service)} has not"
                if not _headless(service):
                    yield f"nginx: upstream {name} is {title(service)}, whose one address hides its pods"


def upstreams_are_followed_and_used(declared: Declared) -> Iterator[str]:
    for nginx in fronts(declared):
        used = {name for name, _ in nginx.passes_to if not name.startswith("$")} | nginx.chosen
        for name in sorted(used - nginx.upstreams.keys()):
            yield f"nginx: requests are passed to {name}, which is no upstream"
        for name in sorted(nginx.upstreams.keys() - used):
            yield f"nginx: nothing is passed to the upstream {name}"
        for name in sorted(nginx.upstreams.keys() - nginx.followed):
            yield f"nginx: upstream {name} has no `resolve` or no `zone`: it would keep pods that are gone"


def bindings_lead_to_services(declared: Declared) -> Iterator[str]:
    for binding in declared.of("TargetGroupBinding"):
        to = binding["spec"]["serviceRef"]
        services = [item for item in declared.of("Service") if item["metadata"]["name"] == to["name"]]
        if not services:
            yield f"{title(binding)}: there is no Service {to['name']}"
        for service in services:
            if to["port"] not in {item["port"] for item in service["spec"]["ports"]}:
                yield f"{title(binding)}: {title(service)} has no port {to['port']}"
        known = {item.outputs["arn"] for item in declared.recording.of(TARGETS)}
        if binding["spec"]["targetGroupARN"] not in known:
            yield f"{title(binding)}: its target group is not declared here"


def the_balancer_sends_to_ports_of_pods(declared: Declared) -> Iterator[str]:
    """The target group's port, and the security groups' doors to the pods."""
    for binding in declared.of("TargetGroupBinding"):
        name = binding["spec"]["serviceRef"]["name"]
        services = [item for item in declared.of("Service") if item["metadata"]["name"] == name]
        for workload in (each for service in services for each in _behind(declared, service)):
            for group in declared.recording.of(TARGETS):
                if workload.port(group.inputs["port"]) is None:
                    yield f"target group {group.name}: port {group.inputs['port']} is no port of {workload}"
            opened = {rule.inputs["toPort"] for rule in declared.recording.of(INGRESS)}
            if not any(workload.port(port) for port in opened):
                yield f"no security group lets the load balancer reach {workload} at one of {workload.ports}"


def nginx_believes_the_load_balancer_alone(declared: Declared) -> Iterator[str]:
    """Who may say who calls, who may speak to nginx, and where the load balancer stands: one and the same."""
    subnets = {item.id: item.inputs["cidrBlock"] for item in declared.recording.of(SUBNET)}
    for nginx in fronts(declared):
        heard = {
            peer["ipBlock"]["cidr"]
            for policy in _policies(declared, nginx.workload)
            for rule in policy["spec"].get("ingress", [])
            for peer in rule.get("from", [])
            if "ipBlock" in peer
        }
        if nginx.believes != heard:
            yield f"nginx: believes {sorted(nginx.believes)}, and {sorted(heard)} may speak to it"
        for balancer in declared.recording.of(BALANCER):
            stands = {subnets[id_] for id_ in balancer.inputs["subnets"] if id_ in subnets}
            if stands and nginx.believes != stands:
                yield f"nginx: believes {sorted(nginx.believes)}, and the load balancer is in {sorted(stands)}"


def service_monitors_scrape_ports_of_services(declared: Declared) -> Iterator[str]:
    for monitor in declared.of("ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        services = [item for item in declared.of("Service") if matches(wanted, item["metadata"]["labels"])]
        if not services:
            yield f"{title(monitor)}: no Service has the labels {wanted}"
        for service in services:
            names = {item["name"] for item in service["spec"]["ports"]}
            for endpoint in monitor["spec"]["endpoints"]:
                if endpoint["port"] not in names:
                    yield f"{title(monitor)}: {title(service)} has no port named {endpoint['port']}"


def prometheus_is_heard(declared: Declared) -> Iterator[str]:
    """Pods that a ServiceMonitor finds admit the namespace in which Prometheus runs, and no more of it than needed."""
    for monitor in declared.of("ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        services = [item for item in declared.of("Service") if matches(wanted, item["metadata"]["labels"])]
        for workload in (each for service in services for each in _behind(declared, service)):
            peers = [
                peer
                for policy in _policies(declared, workload)
                for rule in policy["spec"].get("ingress", [])
                if {port["port"] for port in rule["ports"]} & set(workload.ports.values())
                for peer in rule.get("from", [])
            ]
            if not any(peer.get("namespaceSelector", {}).get("matchLabels") for peer in peers):
                yield f"{workload}: no NetworkPolicy lets Prometheus in"


def _selector(item: Object) -> tuple[dict[str, str], str]:
    return item["spec"].get("podSelector", {}).get("matchLabels", {}), item["metadata"]["namespace"]


def _headless(service: Object) -> bool:
    return bool(service["spec"].get("clusterIP") == "None")


def _address(service: Object) -> str:
    return f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local"


def _behind(declared: Declared, service: Object) -> list[Workload]:
    return declared.selected(service["spec"]["selector"], service["metadata"]["namespace"])


def _named(declared: Declared, host: str) -> list[Workload]:
    return [each for item in declared.of("Service") if _address(item) == host for each in _behind(declared, item)]


def _policies(declared: Declared, workload: Workload) -> list[Object]:
    return [
        item
        for item in declared.of("NetworkPolicy")
        if item["metadata"]["namespace"] == workload.namespace and _selector(item)[0].items() <= workload.labels.items()
    ]


def _admits(declared: Declared, whose: Workload, other: Workload, port: int, direction: str) -> bool:
    peers = {"egress": "to", "ingress": "from"}[direction]
    return any(
        matches(peer.get("podSelector", {}).get("matchLabels", {}), other.labels)
        for policy in _policies(declared, whose)
        for rule in policy["spec"].get(direction, [])
        if port in {item["port"] for item in rule["ports"]}
        for peer in rule.get(peers, [])
    )
