"""The kinds of Kubernetes and EKS: what the engine asks of them, over a cluster and a real emulator."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quintet.sandbox.engine.errors import SandboxError
from quintet.sandbox.functions import Credentials
from quintet.sandbox.images import Image
from quintet.sandbox.kinds.base import KINDS, UNKNOWN
from quintet.sandbox.kinds.calls import RefusedError
from quintet.sandbox.kinds.cloud import EmulatedCloud
from quintet.sandbox.kubernetes.backoff import Timing
from quintet.sandbox.kubernetes.cluster import Cluster
from quintet.sandbox.kubernetes.objects import Key, ObjectStore
from quintet.sandbox.world import World
from tests.quintet.kinds.deploying import Deployer, Made
from tests.quintet.kubernetes.apps import SERVER
from tests.quintet.kubernetes.conftest import deployment, service, thing

NAMESPACE_TYPE = "kubernetes:core/v1:Namespace"
CONFIG = "kubernetes:core/v1:ConfigMap"
SECRET = "kubernetes:core/v1:Secret"
ACCOUNT = "kubernetes:core/v1:ServiceAccount"
SERVICE = "kubernetes:core/v1:Service"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SCALER = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
BINDING = "kubernetes:eks.amazonaws.com/v1:TargetGroupBinding"
ASSOCIATION = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
CLUSTER = "aws:eks/cluster:Cluster"


def trust(service: str, *actions: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": list(actions)}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster in a loop of its own, as the daemon has it."""
    code = tmp_path / "app"
    code.mkdir()
    (code / "server.py").write_text(SERVER)
    made = Cluster(
        images=lambda reference: Image(reference, tmp_path, code, {}, (), ("python", "-m", "server")),
        assume=lambda role, session: Credentials(
            access_key_id="", secret_access_key="", session_token="", expires_at=None  # type: ignore[arg-type]
        ),
        endpoint_url="http://127.0.0.1:9",
        region="us-east-1",
        scratch=tmp_path / "scratch",
        logs=tmp_path / "logs",
        timing=Timing(back_off_first=0.1),
    )  # fmt: skip
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(made.start(), loop).result()
    yield made
    asyncio.run_coroutine_threadsafe(made.stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def deploy(world: World, cluster: Cluster) -> Iterator[Deployer]:
    world.kubernetes = cluster
    deployer = Deployer(world)
    deployer.make(NAMESPACE_TYPE, metadata={"name": "shop"})
    yield deployer
    world.kubernetes = None


def inputs(value: dict[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name not in {"apiVersion", "kind"}}


def target_group(of: Deployer) -> dict[str, Any]:
    spec = {"targetGroupARN": "arn:a", "serviceRef": {"name": "web", "port": 80}, "targetType": "ip"}
    return inputs(thing("TargetGroupBinding", "web", spec=spec))


LIVES: list[tuple[str, Callable[[Deployer], dict[str, Any]], dict[str, Any]]] = [
    (NAMESPACE_TYPE, lambda d: {"metadata": {"name": "other"}}, {"metadata": {"name": "other", "labels": {"a": "b"}}}),
    (CONFIG, lambda d: inputs(thing("ConfigMap", "c", data={"A": "1"})), {}),
    (SECRET, lambda d: inputs(thing("Secret", "s", stringData={"A": "1"}, type="Opaque")), {}),
    (ACCOUNT, lambda d: inputs(thing("ServiceAccount", "a", automountServiceAccountToken=False)), {}),
    (SERVICE, lambda d: inputs(service()), inputs(service(ports=[{"port": 1}]))),
    (DEPLOYMENT, lambda d: inputs(deployment()), inputs(deployment(replicas=2))),
    (SCALER, lambda d: inputs(thing("HorizontalPodAutoscaler", "h", spec={"maxReplicas": 2})),
     inputs(thing("HorizontalPodAutoscaler", "h", spec={"maxReplicas": 3}))),
    (BINDING, target_group, {}),
    ("kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding", target_group, {}),
]  # fmt: skip


@pytest.mark.parametrize(("token", "made", "changed"), LIVES, ids=[life[0] for life in LIVES])
def test_an_object_is_made_read_changed_and_deleted(
    deploy: Deployer, token: str, made: Callable[[Deployer], dict[str, Any]], changed: dict[str, Any]
) -> None:
    resource = deploy.make(token, **made(deploy))
    name = resource.inputs["metadata"]["name"]

    assert resource.id.rpartition("/")[2] == name
    assert resource.read()["metadata"]["uid"]
    if changed:
        resource.update(changed)
        assert resource.read()["metadata"].get("generation") or token == NAMESPACE_TYPE
    resource.delete()
    assert resource.read() is None
    resource.delete()


def test_every_kind_of_kubernetes_is_tried_here() -> None:
    assert {token for token in KINDS if token.startswith("kubernetes:")} == {token for token, *_ in LIVES}


def test_types_without_a_kind_are_declared_only(deploy: Deployer) -> None:
    cloud = EmulatedCloud(deploy.world)

    assert not any(
        cloud.realises(f"kubernetes:{type_}")
        for type_ in (
            "networking.k8s.io/v1:NetworkPolicy",
            "policy/v1:PodDisruptionBudget",
            "eks.amazonaws.com/v1:NodeClass",
        )
    )


def test_a_deployment_is_made_when_its_pods_are_ready(deploy: Deployer) -> None:
    made = deploy.make(DEPLOYMENT, **inputs(deployment(replicas=2)))

    assert made["status"]["availableReplicas"] == 2
    assert made.id == "shop/web"


def test_a_deployment_that_fails_is_taken_away_again(deploy: Deployer, cluster: Cluster) -> None:
    with pytest.raises(SandboxError, match="I cannot start: no screws"):
        deploy.make(DEPLOYMENT, **inputs(deployment(environment={"BROKEN": "start"})))

    assert cluster.pods("shop") == []
    assert cluster.get("Deployment", "shop", "web") is None


def test_a_deployment_comes_back_with_a_cluster_that_was_started_anew(deploy: Deployer, cluster: Cluster) -> None:
    made = deploy.make(DEPLOYMENT, **inputs(deployment()))
    cluster.delete("Deployment", "shop", "web")

    deploy.cloud.resume(DEPLOYMENT, made.id, made.outputs)

    assert [pod.ready for pod in cluster.pods("shop", "web")] == [True]


def test_a_secret_comes_back_with_what_it_held_and_shows_it_encoded(deploy: Deployer, cluster: Cluster) -> None:
    made = deploy.make(SECRET, **inputs(thing("Secret", "keys", stringData={"KEY": "hidden"})))
    cluster.delete("Secret", "shop", "keys")

    deploy.cloud.resume(SECRET, made.id, made.outputs)

    assert made["data"] == {"KEY": "aGlkZGVu"}
    assert cluster.get("Secret", "shop", "keys")["data"] == {"KEY": "aGlkZGVu"}


OTHER_SELECTOR = {"selector": {"matchLabels": {"app": "web", "b": "c"}}}


def diff(deploy: Deployer, token: str, old: dict[str, Any], new: dict[str, Any]) -> Any:
    checked = [deploy.cloud.check(token, "x", {}, value, autoname="x") for value in (old, new)]
    return deploy.cloud.diff(token, *checked)


def test_another_name_is_another_object_made_before_the_old_one_goes(deploy: Deployer) -> None:
    found = diff(deploy, CONFIG, inputs(thing("ConfigMap", "a-1", data={})), inputs(thing("ConfigMap", "a-2", data={})))

    assert (found.replaces, found.delete_first) == (("metadata",), False)


def test_other_data_under_one_name_replace_it_and_the_old_one_goes_first(deploy: Deployer) -> None:
    found = diff(
        deploy,
        CONFIG,
        inputs(thing("ConfigMap", "a", data={"A": "1"})),
        inputs(thing("ConfigMap", "a", data={"A": "2"})),
    )

    assert (found.replaces, found.delete_first) == (("data",), True)


@pytest.mark.parametrize(
    ("token", "old", "new", "replaces"),
    [
        (DEPLOYMENT, deployment(), deployment(replicas=2), False),
        (DEPLOYMENT, deployment(), deployment(spec=OTHER_SELECTOR, labels={"b": "c"}), True),
        (SERVICE, service(), service(ports=[{"port": 1}]), False),
        (SERVICE, service(), service(headless=False), True),
    ],
)  # fmt: skip
def test_what_a_cluster_never_changes_needs_a_new_object(
    deploy: Deployer, token: str, old: dict[str, Any], new: dict[str, Any], replaces: bool
) -> None:
    assert bool(diff(deploy, token, inputs(old), inputs(new)).replaces) is replaces


def test_a_preview_refuses_what_the_sandbox_does_not_run(tmp_path: Path) -> None:
    cloud = EmulatedCloud(World(tmp_path, tmp_path))

    with pytest.raises(SandboxError, match=r"Deployment shop/web: `spec\.paused`: the sandbox does not run"):
        cloud.check(DEPLOYMENT, "x", {}, inputs(deployment(spec={"paused": True})), autoname="x")


def test_a_preview_may_hold_unknown_values(tmp_path: Path) -> None:
    cloud = EmulatedCloud(World(tmp_path, tmp_path))

    checked = cloud.check(DEPLOYMENT, "x", {}, inputs(deployment(container={"image": UNKNOWN})), autoname="x")

    assert checked["kind"] == "Deployment"


def test_an_object_without_a_name_of_its_own_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"needs `kind` and `metadata\.name`"):
        EmulatedCloud(World(tmp_path, tmp_path)).check(CONFIG, "x", {}, {"data": {}}, autoname="x")


def test_nothing_can_be_applied_where_no_cluster_runs(world: World) -> None:
    with pytest.raises(RefusedError, match="no cluster runs here"):
        Deployer(world).make(CONFIG, metadata={"name": "a"}, data={})


# EKS


def network(deploy: Deployer, *zones: str) -> dict[str, Any]:
    ec2 = deploy.world.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{at}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for at, zone in enumerate(zones)
    ]
    return {"subnetIds": subnets}


