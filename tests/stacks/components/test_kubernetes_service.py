"""A service on Kubernetes: the least rights, no lost request, and only peers that are named."""

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from quintet.sandbox.engine.recording import Recording
from stacks.components.arguments import ArgumentsError
from stacks.components.cluster import Kubernetes
from stacks.components.kubernetes_service import KubernetesService, KubernetesServiceArgs, Scale
from stacks.components.namespaces import Namespace, make_namespace
from stacks.components.peers import Peer
from stacks.components.pods import Probe, Probes, Stopping
from stacks.components.uses import Statement, Use
from stacks.components.workload_identity import WorkloadIdentity
from tests.stacks.declaring import Declare
from tests.stacks.policy.judging import verdicts

DEPLOYMENT, CONFIG = "kubernetes:apps/v1:Deployment", "kubernetes:core/v1:ConfigMap"
SECRET = "kubernetes:core/v1:Secret"
SERVICE, POLICY = "kubernetes:core/v1:Service", "kubernetes:networking.k8s.io/v1:NetworkPolicy"
BUCKET = Use("photos", (Statement(actions=("s3:GetObject",), resources=("arn:aws:s3:::photos/a",)),))
PROBE = Probe(path="/ok", period_seconds=2, failures=3)


def place() -> Namespace:
    cluster = Kubernetes("c1", "sg-1", "172.20.0.10", "eks.amazonaws.com/v1", pulumi.ResourceOptions())
    return make_namespace("echo", "ns", cluster)


def service(uses: dict[str, Use] | None = None, **changes: Any) -> Callable[[], object]:
    def program() -> None:
        namespace = place()
        given = {
            "namespace": namespace,
            "identity": WorkloadIdentity("echo", namespace, uses),
            "application": "echo",
            "component": "api",
            "image": f"123456789012.dkr.ecr.us-east-1.amazonaws.com/echo@sha256:{'a' * 64}",
            "version": "1",
            "port": 8000,
            "probes": Probes(startup=PROBE, readiness=PROBE, liveness=PROBE),
            "stopping": Stopping(notice_seconds=7, drain_seconds=11),
            "cpu_millicores": 500,
            "memory_mb": 256,
        }
        KubernetesService("echo", KubernetesServiceArgs(**(given | changes)))

    return program


def pod(recording: Recording) -> dict[str, Any]:
    return recording.one(DEPLOYMENT).inputs["spec"]["template"]["spec"]


def test_its_pods_keep_to_every_rule_about_pods(declare: Declare) -> None:
    recording = declare(service())

    assert verdicts(recording, "pods-have-no-rights", "images-of-own-registry", "images-by-digest") == []


def test_an_update_takes_away_no_pod_before_another_is_ready(declare: Declare) -> None:
    spec = declare(service()).one(DEPLOYMENT).inputs["spec"]

    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert spec["minReadySeconds"] > 0
    assert spec["progressDeadlineSeconds"] > spec["minReadySeconds"]


def test_a_pod_serves_on_while_others_learn_that_it_goes(declare: Declare) -> None:
    stopping = pod(declare(service()))

    assert stopping["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 7}}}
    assert stopping["terminationGracePeriodSeconds"] > 7 + 11


def test_pods_are_spread_over_zones_and_nodes(declare: Declare) -> None:
    spread = pod(declare(service()))["topologySpreadConstraints"]

    assert [item["topologyKey"] for item in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]


def test_everything_is_about_the_same_pods(declare: Declare) -> None:
    recording = declare(service(labels={"quintet/variant": "stable"}))

    labels = recording.one(DEPLOYMENT).inputs["spec"]["template"]["metadata"]["labels"]
    selectors = [
        recording.one(DEPLOYMENT).inputs["spec"]["selector"]["matchLabels"],
        recording.one(SERVICE).inputs["spec"]["selector"],
        recording.one(POLICY, name="echo-policy").inputs["spec"]["podSelector"]["matchLabels"],
        recording.one("kubernetes:policy/v1:PodDisruptionBudget").inputs["spec"]["selector"]["matchLabels"],
    ]
    assert all(selector == selectors[0] for selector in selectors)
    assert selectors[0]["quintet/variant"] == "stable"
    assert selectors[0].items() <= labels.items()
    target = recording.one("kubernetes:autoscaling/v2:HorizontalPodAutoscaler").inputs["spec"]["scaleTargetRef"]
    assert target == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "echo"}


