"""Sentiment as the program declares it: what no single component can hold."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quintet.sandbox.engine.recording import Recording, record
from quintet.sandbox.engine.state import Resource
from services.sentiment import app
from services.sentiment.settings import Settings as ServiceSettings
from stacks import sentiment
from stacks.components.build_context import BuildContext
from tests.stacks.declaring import ACCOUNT, parsed, statements

DEPLOYMENT, CONFIG, SECRET = (
    "kubernetes:apps/v1:Deployment",
    "kubernetes:core/v1:ConfigMap",
    "kubernetes:core/v1:Secret",
)
SECRET, SERVICE = "kubernetes:core/v1:Secret", "kubernetes:core/v1:Service"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
INTEGRATION = "aws:apigatewayv2/integration:Integration"
LIVE = {"image": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/q/s@sha256:{'a' * 64}", "model": "sentiment/1.0.0/"}
CANARY = {"sentimentStable": json.dumps(LIVE), "sentimentCanaryWeight": 10}
KEYS = {"partner": "a-key-that-nobody-guesses"}

Declared = Callable[..., Recording]


@pytest.fixture(scope="module")
def declared(repository: Path) -> Declared:
    """The program for a stack with sentiment on; evaluated once for the same settings."""
    known: dict[str, Recording] = {}

    def run(stack: str = "dev", **settings: Any) -> Recording:
        key = json.dumps([stack, settings])
        if key not in known:
            on = {"sentiment": True, "moderation": False, **settings}
            known[key] = record(stack, overrides=on, root=repository)
        return known[key]

    return run


def container(recording: Recording, name: str) -> dict[str, Any]:
    return recording.one(DEPLOYMENT, name=f"{name}-deployment").inputs["spec"]["template"]["spec"]["containers"][0]


def environment(recording: Recording, name: str = "sentiment") -> dict[str, str]:
    """What a pod finds: the entries of its ConfigMap and Secret, and the fields of the pod."""
    found: dict[str, str] = {}
    for source in container(recording, name)["envFrom"]:
        [(kind, reference)] = source.items()
        type_, data = (CONFIG, "data") if kind == "configMapRef" else (SECRET, "stringData")
        [made] = [item for item in recording.of(type_) if item.inputs["metadata"]["name"] == reference["name"]]
        found |= made.inputs[data]
    return found | dict.fromkeys((item["name"] for item in container(recording, name)["env"]), "127.1.2.3")


def nginx_file(recording: Recording) -> str:
    return recording.one(CONFIG, name="sentiment-nginx-files-config").inputs["data"]["nginx.conf"]


@pytest.mark.parametrize("stack", ["sandbox", "dev", "staging", "prod"])
def test_the_environment_of_a_pod_is_what_its_settings_read(declared: Declared, stack: str) -> None:
    assert set(environment(declared(stack))) == {name.upper() for name in ServiceSettings.model_fields}


SIGNING_IN = {
    "none": {},
    "api_key": {"sentimentAuthorization": "api_key", "sentimentApiKeys": json.dumps(KEYS)},
    "jwt": {
        "sentimentAuthorization": "jwt",
        "sentimentJwtIssuer": "https://issuer.example",
        "sentimentJwtAudiences": ["quintet"],
    },
    "iam": {"sentimentAuthorization": "iam"},
}


@pytest.mark.parametrize("way", SIGNING_IN)
def test_the_settings_of_the_service_take_the_values_of_the_program(
    declared: Declared, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    for name, value in environment(declared(sentimentCache="valkey", **SIGNING_IN[way])).items():
        monkeypatch.setenv(name, value)

    settings = ServiceSettings()

    assert settings.environment == "dev"
    assert settings.port == sentiment.POD_PORT
    assert settings.authorization == ("none" if way == "iam" else way)
    assert settings.redis_url.startswith("rediss://service:")


def test_a_pod_knows_hashes_of_keys_and_no_key(declared: Declared) -> None:
    recording = declared(**SIGNING_IN["api_key"])

    digests = json.loads(environment(recording)["API_KEYS"])
    assert digests == {"partner": hashlib.sha256(KEYS["partner"].encode()).hexdigest()}
    assert KEYS["partner"] not in json.dumps([item.inputs for item in recording.resources], default=str)


EDGE = {"none": "NONE", "api_key": "NONE", "jwt": "JWT", "iam": "AWS_IAM"}


@pytest.mark.parametrize("way", EDGE)
def test_the_api_checks_what_it_can(declared: Declared, way: str) -> None:
    route = declared(**SIGNING_IN[way]).one("aws:apigatewayv2/route:Route").inputs

    assert (route["routeKey"], route["authorizationType"]) == ("ANY /{path+}", EDGE[way])


def test_requests_reach_nginx_through_a_private_door(declared: Declared) -> None:
    recording = declared()

    integration = recording.one(INTEGRATION).inputs
    balancer = recording.one("aws:lb/loadBalancer:LoadBalancer").inputs
    listener = recording.one("aws:lb/listener:Listener")
    targets = recording.one("aws:lb/targetGroup:TargetGroup")
    binding = recording.one("kubernetes:eks.amazonaws.com/v1:TargetGroupBinding").inputs["spec"]
    assert (integration["integrationType"], integration["connectionType"]) == ("HTTP_PROXY", "VPC_LINK")
    assert integration["integrationUri"] == listener.outputs["arn"]
    assert integration["connectionId"] == recording.one("aws:apigatewayv2/vpcLink:VpcLink").id
    assert integration["requestParameters"] == {"overwrite:header.x-source-ip": "$context.identity.sourceIp"}
    assert (balancer["internal"], balancer["loadBalancerType"]) == (True, "network")
    assert len(balancer["securityGroups"]) == 1
    assert (listener.inputs["port"], listener.inputs["protocol"]) == (80, "TCP")
    assert (targets.inputs["targetType"], targets.inputs["port"]) == ("ip", 8080)
    assert targets.inputs["healthCheck"]["path"] == "/healthz/backend"
    assert targets.inputs["tags"] == {"eks:eks-cluster-name": "quintet-dev"}
    assert binding == {
        "serviceRef": {"name": "sentiment-nginx", "port": 80},
        "targetGroupARN": targets.outputs["arn"],
        "targetType": "ip",
    }


def test_nginx_believes_and_hears_the_load_balancer_alone(declared: Declared) -> None:
    recording = declared()

    edge = [item for item in recording.of("aws:ec2/subnet:Subnet") if item.name.startswith("network-edge")]
    addresses = {item.inputs["cidrBlock"] for item in edge}
    heard = recording.one(POLICY, name="sentiment-nginx-policy").inputs["spec"]["ingress"]
    believed = {
        line.split()[1].rstrip(";") for line in nginx_file(recording).splitlines() if "set_real_ip_from" in line
    }
    assert believed == addresses
    assert {peer["ipBlock"]["cidr"] for rule in heard for peer in rule["from"]} == addresses
    assert set(recording.one("aws:lb/loadBalancer:LoadBalancer").inputs["subnets"]) == {item.id for item in edge}
    # Nothing else is in these subnets: whoever speaks from there is the load balancer.
    nodes = recording.one("aws:eks/cluster:Cluster").inputs["vpcConfig"]["subnetIds"]
    assert not {item.id for item in edge} & set(nodes)


def test_pods_are_heard_by_nginx_and_prometheus_alone(declared: Declared) -> None:
    plain, watched = declared(), declared("sandbox")

    def heard(recording: Recording) -> list[Any]:
        return [rule["from"] for rule in recording.one(POLICY, name="sentiment-policy").inputs["spec"]["ingress"]]

    labels = {"app.kubernetes.io/name": "sentiment", "app.kubernetes.io/component": "nginx"}
    nginx = [{"podSelector": {"matchLabels": labels}}]
    assert heard(plain) == [nginx]
    monitoring = {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}
    assert heard(watched) == [nginx, [{"namespaceSelector": monitoring}]]


def test_nothing_in_the_namespace_is_heard_unless_something_says_so(declared: Declared) -> None:
    closed = declared().one(POLICY, name="sentiment-closed").inputs["spec"]

    assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_a_pod_may_read_models_of_its_own_service_and_nothing_else(declared: Declared) -> None:
    recording = declared()

    bucket = recording.one("aws:s3/bucket:Bucket", name="sentiment-models-bucket").outputs["arn"]
    [statement] = statements(recording.one("aws:iam/rolePolicy:RolePolicy", name="sentiment-role-policy"))
    identity = recording.one("aws:eks/podIdentityAssociation:PodIdentityAssociation").inputs
    role = recording.one("aws:iam/role:Role", name="sentiment-role")
    trust = parsed(role.inputs["assumeRolePolicy"])["Statement"][0]
    assert (statement["Action"], statement["Resource"]) == (["s3:GetObject"], [f"{bucket}/sentiment/*"])
    assert identity["namespace"] == "quintet-dev-sentiment"
    assert (identity["serviceAccount"], identity["roleArn"]) == ("sentiment", role.outputs["arn"])
    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert trust["Action"] == ["sts:AssumeRole", "sts:TagSession"]


def test_a_canary_is_this_program_s_version_beside_what_is_live(declared: Declared) -> None:
    recording = declared(**CANARY)

    live, new = container(recording, "sentiment"), container(recording, "sentiment-canary")
    assert live["image"] == LIVE["image"]
    assert new["image"] not in {LIVE["image"], ""}
    assert environment(recording)["MODEL_PREFIX"] == LIVE["model"]
    assert environment(recording, "sentiment-canary")["MODEL_PREFIX"] != LIVE["model"]
    assert "10% canary;" in nginx_file(recording)
    # nginx sends nobody to a canary that is not there.
    canary = recording.one(DEPLOYMENT, name="sentiment-canary-deployment").urn
    assert canary in recording.one(DEPLOYMENT, name="sentiment-nginx-deployment").dependencies


def test_what_is_live_may_stay_without_a_canary(declared: Declared) -> None:
    recording = declared(sentimentStable=CANARY["sentimentStable"])

    assert [item.name for item in recording.of(DEPLOYMENT)] == ["sentiment-deployment", "sentiment-nginx-deployment"]
    assert container(recording, "sentiment")["image"] == LIVE["image"]
    assert "upstream canary" not in nginx_file(recording)


def test_a_rollout_finds_what_it_needs(declared: Declared) -> None:
    recording = declared(**CANARY)

    told = recording.outputs["rollouts"]["sentiment"]
    assert told == {
        "kind": "kubernetes",
        "cluster": "quintet-dev",
        "namespace": "quintet-dev-sentiment",
        "stable": "sentiment",
        "canary": "sentiment-canary",
        "live": LIVE,
        "candidate": {
            "image": container(recording, "sentiment-canary")["image"],
            "model": environment(recording, "sentiment-canary")["MODEL_PREFIX"],
        },
        "stableSetting": "sentimentStable",
        "weightSetting": "sentimentCanaryWeight",
        "metrics": "sentiment",
    }
    assert "rollouts" in declared().outputs


def test_its_health_is_told_with_its_address(declared: Declared) -> None:
    assert declared().outputs["endpoints"]["sentiment"]["health"] == "/healthz"


def test_every_path_that_is_probed_or_named_is_served(declared: Declared) -> None:
    served = {route.path for router in (app.predictions, app.operations) for route in router.routes}

    probes = [container(declared(), "sentiment")[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
    assert {probe["httpGet"]["path"] for probe in probes} <= served
    assert served - {"/metrics"} <= set(sentiment.ROUTES)


def test_a_change_of_a_setting_is_a_new_config_map_and_rolls_the_pods(declared: Declared) -> None:
    one, other = declared(), declared(sentimentLogLevel="DEBUG")

    def names(recording: Recording) -> list[str]:
        return [source["configMapRef"]["name"] for source in container(recording, "sentiment")["envFrom"][:1]]

    assert names(one) != names(other)
    assert all(item.inputs["immutable"] for item in (*one.of(SECRET), one.one(CONFIG, name="sentiment-config")))


def test_a_pod_goes_in_time(declared: Declared) -> None:
    recording = declared()
    for name in ("sentiment", "sentiment-nginx"):
        pod = recording.one(DEPLOYMENT, name=f"{name}-deployment").inputs["spec"]["template"]["spec"]
        notice = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]

        assert pod["terminationGracePeriodSeconds"] > notice

    found = environment(recording)
    grace = recording.one(DEPLOYMENT, name="sentiment-deployment").inputs["spec"]["template"]["spec"]
    needed = 10 + float(found["DRAIN_SECONDS"]) + int(found["REQUEST_TIMEOUT_MS"]) / 1000
    assert grace["terminationGracePeriodSeconds"] > needed


def test_waiting_gets_longer_outwards(declared: Declared) -> None:
    recording = declared()

    service = int(environment(recording)["REQUEST_TIMEOUT_MS"]) / 1000
    [nginx] = [line.split()[1] for line in nginx_file(recording).splitlines() if "proxy_read_timeout" in line]
    api = recording.one(INTEGRATION).inputs["timeoutMilliseconds"] / 1000
    assert service < float(nginx.rstrip("s;")) < api <= 30


def test_the_cpu_of_a_pod_sets_its_threads(declared: Declared) -> None:
    recording = declared(sentimentCpu=2500, sentimentMemory=2048, sentimentMinReplicas=4, sentimentMaxReplicas=8)

    scaler = recording.one("kubernetes:autoscaling/v2:HorizontalPodAutoscaler", name="sentiment-autoscaler")
    assert environment(recording)["THREADS"] == "3"
    assert container(recording, "sentiment")["resources"]["limits"] == {"cpu": "2500m", "memory": "2048Mi"}
    assert (scaler.inputs["spec"]["minReplicas"], scaler.inputs["spec"]["maxReplicas"]) == (4, 8)
    assert "replicas" not in recording.one(DEPLOYMENT, name="sentiment-deployment").inputs["spec"]


def test_a_shared_cache_is_reached_by_pods_alone(declared: Declared) -> None:
    recording = declared(sentimentCache="valkey")

    cache = recording.one("aws:elasticache/serverlessCache:ServerlessCache").inputs
    rule = recording.one("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", name="sentiment-from-0").inputs
    group = recording.one("aws:eks/cluster:Cluster").outputs["vpcConfig"]["clusterSecurityGroupId"]
    out = recording.one(POLICY, name="sentiment-policy").inputs["spec"]["egress"]
    assert cache["securityGroupIds"] == [rule["securityGroupId"]]
    assert rule["referencedSecurityGroupId"] == group
    assert any(port.get("port") == 6379 for item in out for port in item["ports"])
    assert declared().of("aws:elasticache/serverlessCache:ServerlessCache") == []


def test_an_operator_is_given_what_watches(declared: Declared) -> None:
    recording = declared("sandbox")

    scraping = recording.one("kubernetes:monitoring.coreos.com/v1:ServiceMonitor").inputs["spec"]
    board = recording.one(CONFIG, name="sentiment-dashboard").inputs
    services = [
        item
        for item in recording.of(SERVICE)
        if scraping["selector"]["matchLabels"].items() <= item.inputs["metadata"]["labels"].items()
    ]
    assert [item.inputs["metadata"]["name"] for item in services] == ["sentiment"]
    assert scraping["endpoints"][0]["port"] in {port["name"] for port in services[0].inputs["spec"]["ports"]}
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(board["data"]["sentiment.json"])["panels"]
    assert recording.one("kubernetes:monitoring.coreos.com/v1:PrometheusRule").inputs["spec"]["groups"]
    assert declared().of("kubernetes:monitoring.coreos.com/v1:ServiceMonitor") == []


EXISTING = {
    "cluster": "existing",
    "clusterName": "shared",
    "clusterKubeconfig": '{"clusters": "private"}',
    "clusterSecurityGroup": "sg-0a1b",
    "networkVpc": "vpc-0a1b",
    "networkPrivateSubnets": ["subnet-0a", "subnet-0b"],
}


def test_an_existing_cluster_and_network_are_taken_as_they_are(declared: Declared) -> None:
    recording = declared(**EXISTING, clusterBalancing="controller")

    binding = recording.one("kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding")
    labels = recording.one("kubernetes:core/v1:Namespace").inputs["metadata"]["labels"]
    made = {item.type for item in recording.resources}
    assert binding
    assert labels["elbv2.k8s.aws/pod-readiness-gate-inject"] == "enabled"
    assert not {"aws:eks/cluster:Cluster", "aws:ec2/vpc:Vpc", "aws:ec2/natGateway:NatGateway"} & made
    assert recording.one("aws:lb/loadBalancer:LoadBalancer").inputs["subnets"] == EXISTING["networkPrivateSubnets"]
    assert "resolver kube-dns.kube-system.svc.cluster.local " in nginx_file(recording)


def test_dev_builds_the_images_that_staging_takes(repository: Path) -> None:
    dev = record("dev", root=repository)

    assert {"sentiment-image", "sentiment-nginx-image"} <= {item.name for item in dev.of("docker-build:index:Image")}
    assert dev.of(DEPLOYMENT) == []
    assert dev.of("aws:ec2/vpc:Vpc") == []


def test_the_image_is_built_from_its_code_and_no_leftovers(repository: Path) -> None:
    files = BuildContext(root=repository, dockerfile="services/sentiment/Dockerfile").files()

    assert {"services/sentiment/__main__.py", "services/common/__init__.py"} <= set(files)
    assert not [name for name in files if name.endswith(".pyc") or name.startswith(("stacks", "quintet", "tests"))]


def depends(recording: Recording, resource: Resource, on: Resource) -> bool:
    """Whether one is made after the other, by any number of steps."""
    known = {item.urn: item for item in recording.resources}
    seen, ahead = set[str](), [resource.urn]
    while ahead:
        urn = ahead.pop()
        if urn in seen or urn not in known:
            continue
        seen.add(urn)
        ahead += [*known[urn].dependencies, *([known[urn].parent] if known[urn].parent else [])]
    return on.urn in seen


BINDING = "kubernetes:eks.amazonaws.com/v1:TargetGroupBinding"
ORDER = [
    (DEPLOYMENT, "sentiment-deployment", "aws:eks/podIdentityAssociation:PodIdentityAssociation", "sentiment-identity"),
    (DEPLOYMENT, "sentiment-deployment", POLICY, "sentiment-policy"),
    (DEPLOYMENT, "sentiment-deployment", "aws:iam/rolePolicy:RolePolicy", "sentiment-role-policy"),
    (DEPLOYMENT, "sentiment-nginx-deployment", DEPLOYMENT, "sentiment-deployment"),
    (
        DEPLOYMENT,
        "sentiment-nginx-deployment",
        "kubernetes:eks.amazonaws.com/v1:TargetGroupBinding",
        "sentiment-binding",
    ),
    (
        BINDING,
        "sentiment-binding",
        "aws:lb/listener:Listener",
        "sentiment-listener",
    ),
    ("aws:eks/cluster:Cluster", "cluster-cluster", "aws:cloudwatch/logGroup:LogGroup", "cluster-logs"),
    ("aws:eks/cluster:Cluster", "cluster-cluster", "aws:ec2/route:Route", "network-node-outward-1"),
]


@pytest.mark.parametrize(("type_", "name", "first", "first_name"), ORDER)
def test_what_must_be_there_first_is(declared: Declared, type_: str, name: str, first: str, first_name: str) -> None:
    recording = declared()

    assert depends(recording, recording.one(type_, name=name), recording.one(first, name=first_name))
