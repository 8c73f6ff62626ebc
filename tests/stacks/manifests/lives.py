"""How pods come, share machines and go: without losing a request, and within what they are given."""

import re
from collections.abc import Iterator
from decimal import Decimal

from tests.stacks.manifests.contents import apps
from tests.stacks.manifests.declared import Declared, Workload, title
from tests.stacks.manifests.nginx_file import fronts
from tests.stacks.manifests.ports import TARGETS

CLUSTER, REPOSITORY = "aws:eks/cluster:Cluster", "aws:ecr/repository:Repository"
_UNITS = {"": Decimal(1), "m": Decimal("0.001"), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30)}
_SPREAD_OVER = {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}


def quantity(given: str | int) -> Decimal:
    """A number of Kubernetes, as 500m or 2Gi."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([a-zA-Z]*)", str(given))
    assert found, given
    return Decimal(found[1]) * _UNITS[found[2]]


def requests_fit_limits(declared: Declared) -> Iterator[str]:
    for workload in declared.workloads():
        requests, limits = (workload.container["resources"][part] for part in ("requests", "limits"))
        for name in ("cpu", "memory"):
            if name not in requests:
                yield f"{workload}: requests no {name}; an autoscaler knows no load without it"
            if name not in limits and name == "memory":
                yield f"{workload}: no limit of memory"
            if name in requests and name in limits and quantity(requests[name]) > quantity(limits[name]):
                yield f"{workload}: requests {requests[name]} {name} and is limited to {limits[name]}"


def threads_are_the_cpus_of_the_limit(declared: Declared) -> Iterator[str]:
    for workload in apps(declared):
        cpus = quantity(workload.container["resources"]["limits"]["cpu"])
        threads = int(dict(workload.environment())["THREADS"])
        if not threads - 1 < cpus <= threads:
            yield f"{workload}: {threads} threads on {cpus} CPUs"


def a_rollout_keeps_every_pod_until_another_is_ready(declared: Declared) -> Iterator[str]:
    for workload in declared.workloads():
        update = workload.deployment["spec"]["strategy"]["rollingUpdate"]
        if quantity(update["maxUnavailable"]) >= workload.least:
            yield f"{workload}: a rollout may take all of its {workload.least} pods"
        if update["maxUnavailable"] != 0:
            yield f"{workload}: a rollout takes pods away before others are ready"


def budgets_let_a_node_go(declared: Declared) -> Iterator[str]:
    for budget in declared.of("PodDisruptionBudget"):
        spec = budget["spec"]
        for workload in declared.selected(spec["selector"]["matchLabels"], budget["metadata"]["namespace"]):
            if spec.get("maxUnavailable", 1) == 0 or spec.get("minAvailable", 0) >= workload.least:
                yield f"{title(budget)}: of {workload.least} pods none may ever go: no node could be replaced"


def there_is_time_to_go(declared: Declared) -> Iterator[str]:
    for workload in apps(declared):
        told = dict(workload.environment())
        needed = _notice(workload) + float(told["DRAIN_SECONDS"]) + int(told["REQUEST_TIMEOUT_MS"]) / 1000
        if not needed < _grace(workload):
            yield f"{workload}: needs {needed} s to go and is killed after {_grace(workload)} s"
    for nginx in fronts(declared):
        needed = _notice(nginx.workload) + nginx.stops_seconds
        if not needed < _grace(nginx.workload):
            yield f"{nginx.workload}: needs {needed} s to go and is killed after {_grace(nginx.workload)} s"


def whoever_sends_learns_of_it_in_time(declared: Declared) -> Iterator[str]:
    """nginx by the name's addresses, the load balancer by taking the pod from its targets."""
    for nginx in fronts(declared):
        for workload in apps(declared):
            if _notice(workload) <= nginx.remembers_seconds:
                yield f"{workload}: is gone after {_notice(workload)} s, known to nginx for {nginx.remembers_seconds} s"
        for group in declared.recording.of(TARGETS):
            if _notice(nginx.workload) <= group.inputs["deregistrationDelay"]:
                yield f"{nginx.workload}: is gone before the load balancer sends nothing more"


