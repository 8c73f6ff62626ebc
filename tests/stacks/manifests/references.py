"""Every name leads to something that is declared, and it is there first."""

from collections.abc import Iterator

from tests.stacks.manifests.declared import Declared, Object, Workload, matches, name_of, title

NOT_OURS = {"kube-system", "monitoring"}
"""Namespaces that a cluster, or its operator, brings."""
ASSOCIATION = "aws:eks/podIdentityAssociation:PodIdentityAssociation"


def namespaces_are_declared(declared: Declared) -> Iterator[str]:
    known = {item["metadata"]["name"] for item in declared.of("Namespace")} | NOT_OURS
    for item in declared.objects:
        _, namespace = name_of(item)
        if item["kind"] != "Namespace" and namespace not in known:
            yield f"{title(item)}: its namespace {namespace!r} is not declared"


def namespaces_come_first(declared: Declared) -> Iterator[str]:
    there: set[str] = set(NOT_OURS)
    for item in declared.objects:
        name, namespace = name_of(item)
        if item["kind"] == "Namespace":
            there.add(name)
        elif namespace not in there:
            yield f"{title(item)}: does not wait for its namespace"


def what_pods_name_is_there_first(declared: Declared) -> Iterator[str]:
    """ServiceAccounts, ConfigMaps and Secrets of pods."""
    position = {(item["kind"], *name_of(item)): at for at, item in enumerate(declared.objects)}
    for workload in declared.workloads():
        own = position["Deployment", workload.name, workload.namespace]
        for kind, name in _named(workload):
            at = position.get((kind, name, workload.namespace))
            if at is None:
                yield f"{workload}: there is no {kind} {name}"
            elif at > own:
                yield f"{workload}: does not wait for {kind} {name}"


def nothing_is_left_over(declared: Declared) -> Iterator[str]:
    used = {(kind, name) for workload in declared.workloads() for kind, name in _named(workload)}
    for kind in ("ConfigMap", "Secret", "ServiceAccount"):
        for item in declared.of(kind):
            name, namespace = name_of(item)
            if namespace not in NOT_OURS and (kind, name) not in used and not _is_found_by_label(item):
                yield f"{title(item)}: no pod uses it"


def autoscalers_scale_something(declared: Declared) -> Iterator[str]:
    for item in declared.of("HorizontalPodAutoscaler"):
        target = item["spec"]["scaleTargetRef"]
        if not declared.has(target["kind"], target["name"], item["metadata"]["namespace"]):
            yield f"{title(item)}: there is no {target['kind']} {target['name']}"
        if not item["spec"]["minReplicas"] <= item["spec"]["maxReplicas"]:
            yield f"{title(item)}: {item['spec']['minReplicas']} pods at least, {item['spec']['maxReplicas']} at most"


def selectors_find_pods_of_one_deployment(declared: Declared) -> Iterator[str]:
    for kind, path in (("Service", ()), ("PodDisruptionBudget", ("matchLabels",)), ("NetworkPolicy", ("matchLabels",))):
        for item in declared.of(kind):
            selector = item["spec"]["podSelector" if kind == "NetworkPolicy" else "selector"]
            for key in path:
                selector = selector.get(key, {})
            if kind == "NetworkPolicy" and not selector:
                continue  # one for all pods of the namespace
            found = declared.selected(selector, item["metadata"]["namespace"])
            if len(found) != 1:
                names = ", ".join(each.name for each in found) or "none"
                yield f"{title(item)}: selects pods of {names}, not of one Deployment"


def deployments_find_their_own_pods(declared: Declared) -> Iterator[str]:
    for workload in declared.workloads():
        selector = workload.deployment["spec"]["selector"]["matchLabels"]
        found = {each.name for each in declared.selected(selector, workload.namespace)}
        if workload.name not in found:
            yield f"{workload}: does not select its own pods"
        for name in sorted(found - {workload.name}):
            yield f"{workload}: selects the pods of {name}, too"


def every_deployment_has_its_guards(declared: Declared) -> Iterator[str]:
    for workload in declared.workloads():
        if not workload.autoscalers() and "replicas" not in workload.deployment["spec"]:
            yield f"{workload}: neither replicas nor an autoscaler"
        for kind, field in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
            selectors = [item["spec"][field].get("matchLabels", {}) for item in declared.of(kind)]
            if not any(matches(selector, workload.labels) for selector in selectors):
                yield f"{workload}: no {kind}"


def every_namespace_is_closed_and_restricted(declared: Declared) -> Iterator[str]:
    for item in declared.of("Namespace"):
        name, _ = name_of(item)
        if item["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"{title(item)}: does not enforce Pod Security `restricted`"
        policies = [each["spec"] for each in declared.of("NetworkPolicy") if each["metadata"]["namespace"] == name]
        if {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} not in policies:
            yield f"{title(item)}: is not closed to what no policy admits"


def readiness_waits_for_the_load_balancer(declared: Declared) -> Iterator[str]:
    for binding in declared.of("TargetGroupBinding"):
        group = binding["apiVersion"].partition("/")[0]
        namespace = declared.one("Namespace", binding["metadata"]["namespace"])
        if namespace["metadata"]["labels"].get(f"{group}/pod-readiness-gate-inject") != "enabled":
            yield f"{title(namespace)}: pods are ready before {group} has registered them"


def identities_belong_to_accounts(declared: Declared) -> Iterator[str]:
    associations = declared.recording.of(ASSOCIATION)
    for item in associations:
        given = (item.inputs["serviceAccount"], item.inputs["namespace"])
        if not declared.has("ServiceAccount", *given):
            yield f"pod identity {item.name}: there is no ServiceAccount {given[0]} in {given[1]}"
    identified = {(item.inputs["serviceAccount"], item.inputs["namespace"]) for item in associations}
    for workload in declared.workloads():
        account = (workload.pod["serviceAccountName"], workload.namespace)
        if any(name == "MODELS_BUCKET" for name, _ in workload.environment()) and account not in identified:
            yield f"{workload}: reads a bucket, and its ServiceAccount has no role"


def _named(workload: Workload) -> Iterator[tuple[str, str]]:
    yield "ServiceAccount", workload.pod["serviceAccountName"]
    for source in workload.container.get("envFrom", []):
        yield from (("ConfigMap", source[key]["name"]) for key in source if key == "configMapRef")
        yield from (("Secret", source[key]["name"]) for key in source if key == "secretRef")
    for volume in workload.pod["volumes"]:
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]


def _is_found_by_label(item: Object) -> bool:
    return "grafana_dashboard" in item["metadata"].get("labels", {})