def eks(deploy: Deployer, *zones: str, **more: Any) -> dict[str, Any]:
    role = deploy.role(trust("eks.amazonaws.com", "sts:AssumeRole", "sts:TagSession"))
    auto = {"computeConfig": {"enabled": True}, "storageConfig": {"blockStorage": {"enabled": True}},
            "kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": True}}}  # fmt: skip
    return {
        "roleArn": role["arn"],
        "version": "1.34",
        "vpcConfig": network(deploy, *(zones or ("us-east-1a", "us-east-1b"))),
        **auto,
        **more,
    }


def test_a_cluster_has_a_security_group_that_rules_can_name(deploy: Deployer) -> None:
    made = deploy.make(CLUSTER, **eks(deploy, tags={"a": "1"}))

    group = made["vpcConfig"]["clusterSecurityGroupId"]
    found = deploy.world.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert [each["VpcId"] for each in found] == [made["vpcConfig"]["vpcId"]]
    assert made.read() is not None
    made.update({**made.inputs, "version": "1.35"})
    assert made["version"] == "1.35"
    made.delete()
    assert made.read() is None


@pytest.mark.parametrize(
    ("zones", "more", "told"),
    [
        (("us-east-1a",), {}, "two availability zones at least"),
        ((), {"storageConfig": {}}, "enabled together"),
        ((), {"version": "2.0"}, "a version is 1.xx"),
    ],
)
def test_a_cluster_that_eks_would_refuse_is_refused(
    deploy: Deployer, zones: tuple[str, ...], more: dict[str, Any], told: str
) -> None:
    with pytest.raises(RefusedError, match=told):
        deploy.make(CLUSTER, **eks(deploy, *zones, **more))