def spread_is_over_own_pods(declared: Declared) -> Iterator[str]:
    for workload in declared.workloads():
        constraints = workload.pod["topologySpreadConstraints"]
        for item in constraints:
            if item["topologyKey"] not in _SPREAD_OVER:
                yield f"{workload}: no node has the label {item['topologyKey']}"
            if item["labelSelector"] != workload.deployment["spec"]["selector"]:
                yield f"{workload}: spreads other pods than its own over {item['topologyKey']}"
        for key in sorted(_SPREAD_OVER - {item["topologyKey"] for item in constraints}):
            yield f"{workload}: is not spread over {key}"


def images_come_from_own_repositories(declared: Declared) -> Iterator[str]:
    for workload in declared.workloads():
        image = workload.container["image"]
        if not re.fullmatch(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/quintet-[^@]+@sha256:[0-9a-f]{64}", image):
            yield f"{workload}: its image {image} is not one of our own by digest"


def writes_go_to_mounted_folders(declared: Declared) -> Iterator[str]:
    """The root is read-only: whatever writes needs a volume."""
    for workload in declared.workloads():
        volumes = {item["name"]: item for item in workload.pod["volumes"]}
        mounts = workload.container["volumeMounts"]
        writable = {item["mountPath"] for item in mounts if "emptyDir" in volumes[item["name"]]}
        needed = {"/tmp"} | {path for each in fronts(declared) if each.workload == workload for path in each.writes_to}
        for path in sorted(needed - writable):
            yield f"{workload}: writes to {path}, where no emptyDir is mounted"


def configuration_changes_by_a_new_name(declared: Declared) -> Iterator[str]:
    """What running pods were started with stays, and a change makes new pods: old and new never mix."""
    for workload in declared.workloads():
        volumes = [item["configMap"]["name"] for item in workload.pod["volumes"] if "configMap" in item]
        sources = [part["name"] for source in workload.container.get("envFrom", []) for part in source.values()]
        for item in (*declared.of("ConfigMap"), *declared.of("Secret")):
            if item["metadata"]["name"] in {*volumes, *sources} and not item.get("immutable"):
                yield f"{title(item)}: can be changed under the pods of {workload}"


def pods_have_no_token_of_the_cluster(declared: Declared) -> Iterator[str]:
    for workload in declared.workloads():
        if workload.pod.get("automountServiceAccountToken") is not False:
            yield f"{workload}: its pods carry a token of the cluster's API, which they never call"


def nginx_asks_the_clusters_names(declared: Declared) -> Iterator[str]:
    """EKS answers at the tenth address of the Services' range."""
    for nginx in fronts(declared):
        for cluster in declared.recording.of(CLUSTER):
            network = cluster.inputs["kubernetesNetworkConfig"]["serviceIpv4Cidr"].partition("/")[0]
            expected = f"{network.rpartition('.')[0]}.10"
            if nginx.resolver != expected:
                yield f"nginx: asks {nginx.resolver} for names, and the cluster answers at {expected}"


def no_secret_is_in_the_open(declared: Declared) -> Iterator[str]:
    """Values of Secrets, but for those that are nothing or short enough to be anywhere."""
    hidden = [value for item in declared.of("Secret") for value in item["stringData"].values() if len(value) > 2]
    for item in declared.objects:
        if item["kind"] != "Secret" and any(value in str(item) for value in hidden):
            yield f"{title(item)}: holds the value of a Secret"


def _notice(workload: Workload) -> int:
    return int(workload.container["lifecycle"]["preStop"]["sleep"]["seconds"])


def _grace(workload: Workload) -> int:
    return int(workload.pod["terminationGracePeriodSeconds"])
