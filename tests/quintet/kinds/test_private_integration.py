"""An HTTP API in front of a network load balancer, called as a client calls it."""

import gzip
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from quintet.files import read_json
from quintet.sandbox.kinds.calls import RefusedError
from quintet.sandbox.listeners import FILE, DataPlane
from quintet.sandbox.world import World
from tests.ports import free_port
from tests.quintet.kinds.data_plane import Backend, FakeCluster
from tests.quintet.kinds.deploying import Deployer, Made
from tests.quintet.kinds.network_lives import HEALTH, group, subnet, targets, vpc

OVERWRITE = {"overwrite:header.x-source-ip": "$context.identity.sourceIp"}
UNAVAILABLE = (503, {"message": "Service Unavailable"})


@pytest.fixture
def backend() -> Iterator[Backend]:
    backend = Backend()
    yield backend
    backend.close()


@pytest.fixture
def cluster(world: World, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    cluster = FakeCluster(backend.address)
    monkeypatch.setattr(world, "kubernetes", cluster, raising=False)
    return cluster


class Served:
    """An API, a link and a load balancer, as the program declares them."""

    def __init__(self, deploy: Deployer, *, pairs: bool = True, **integration: Any) -> None:
        self.deploy = deploy
        self.vpc = vpc(deploy)
        self.places = [subnet(deploy, self.vpc, third=1, zone="a").id, subnet(deploy, self.vpc, third=2, zone="b").id]
        self.from_group, self.to_group = group(deploy, self.vpc), group(deploy, self.vpc)
        if pairs:
            self.open("Egress", self.from_group, self.to_group)
            self.open("Ingress", self.to_group, self.from_group)
        given = {"loadBalancerType": "network", "internal": True, "namePrefix": "nlb-"}
        balancer = "aws:lb/loadBalancer:LoadBalancer"
        self.balancer = deploy.make(balancer, subnets=self.places, securityGroups=[self.to_group.id], **given)
        self.targets = targets(deploy, self.vpc.id)
        self.listener = deploy.make(
            "aws:lb/listener:Listener",
            loadBalancerArn=self.balancer.id,
            port=80,
            protocol="TCP",
            defaultActions=[{"type": "forward", "targetGroupArn": self.targets.id}],
        )
        self.link = deploy.make(
            "aws:apigatewayv2/vpcLink:VpcLink", subnetIds=self.places, securityGroupIds=[self.from_group.id]
        )
        self._api(integration)

    def _api(self, changes: dict[str, Any]) -> None:
        deploy = self.deploy
        self.api = deploy.make("aws:apigatewayv2/api:Api", protocolType="HTTP")
        given = {
            "apiId": self.api.id,
            "integrationType": "HTTP_PROXY",
            "integrationMethod": "ANY",
            "connectionType": "VPC_LINK",
            "connectionId": self.link.id,
            "integrationUri": self.listener.id,
            "payloadFormatVersion": "1.0",
            "requestParameters": OVERWRITE,
        }
        self.integration = deploy.make("aws:apigatewayv2/integration:Integration", **{**given, **changes})
        target = f"integrations/{self.integration.id}"
        route = {"apiId": self.api.id, "routeKey": "ANY /{path+}", "target": target}
        deploy.make("aws:apigatewayv2/route:Route", **route)
        stage = {"apiId": self.api.id, "name": "$default", "autoDeploy": True}
        self.stage = deploy.make("aws:apigatewayv2/stage:Stage", **stage)

    def open(self, direction: str, of: Made, to: Made, port: int = 80) -> Made:
        return self.deploy.make(
            f"aws:vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule",
            securityGroupId=of.id,
            referencedSecurityGroupId=to.id,
            ipProtocol="tcp",
            fromPort=port,
            toPort=port,
        )

    def call(self, method: str = "POST", path: str = "/predict", **options: Any) -> httpx.Response:
        return httpx.request(method, self.api["apiEndpoint"] + path, trust_env=False, timeout=20, **options)


@pytest.fixture
def served(deploy: Deployer, cluster: FakeCluster) -> Served:
    return Served(deploy)


def test_the_fake_cluster_keeps_the_contract() -> None:
    plane: DataPlane = FakeCluster(None)

    assert plane.listener_address("none") is None


def test_a_call_reaches_the_backend_as_the_client_sent_it(served: Served, backend: Backend) -> None:
    answer = served.call("PUT", "/v1/a%20b/c?x=1&y=a%2Fb&x=2&flag", content=b"\x00body", headers={"X-A": "b"})

    [(method, path, headers, body)] = backend.requests
    assert (answer.status_code, answer.text) == (200, "hello")
    assert (method, path, body) == ("PUT", "/v1/a%20b/c?x=1&y=a%2Fb&x=2&flag", b"\x00body")
    assert headers["x-a"] == "b"


def test_a_named_stage_is_no_part_of_the_path(deploy: Deployer, cluster: FakeCluster, backend: Backend) -> None:
    served = Served(deploy)
    deploy.make("aws:apigatewayv2/stage:Stage", apiId=served.api.id, name="live", autoDeploy=True)

    served.call("GET", "/live/predict")

    assert backend.requests[0][1] == "/predict"


def test_the_answer_reaches_the_client_with_its_headers(served: Served, backend: Backend) -> None:
    backend.answer = lambda: (429, {"Retry-After": "3", "X-Request-ID": "r", "Connection": "keep-alive"}, b"later")

    answer = served.call()

    assert (answer.status_code, answer.text) == (429, "later")
    assert (answer.headers["retry-after"], answer.headers["x-request-id"]) == ("3", "r")


def test_an_answer_that_is_compressed_stays_so(served: Served, backend: Backend) -> None:
    content = gzip.compress(b"hello" * 100)
    backend.answer = lambda: (200, {"Content-Encoding": "gzip"}, content)

    assert served.call("GET").text == "hello" * 100


def test_the_clients_address_is_told_and_beats_what_the_client_says(served: Served, backend: Backend) -> None:
    served.call(headers={"X-Source-IP": "10.9.9.9"})

    assert backend.requests[0][2]["x-source-ip"] == "127.0.0.1"


def test_parameters_are_appended_and_removed(deploy: Deployer, cluster: FakeCluster, backend: Backend) -> None:
    parameters = {
        "append:header.x-a": "$context.routeKey",
        "remove:header.x-b": "''",
        "append:querystring.z": "9",
        "overwrite:path": "/other",
    }
    served = Served(deploy, requestParameters=parameters)

    served.call(path="/predict?y=1", headers={"X-A": "1", "X-B": "2"})

    _, path, headers, _ = backend.requests[0]
    assert path == "/other?y=1&z=9"
    assert headers["x-a"] == "1,ANY /{path+}"
    assert "x-b" not in headers


def test_what_belongs_to_one_connection_stays_there(served: Served, backend: Backend) -> None:
    served.call(headers={"Connection": "close, X-Own", "X-Own": "1", "TE": "trailers", "Keep-Alive": "timeout=5"})

    assert not {"x-own", "te", "keep-alive"} & backend.requests[0][2].keys()


def test_connections_are_kept(served: Served, backend: Backend) -> None:
    for _ in range(5):
        served.call()

    assert (len(backend.requests), backend.connections) == (5, 1)


def test_a_body_above_ten_megabytes_is_too_large(served: Served, backend: Backend) -> None:
    answer = served.call(content=b"x" * (10 * 1024 * 1024 + 1))

    assert answer.status_code == 413
    assert backend.requests == []


def test_an_answer_above_ten_megabytes_is_an_error(served: Served, backend: Backend) -> None:
    backend.answer = lambda: (200, {}, b"x" * (10 * 1024 * 1024 + 1))

    assert served.call("GET").status_code == 500


def test_a_slow_backend_is_cut_off_at_the_timeout(deploy: Deployer, cluster: FakeCluster, backend: Backend) -> None:
    served = Served(deploy, timeoutMilliseconds=100)
    backend.sleeps(2)

    started = time.monotonic()
    answer = served.call()

    assert (answer.status_code, answer.json()) == UNAVAILABLE
    assert time.monotonic() - started < 1.5


def test_a_backend_that_is_not_there_is_not_available(served: Served, backend: Backend, cluster: FakeCluster) -> None:
    cluster.address = f"127.0.0.1:{free_port()}"
    served.listener.cloud.resume(served.listener.type, served.listener.id, served.listener.outputs)

    answer = served.call()

    assert (answer.status_code, answer.json()) == UNAVAILABLE


def test_a_listener_that_moved_is_found(served: Served, backend: Backend, cluster: FakeCluster) -> None:
    other = Backend()
    cluster.address = other.address

    served.listener.cloud.resume(served.listener.type, served.listener.id, served.listener.outputs)
    served.call()

    assert (len(other.requests), len(backend.requests)) == (1, 0)
    other.close()


def refused(served: Served) -> tuple[int, dict[str, str], Any]:
    mark = served.deploy.world.denials.mark()
    answer = served.call()
    [denial] = served.deploy.world.denials.since(mark)
    return answer.status_code, answer.json(), denial


def test_groups_that_do_not_pair_refuse_it_and_the_denial_is_told(
    deploy: Deployer, cluster: FakeCluster, backend: Backend
) -> None:
    served = Served(deploy, pairs=False)

    status, body, denial = refused(served)

    assert (status, body) == UNAVAILABLE
    assert str(denial) == f"VPC link {served.link.id} may not connect:tcp/80 on {served.listener.id}"
    assert backend.requests == []


@pytest.mark.parametrize("side", ["Egress", "Ingress"])
def test_each_side_is_needed(deploy: Deployer, cluster: FakeCluster, side: str) -> None:
    served = Served(deploy, pairs=False)
    pair = (served.from_group, served.to_group)
    served.open(side, *(pair if side == "Egress" else reversed(pair)))

    assert refused(served)[:2] == UNAVAILABLE


def test_another_port_is_not_enough(deploy: Deployer, cluster: FakeCluster) -> None:
    served = Served(deploy, pairs=False)
    served.open("Egress", served.from_group, served.to_group)
    served.open("Ingress", served.to_group, served.from_group, port=8080)

    assert refused(served)[:2] == UNAVAILABLE


def test_addresses_of_the_subnets_will_do_for_a_group(deploy: Deployer, cluster: FakeCluster) -> None:
    served = Served(deploy, pairs=False)
    served.open("Egress", served.from_group, served.to_group)
    rule = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    given = {"securityGroupId": served.to_group.id, "ipProtocol": "-1"}

    deploy.make(rule, cidrIpv4="10.40.1.0/24", **given)
    half = served.call().status_code
    deploy.make(rule, cidrIpv4="10.40.0.0/16", **given)

    assert (half, served.call().status_code) == (503, 200)


def test_a_listener_of_another_network_is_not_reached(deploy: Deployer, cluster: FakeCluster) -> None:
    served, other = Served(deploy), vpc(deploy)
    link = deploy.make("aws:apigatewayv2/vpcLink:VpcLink", subnetIds=[subnet(deploy, other).id])
    served.integration.update({**served.integration.inputs, "connectionId": link.id})

    assert refused(served)[:2] == UNAVAILABLE


def test_a_link_and_a_listener_that_are_gone_are_an_error(served: Served) -> None:
    served.link.delete()
    status, _, denial = refused(served)
    assert (status, denial.resource) == (500, f"vpclinks/{served.link.id}")

    again = served.deploy.make(served.link.type, **served.link.inputs)
    served.integration.update({**served.integration.inputs, "connectionId": again.id})
    served.listener.delete()

    assert refused(served)[0] == 500


def test_the_cluster_is_told_of_listeners_and_of_changed_checks(served: Served, cluster: FakeCluster) -> None:
    arn = served.listener.id
    first = cluster.open[arn]

    served.targets.update({**served.targets.inputs, "healthCheck": {**HEALTH, "interval": 5}})

    given = {"enabled": True, "healthyThreshold": 3, "timeout": 10, "unhealthyThreshold": 3}
    assert first == (served.targets.id, {**HEALTH, **given})
    assert cluster.open[arn][1]["interval"] == 5
    assert (read_json(served.deploy.world.home / FILE) or {})[arn] == cluster.address


def test_a_deleted_listener_is_closed_and_forgotten(served: Served, cluster: FakeCluster) -> None:
    served.listener.delete()

    assert served.listener.id not in cluster.open
    assert served.listener.id not in (read_json(served.deploy.world.home / FILE) or {})


def test_a_target_group_in_use_is_not_deleted(served: Served) -> None:
    with pytest.raises(RefusedError, match="still forwards to it"):
        served.targets.delete()


def test_a_protected_load_balancer_is_not_deleted(served: Served) -> None:
    served.balancer.update({**served.balancer.inputs, "enableDeletionProtection": True})

    with pytest.raises(RefusedError, match="`enableDeletionProtection`"):
        served.balancer.delete()


def test_names_are_those_of_network_load_balancers(served: Served) -> None:
    assert ":loadbalancer/net/nlb-" in served.balancer["arn"]
    assert ":listener/net/nlb-" in served.listener["arn"]
    assert served.balancer["arnSuffix"].startswith("net/nlb-")
    assert served.balancer["vpcId"] == served.vpc.id


def test_the_way_through_the_api_costs_little(
    served: Served, backend: Backend, record_property: Callable[[str, object], None]
) -> None:
    with httpx.Client(trust_env=False) as client:

        def milliseconds(url: str) -> float:
            times = []
            for _ in range(150):
                started = time.perf_counter()
                assert client.post(url, json={"text": "hello"}).status_code == 200
                times.append((time.perf_counter() - started) * 1000)
            return statistics.median(times[30:])

        direct, through = milliseconds(f"http://{backend.address}/a"), milliseconds(served.api["apiEndpoint"] + "/a")

    record_property(
        "measured", f"HTTP API through a VPC link: {through:.2f} ms, the backend alone {direct:.2f} ms (p50)"
    )
    assert through - direct < 20  # other tests share the CPUs; the measured figure is printed