def test_the_autoscaler_alone_says_how_many(declare: Declare) -> None:
    recording = declare(service(scale=Scale(minimum=3, maximum=5)))

    spec = recording.one("kubernetes:autoscaling/v2:HorizontalPodAutoscaler").inputs["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 5)
    assert spec["metrics"][0]["resource"]["name"] == "cpu"
    assert "replicas" not in recording.one(DEPLOYMENT).inputs["spec"]


def test_a_name_without_an_address_leads_to_every_pod(declare: Declare) -> None:
    spec = declare(service()).one(SERVICE).inputs["spec"]

    assert spec["clusterIP"] == "None"
    assert spec["ports"] == [{"name": "http", "port": 8000, "targetPort": 8000, "protocol": "TCP"}]


def test_an_address_leads_to_the_port_of_the_container(declare: Declare) -> None:
    spec = declare(service(service_port=80)).one(SERVICE).inputs["spec"]

    assert "clusterIP" not in spec
    assert spec["ports"] == [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]


def test_variables_come_from_uses_settings_secrets_and_the_pod(declare: Declare) -> None:
    recording = declare(
        service(
            {"BUCKET": BUCKET}, environment={"LEVEL": "INFO"}, secrets={"KEY": "s"}, from_pod={"HOST": "status.podIP"}
        )
    )

    [container] = pod(recording)["containers"]
    config, secret = recording.one(CONFIG, name="echo-config").inputs, recording.one(SECRET).inputs
    assert config["data"] == {"BUCKET": "photos", "LEVEL": "INFO"}
    assert secret["stringData"] == {"KEY": "s"}
    assert container["env"] == [{"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    assert container["envFrom"] == [
        {"configMapRef": {"name": config["metadata"]["name"]}},
        {"secretRef": {"name": secret["metadata"]["name"]}},
    ]


@pytest.mark.parametrize("key", ["environment", "secrets"])
def test_other_content_is_another_object(declare: Declare, key: str) -> None:
    type_, name = (CONFIG, "echo-config") if key == "environment" else (SECRET, "echo-secret")

    names = [
        declare(service(**{key: {"A": value}})).one(type_, name=name).inputs["metadata"]["name"]
        for value in ("1", "2", "1")
    ]

    assert names[0] == names[2] != names[1]


def test_a_pod_that_uses_nothing_is_nobody_to_aws(declare: Declare) -> None:
    recording = declare(service())

    assert recording.of("aws:iam/role:Role") == []
    assert recording.of("aws:eks/podIdentityAssociation:PodIdentityAssociation") == []
    assert recording.one("kubernetes:core/v1:ServiceAccount").inputs["automountServiceAccountToken"] is False
    assert "169.254.170.23" not in json.dumps(recording.one(POLICY, name="echo-policy").inputs)


def test_a_pod_that_uses_something_reaches_who_gives_it_its_role(declare: Declare) -> None:
    recording = declare(service({"BUCKET": BUCKET}))

    association = recording.one("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    out = recording.one(POLICY, name="echo-policy").inputs["spec"]["egress"]
    assert association.inputs["clusterName"] == "c1"
    assert {"ports": [{"port": 80, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "169.254.170.23/32"}}]} in out
    assert association.urn in recording.one(DEPLOYMENT).dependencies


def test_nobody_is_heard_who_is_not_named(declare: Declare) -> None:
    spec = declare(service()).one(POLICY, name="echo-policy").inputs["spec"]

    assert spec["ingress"] == []
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert [rule["ports"][0]["port"] for rule in spec["egress"]] == [53, 53]


def test_who_may_speak_to_everybody_does_not_reach_the_node(declare: Declare) -> None:
    recording = declare(service(reaches=[Peer(port=443, cidrs=("0.0.0.0/0",))]))

    block = recording.one(POLICY, name="echo-policy").inputs["spec"]["egress"][-1]["to"][0]["ipBlock"]
    assert block == {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}


def test_files_are_mounted_to_be_read(declare: Declare) -> None:
    recording = declare(service(files={"a.conf": "x"}, files_at="/etc/echo"))

    [container] = pod(recording)["containers"]
    assert {"name": "files", "mountPath": "/etc/echo", "readOnly": True} in container["volumeMounts"]
    assert recording.one(CONFIG, name="echo-files-config").inputs["data"] == {"a.conf": "x"}


def test_its_namespace_refuses_pods_with_rights(declare: Declare) -> None:
    labels = declare(service()).one("kubernetes:core/v1:Namespace").inputs["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert labels["eks.amazonaws.com/pod-readiness-gate-inject"] == "enabled"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"port": 80}, "port is 80; allowed are 1024 to 65535"),
        ({"cpu_millicores": 1}, "cpu_millicores is 1; allowed are 50 to 32000 millicores"),
        ({"memory_mb": 1}, "memory_mb is 1"),
        ({"environment": {"A": "1"}, "secrets": {"A": "2"}}, "A is set twice"),
        ({"environment": {"lower": "1"}}, "a variable is 'lower'"),
        ({"files": {"a": "x"}}, "files and files_at go together"),
    ],
)
def test_nonsense_is_refused(declare: Declare, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(Exception, match=told):
        declare(service(**changes))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Scale(minimum=3, maximum=2), "maximum is 2; allowed are 3 to 1000 pods"),
        (lambda: Probe(path="ok", period_seconds=1, failures=1), "path is 'ok'; allowed is a path"),
        (lambda: Stopping(notice_seconds=0, drain_seconds=1), "notice_seconds is 0"),
        (lambda: Peer(port=0), "port is 0"),
        (lambda: Peer(port=1, cidrs=("10.0.0.0/8",), namespace="x"), "cidrs do not go with labels or a namespace"),
    ],
)
def test_nonsense_in_its_parts_is_refused(make: Callable[[], object], told: str) -> None:
    with pytest.raises(ArgumentsError, match=told):
        make()