def test_a_protected_cluster_is_not_deleted(deploy: Deployer) -> None:
    made = deploy.make(CLUSTER, **eks(deploy, deletionProtection=True))

    with pytest.raises(RefusedError, match="deletionProtection"):
        made.delete()


def test_a_role_that_eks_may_not_assume_is_refused(deploy: Deployer) -> None:
    with pytest.raises(RefusedError, match="does not allow `sts:AssumeRole`"):
        deploy.make(CLUSTER, **eks(deploy, roleArn=deploy.role(trust("ec2.amazonaws.com", "sts:AssumeRole"))["arn"]))


def association(deploy: Deployer, *actions: str) -> Made:
    role = deploy.role(trust("pods.eks.amazonaws.com", *actions))
    return deploy.make(ASSOCIATION, clusterName="c", namespace="shop", serviceAccount="clerk", roleArn=role["arn"])


def test_an_association_gives_the_role_to_the_account_and_takes_it_away(deploy: Deployer, cluster: Cluster) -> None:
    made = association(deploy, "sts:AssumeRole", "sts:TagSession")
    given = cluster._identity.role_of("shop", "clerk")

    other = deploy.role(trust("pods.eks.amazonaws.com", "sts:*"))["arn"]
    made.update({**made.inputs, "roleArn": other})
    changed = cluster._identity.role_of("shop", "clerk")
    made.delete()

    assert (given, changed) == (made_role(given), other)
    assert cluster._identity.role_of("shop", "clerk") is None
    deploy.cloud.resume(ASSOCIATION, made.id, made.outputs)
    assert cluster._identity.role_of("shop", "clerk") == other


