"""EKS Auto Mode as its guide asks for it; what is left out makes a cluster without nodes."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from stacks.components.arguments import ArgumentsError
from stacks.components.cluster import SERVICE_CIDR, Cluster, ClusterArgs, Kubernetes, dns_of
from stacks.components.network import Egress, Place, Subnets
from tests.stacks.declaring import KEY, Declare, parsed

CLUSTER, ROLE = "aws:eks/cluster:Cluster", "aws:iam/role:Role"
ATTACHED = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
PLACE = Place("vpc-1", Subnets(["subnet-1", "subnet-2"], ["10.0.0.0/18", "10.0.64.0/18"]), Subnets([], []), Egress.NAT)


def args(**changes: Any) -> ClusterArgs:
    given = {"cluster_name": "quintet-test", "place": PLACE, "region": "us-east-1", "version": "1.34"}
    return ClusterArgs(**(given | changes))


def cluster(**changes: Any) -> Callable[[], object]:
    return lambda: Cluster("cluster", args(**changes))


def test_nodes_network_and_disks_are_all_of_auto_mode(declare: Declare) -> None:
    recording = declare(cluster())

    made = recording.one(CLUSTER).inputs
    assert made["computeConfig"]["enabled"] is True
    assert made["computeConfig"]["nodePools"] == ["general-purpose", "system"]
    assert made["computeConfig"]["nodeRoleArn"] == recording.one(ROLE, name="cluster-node-role").outputs["arn"]
    assert made["kubernetesNetworkConfig"]["elasticLoadBalancing"] == {"enabled": True}
    assert made["storageConfig"]["blockStorage"] == {"enabled": True}
    assert made["bootstrapSelfManagedAddons"] is False
    assert made["accessConfig"]["authenticationMode"] == "API"


def test_roles_are_those_of_the_guide(declare: Declare) -> None:
    recording = declare(cluster())

    names = {item.outputs["name"]: item.name for item in recording.of(ROLE)}
    given: dict[str, set[str]] = {}
    for item in recording.of(ATTACHED):
        given.setdefault(names[item.inputs["role"]], set()).add(item.inputs["policyArn"].rpartition("/")[2])
    assert given == {
        "cluster-role": {
            "AmazonEKSClusterPolicy",
            "AmazonEKSComputePolicy",
            "AmazonEKSBlockStoragePolicy",
            "AmazonEKSLoadBalancingPolicy",
            "AmazonEKSNetworkingPolicy",
        },
        "cluster-node-role": {"AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"},
    }
    trust = parsed(recording.one(ROLE, name="cluster-role").inputs["assumeRolePolicy"])["Statement"][0]
    assert trust["Action"] == ["sts:AssumeRole", "sts:TagSession"]


def test_it_exists_before_its_policies_never(declare: Declare) -> None:
    recording = declare(cluster())

    needed = {item.urn for item in recording.of(ATTACHED)} | {recording.one("aws:iam/rolePolicy:RolePolicy").urn}
    assert needed <= set(recording.one(CLUSTER).dependencies)


def test_its_logs_go_to_a_group_that_was_there_first(declare: Declare) -> None:
    recording = declare(cluster(log_retention_days=7))

    group = recording.one("aws:cloudwatch/logGroup:LogGroup")
    assert group.inputs["name"] == "/aws/eks/quintet-test/cluster"
    assert group.inputs["retentionInDays"] == 7
    assert group.urn in recording.one(CLUSTER).dependencies
    assert "audit" in recording.one(CLUSTER).inputs["enabledClusterLogTypes"]


@pytest.mark.parametrize("given", [None, KEY])
def test_secrets_are_encrypted_by_a_key_that_it_may_use(declare: Declare, given: str | None) -> None:
    recording = declare(cluster(kms_key_arn=given))

    key = given or recording.one("aws:kms/key:Key").outputs["arn"]
    encryption = recording.one(CLUSTER).inputs["encryptionConfig"]
    [statement] = parsed(recording.one("aws:iam/rolePolicy:RolePolicy").inputs["policy"])["Statement"]
    assert encryption == {"provider": {"keyArn": key}, "resources": ["secrets"]}
    assert statement["Resource"] == [key]
    assert len(recording.of("aws:kms/key:Key")) == (0 if given else 1)


def test_its_api_is_reached_from_its_own_network_unless_somebody_is_named(declare: Declare) -> None:
    closed = declare(cluster()).one(CLUSTER).inputs["vpcConfig"]
    opened = declare(cluster(public_access=("203.0.113.0/24",))).one(CLUSTER).inputs["vpcConfig"]

    assert (closed["endpointPrivateAccess"], closed["endpointPublicAccess"]) == (True, False)
    assert opened["endpointPublicAccess"] is True
    assert opened["publicAccessCidrs"] == ["203.0.113.0/24"]


def test_autoscaling_has_what_it_measures_by(declare: Declare) -> None:
    assert declare(cluster()).one("aws:eks/addon:Addon").inputs["addonName"] == "metrics-server"


@pytest.mark.parametrize("protected", [True, False])
def test_a_protected_one_is_not_deleted(declare: Declare, protected: bool) -> None:
    assert declare(cluster(protected=protected)).one(CLUSTER).inputs["deletionProtection"] is protected


def test_the_kubeconfig_holds_no_secret_and_asks_aws_who_one_is(declare: Declare) -> None:
    written: list[str] = []

    def program() -> None:
        Cluster("cluster", args()).kubeconfig.apply(written.append)

    recording = declare(program)

    config = json.loads(written[0])
    user = config["users"][0]["user"]
    assert config["clusters"][0]["cluster"]["server"] == recording.one(CLUSTER).outputs["endpoint"]
    assert user.keys() == {"exec"}
    assert user["exec"]["command"] == "aws"
    assert user["exec"]["args"][-2:] == ["--cluster-name", "quintet-test"]


def test_names_are_resolved_within_the_addresses_of_services() -> None:
    assert SERVICE_CIDR.startswith(dns_of(None, made_here=True)[: len("172.20.0.")])
    assert dns_of(None, made_here=False) == "kube-dns.kube-system.svc.cluster.local"
    assert dns_of("10.100.0.10", made_here=False) == "10.100.0.10"


@pytest.mark.parametrize("group", ["eks.amazonaws.com", "elbv2.k8s.aws"])
def test_pods_wait_for_the_load_balancer_by_the_label_of_who_registers_them(group: str) -> None:
    version: Any = {"eks.amazonaws.com": "eks.amazonaws.com/v1", "elbv2.k8s.aws": "elbv2.k8s.aws/v1beta1"}[group]

    known = Kubernetes("c", "sg-1", "172.20.0.10", version, options=None)  # type: ignore[arg-type]  # not asked

    assert known.readiness_gate == {f"{group}/pod-readiness-gate-inject": "enabled"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"version": "latest"}, "allowed is a version such as 1.34"),
        ({"cluster_name": "Quintet"}, "allowed is up to 100 letters"),
        ({"public_access": ("everywhere",)}, "allowed are networks such as 203.0.113.0/24"),
        ({"log_retention_days": 2}, "log_retention_days is 2"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ArgumentsError, match=told):
        args(**changes)
