"""Rules about clusters: each finds its mistake, says how to mend it, and leaves the program alone."""

from collections.abc import Callable
from typing import Any

import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
import pytest

from tests.stacks.declaring import ACCOUNT, Declare
from tests.stacks.policy.judging import DIGEST, matching, verdicts

IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/quintet-dev/sentiment@{DIGEST}"
Program = Callable[[], object]


def deployment(container: dict[str, Any] | None = None, **pod: Any) -> Program:
    """A Deployment that has no rights, with changes to its container and its pod."""
    security = {
        "allow_privilege_escalation": False,
        "read_only_root_filesystem": True,
        "capabilities": {"drop": ["ALL"]},
    } | (container or {}).pop("security_context", {})
    whole = {"name": "api", "image": IMAGE, "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}
    spec = {
        "containers": [{**whole, **(container or {}), "security_context": security}],
        "automount_service_account_token": False,
        "security_context": {"run_as_non_root": True, "seccomp_profile": {"type": "RuntimeDefault"}},
    } | pod

    def program() -> None:
        labels = {"app": "x"}
        template = {"metadata": {"labels": labels}, "spec": spec}
        kubernetes.apps.v1.Deployment("d", spec={"selector": {"match_labels": labels}, "template": template})

    return program


def context(**changes: Any) -> Program:
    return deployment({"security_context": changes})


RIGHTS = [
    (deployment(security_context={"seccomp_profile": {"type": "RuntimeDefault"}}), "may run as root"),
    (context(run_as_user=0), "may run as root"),
    (context(read_only_root_filesystem=False), "can write to its image"),
    (context(allow_privilege_escalation=True), "can gain rights"),
    (context(privileged=True), "is privileged"),
    (context(capabilities={"drop": ["NET_RAW"]}), "keeps capabilities"),
    (context(seccomp_profile={"type": "Unconfined"}), "may make any system call"),
    (deployment(host_network=True), "shares its node's hostNetwork"),
    (deployment(host_pid=True), "shares its node's hostPID"),
    (deployment(volumes=[{"name": "v", "host_path": {"path": "/"}}]), "mounts a folder of its node"),
    (deployment(automount_service_account_token=True), "gets a token for the Kubernetes API"),
    (deployment({"resources": {"limits": {"cpu": "1"}}}), "may take all the memory of its node"),
    (deployment({"resources": {}}), "may take all the cpu and memory of its node"),
]


@pytest.mark.parametrize(("program", "message"), RIGHTS)
def test_a_pod_with_rights_is_found(declare: Declare, program: Program, message: str) -> None:
    assert matching(verdicts(declare(program), "pods-have-no-rights"), message)


@pytest.mark.parametrize("rule", ["pods-have-no-rights", "images-of-own-registry", "images-by-digest"])
def test_a_pod_without_rights_is_left_alone(declare: Declare, rule: str) -> None:
    assert verdicts(declare(deployment()), rule) == []


@pytest.mark.parametrize("level", [None, "baseline"])
def test_a_namespace_that_takes_pods_with_rights_is_found(declare: Declare, level: str | None) -> None:
    labels = {"pod-security.kubernetes.io/enforce": level} if level else {}

    found = verdicts(
        declare(lambda: kubernetes.core.v1.Namespace("n", metadata={"labels": labels})), "pods-have-no-rights"
    )

    assert matching(found, f"takes pods with rights .* is {level!r}")


@pytest.mark.parametrize("image", [f"docker.io/nginx@{DIGEST}", f"public.ecr.aws/nginx/nginx@{DIGEST}", "nginx"])
def test_an_image_of_somebody_elses_registry_is_found(declare: Declare, image: str) -> None:
    found = verdicts(declare(deployment({"image": image})), "images-of-own-registry")

    assert matching(found, "which others keep, and may take away. Build it into the account's own registry")


def service(kind: str) -> Program:
    return lambda: kubernetes.core.v1.Service("s", spec={"type": kind, "ports": [{"port": 80}]})


@pytest.mark.parametrize("kind", ["LoadBalancer", "NodePort"])
def test_a_service_that_opens_itself_is_found(declare: Declare, kind: str) -> None:
    assert matching(verdicts(declare(service(kind)), "ingress-through-edges"), f"is of type {kind}")


def test_a_service_of_the_cluster_alone_is_left_alone(declare: Declare) -> None:
    assert verdicts(declare(service("ClusterIP")), "ingress-through-edges") == []


def test_an_ingress_is_found(declare: Declare) -> None:
    found = verdicts(declare(lambda: kubernetes.networking.v1.Ingress("i", spec={})), "ingress-through-edges")

    assert matching(found, "answers on the internet outside a declared edge")


def cluster(**changes: Any) -> Program:
    given: dict[str, Any] = {
        "role_arn": f"arn:aws:iam::{ACCOUNT}:role/r",
        "vpc_config": {"subnet_ids": ["subnet-1"], "endpoint_public_access": False},
        "encryption_config": {"provider": {"key_arn": "arn:aws:kms:k"}, "resources": ["secrets"]},
        "enabled_cluster_log_types": ["api", "audit", "authenticator"],
    }
    return lambda: aws.eks.Cluster("c", **(given | changes))


CLUSTERS = [
    ("ingress-through-edges", {"vpc_config": {"subnet_ids": ["s"]}}, "has an API that everybody reaches"),
    (
        "ingress-through-edges",
        {
            "vpc_config": {
                "subnet_ids": ["s"],
                "endpoint_public_access": True,
                "public_access_cidrs": ["203.0.113.0/24", "0.0.0.0/0"],
            }
        },
        "has an API that everybody reaches",
    ),
    ("encrypted-at-rest", {"encryption_config": None}, "keeps Secrets without a key of one's own"),
    ("logs-expire", {"enabled_cluster_log_types": ["api"]}, r"does not log who did what \(audit, authenticator\)"),
]


@pytest.mark.parametrize(("rule", "changes", "message"), CLUSTERS)
def test_an_open_or_silent_cluster_is_found(declare: Declare, rule: str, changes: dict[str, Any], message: str) -> None:
    assert matching(verdicts(declare(cluster(**changes)), rule), message)


@pytest.mark.parametrize("rule", ["ingress-through-edges", "encrypted-at-rest", "logs-expire"])
@pytest.mark.parametrize("networks", [[], ["203.0.113.0/24"]])
def test_a_closed_cluster_is_left_alone(declare: Declare, rule: str, networks: list[str]) -> None:
    access = {"endpoint_public_access": bool(networks), "public_access_cidrs": networks or None}

    assert verdicts(declare(cluster(vpc_config={"subnet_ids": ["s"], **access})), rule) == []


def groups(*, out: int | None, into: int | None) -> Program:
    """Two groups; one lets out to the other, which lets in, each at its port."""

    def program() -> None:
        first, second = aws.ec2.SecurityGroup("first"), aws.ec2.SecurityGroup("second", description="another")
        ends = {"ip_protocol": "tcp"}
        if out:
            aws.vpc.SecurityGroupEgressRule(
                "out",
                security_group_id=first.id,
                referenced_security_group_id=second.id,
                from_port=out,
                to_port=out,
                **ends,
            )
        if into:
            aws.vpc.SecurityGroupIngressRule(
                "into",
                security_group_id=second.id,
                referenced_security_group_id=first.id,
                from_port=into,
                to_port=into,
                **ends,
            )

    return program


@pytest.mark.parametrize(
    ("out", "into", "messages"),
    [
        (80, None, ["out: lets out to second at port 80, which lets nothing in there"]),
        (None, 80, ["into: lets in first at port 80, which lets nothing out to there"]),
        (80, 8080, ["out: lets out", "into: lets in"]),
        (80, 80, []),
    ],
)
def test_groups_that_do_not_meet_are_found(
    declare: Declare, out: int | None, into: int | None, messages: list[str]
) -> None:
    found = verdicts(declare(groups(out=out, into=into)), "security-groups-pair")

    assert len(found) == len(messages)
    assert all(matching(found, message) for message in messages)