def made_role(arn: str | None) -> str:
    assert arn is not None
    assert arn.startswith("arn:aws:iam::")
    return arn


def test_a_role_whose_sessions_pod_identity_may_not_tag_is_refused(deploy: Deployer) -> None:
    with pytest.raises(RefusedError, match="does not allow `sts:TagSession`"):
        association(deploy, "sts:AssumeRole")


@pytest.mark.parametrize(
    ("token", "given"),
    [
        ("aws:eks/addon:Addon", {"clusterName": "c", "addonName": "metrics-server", "tags": {"a": "1"}}),
        ("aws:eks/accessEntry:AccessEntry", {"clusterName": "c", "principalArn": "arn:aws:iam::1:role/a", "tags": {}}),
        ("aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
         {"clusterName": "c", "principalArn": "arn:aws:iam::1:role/a", "policyArn": "arn:p"}),
    ],
)  # fmt: skip
def test_parts_of_a_cluster_are_noted(deploy: Deployer, token: str, given: dict[str, Any]) -> None:
    made = deploy.make(token, **given)

    assert made.id.startswith("c:")
    assert made.read() is not None


def test_a_secret_that_a_state_has_encrypted_is_what_the_cluster_has_kept(tmp_path: Path) -> None:
    file = tmp_path / "emulator" / "secrets.json"
    before = ObjectStore(file)
    before.put({"kind": "Namespace", "metadata": {"name": "shop"}})
    before.put(thing("Secret", "keys", stringData={"KEY": "hidden"}))
    before.put(thing("Secret", "gone", stringData={"KEY": "other"}))
    before.remove(Key("Secret", "shop", "gone"))

    after = ObjectStore(file)

    assert after.find("Secret", "shop", "keys")["stringData"] == {"KEY": "hidden"}
    assert after.find("Secret", "shop", "gone") is None
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_encrypted_secret_is_not_taken_for_its_content(deploy: Deployer, cluster: Cluster) -> None:
    made = deploy.make(SECRET, **inputs(thing("Secret", "keys", stringData={"KEY": "hidden"})))
    encrypted = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}

    deploy.cloud.resume(SECRET, made.id, {**made.outputs, "data": encrypted})

    assert cluster.get("Secret", "shop", "keys")["stringData"] == {"KEY": "hidden"}
