"""A network load balancer: to whom it forwards, what it takes for healthy, and how it lets go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from quintet.sandbox.kubernetes.addresses import Addresses
from quintet.sandbox.kubernetes.load_balancer import LoadBalancers
from quintet.sandbox.kubernetes.targets import HealthCheck, TargetGroup, group_of, matches
from tests.quintet.kubernetes.conftest import PORT, Load, Running, deployment, eventually, service, thing

LISTENER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/net/a/b/c"
GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/b"
HTTP = {"protocol": "HTTP", "path": "/readyz", "matcher": "200", "interval": 0.2, "timeout": 0.5, "healthyThreshold": 2,
        "unhealthyThreshold": 2, "port": "traffic-port", "enabled": True}  # fmt: skip


def binding() -> dict[str, Any]:
    spec = {"targetGroupARN": GROUP, "serviceRef": {"name": "front", "port": 80}, "targetType": "ip"}
    return thing("TargetGroupBinding", "front", spec=spec) | {"apiVersion": "eks.amazonaws.com/v1"}


@pytest.fixture
async def bound(running: Running) -> Running:
    """Two pods of the small server as targets of a listener."""
    await asyncio.to_thread(running.cluster.add_listener, LISTENER, GROUP, HTTP)
    front = service("front", headless=False, selector={"app": "web"}, ports=[{"port": 80, "targetPort": "http"}])
    await running.apply(front, binding(), deployment(replicas=2))
    return running


def states(running: Running) -> list[str]:
    return [target.state for target in running.cluster.target_health(GROUP)]


def address(running: Running) -> str:
    return f"http://{running.cluster.listener_address(LISTENER)}/"


async def ask(url: str) -> dict[str, Any]:
    async with httpx.AsyncClient(timeout=5) as client:
        return (await client.get(url)).json()


async def test_a_listener_leads_to_the_ready_pods_of_the_bound_service_in_turns(bound: Running) -> None:
    await eventually(lambda: states(bound) == ["healthy", "healthy"])

    answers = [(await ask(address(bound)))["pod"] for _ in range(4)]

    assert {target.port for target in bound.cluster.target_health(GROUP)} == {PORT}
    assert set(answers) == {pod.name for pod in await bound.pods()}


async def test_a_pod_that_is_gone_gets_no_new_connection(bound: Running) -> None:
    await eventually(lambda: states(bound) == ["healthy", "healthy"])

    await bound.apply(deployment(replicas=1))

    await eventually(lambda: len(states(bound)) == 1)
    [left] = await bound.pods()
    assert {(await ask(address(bound)))["pod"] for _ in range(4)} == {left.name}


async def test_an_update_behind_a_load_balancer_costs_no_request(bound: Running) -> None:
    await eventually(lambda: states(bound) == ["healthy", "healthy"])
    notice = {"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}
    await bound.apply(deployment(replicas=2, container=notice))

    async with Load(address(bound), clients=4, keeps_alive=False) as load:
        await asyncio.sleep(0.3)
        await bound.apply(deployment(replicas=2, container=notice, environment={"VERSION": "2"}))
        await asyncio.sleep(0.3)

    assert load.lost == []
    assert load.versions == {"", "2"}


async def test_a_kept_connection_to_a_target_that_ends_is_closed(balancers: LoadBalancers) -> None:
    target = Server()
    async with await target.start():
        balancers.put_group(GROUP, checked())
        balancers.register(GROUP, "test", [("127.0.0.1", target.port)])
        host, _, port = (await balancers.put_listener(LISTENER, GROUP)).partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /health HTTP/1.1\r\n\r\n")

        async with asyncio.timeout(5):
            answer = await reader.read()

    assert answer.startswith(b"HTTP/1.1 200")
    assert reader.at_eof()
    writer.close()


async def test_a_binding_that_is_deleted_takes_its_targets_along(bound: Running) -> None:
    await bound.delete("TargetGroupBinding", "front")

    assert states(bound) == []
    with pytest.raises(httpx.TransportError):
        await ask(address(bound))


async def test_a_listener_that_is_removed_is_closed(bound: Running) -> None:
    url = address(bound)

    await asyncio.to_thread(bound.cluster.remove_listener, LISTENER)
    await asyncio.to_thread(bound.cluster.remove_listener, LISTENER)

    assert bound.cluster.listener_address(LISTENER) is None
    with pytest.raises(httpx.ConnectError):
        await ask(url)


async def test_a_binding_of_another_kind_of_target_is_refused(running: Running) -> None:
    instance = binding()
    instance["spec"]["targetType"] = "instance"

    with pytest.raises(Exception, match=r"`spec\.targetType` is ip"):
        await running.apply(instance)


class Server:
    """A target that answers each connection by what it is told to."""

    def __init__(self) -> None:
        self.status, self.asked, self.peers = 200, 0, set[str]()
        self.port = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers.add(writer.get_extra_info("peername")[0])
        line = await reader.readline()
        if b"/health" in line:
            self.asked += 1
            writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\n\r\n".encode())
        else:
            writer.write(line.upper() + await reader.read())
        await writer.drain()
        writer.close()


@pytest.fixture
async def balancers() -> AsyncIterator[LoadBalancers]:
    made = LoadBalancers(Addresses())
    yield made
    await made.stop()


def checked(**changes: Any) -> TargetGroup:
    given = {"protocol": "HTTP", "path": "/health", "matcher": "200", "interval_seconds": 0.1, "timeout_seconds": 0.5,
             "healthy_threshold": 2, "unhealthy_threshold": 2}  # fmt: skip
    return TargetGroup(check=HealthCheck(**{**given, **changes}))


async def exchange(address: str, sent: bytes) -> bytes:
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    writer.write_eof()
    received = await reader.read()
    writer.close()
    return received


async def test_bytes_go_both_ways_until_both_sides_have_ended(balancers: LoadBalancers) -> None:
    target = Server()
    async with await target.start():
        balancers.put_group(GROUP, checked())
        balancers.register(GROUP, "test", [("127.0.0.1", target.port)])
        opened = await balancers.put_listener(LISTENER, GROUP)

        received = await exchange(opened, b"hello\n" + b"x" * 3_000_000)

    assert received == b"HELLO\n" + b"x" * 3_000_000
    assert balancers.source in target.peers


async def test_a_target_becomes_unhealthy_and_healthy_again_by_its_thresholds(balancers: LoadBalancers) -> None:
    target = Server()
    async with await target.start():
        balancers.put_group(GROUP, checked())
        balancers.register(GROUP, "test", [("127.0.0.1", target.port)])
        [watched] = balancers.targets(GROUP)
        first = watched.state
        await eventually(lambda: watched.state == "healthy")
        asked = target.asked

        target.status = 503
        await eventually(lambda: watched.state == "unhealthy")
        reason = watched.reason
        target.status = 200
        await eventually(lambda: watched.state == "healthy")

    assert (first, asked >= 2) == ("initial", True)
    assert "/health answers 503, expected 200" in reason


async def test_healthy_targets_are_preferred_and_without_any_all_are_tried(balancers: LoadBalancers) -> None:
    good, bad = Server(), Server()
    bad.status = 500
    async with await good.start(), await bad.start():
        balancers.put_group(GROUP, checked())
        balancers.register(GROUP, "test", [("127.0.0.1", good.port), ("127.0.0.1", bad.port)])
        states = {target.port: target for target in balancers.targets(GROUP)}
        await eventually(lambda: states[good.port].state == "healthy" and states[bad.port].state == "unhealthy")
        group = balancers._groups[GROUP]
        healthy = {group.next().port for _ in range(6)}

        good.status = 500
        await eventually(lambda: states[good.port].state == "unhealthy")
        failing_open = {group.next().port for _ in range(6)}

    assert healthy == {good.port}
    assert failing_open == {good.port, bad.port}


async def test_a_target_that_nobody_listens_at_closes_the_connection(balancers: LoadBalancers) -> None:
    balancers.put_group(GROUP, checked(protocol="TCP"))
    balancers.register(GROUP, "test", [("127.0.0.1", 9)])
    opened = await balancers.put_listener(LISTENER, GROUP)
    [target] = balancers.targets(GROUP)

    with suppress(ConnectionError):
        assert await exchange(opened, b"hello\n") == b""

    await eventually(lambda: target.state == "unhealthy" or "TCP 127.0.0.1:9" in target.reason)


@pytest.mark.parametrize(
    ("status", "matcher", "expected"),
    [(200, "200", True), (204, "200,204", True), (302, "200-399", True), (404, "200-399", False)],
)
def test_a_matcher_is_numbers_and_ranges(status: int, matcher: str, expected: bool) -> None:
    assert matches(status, matcher) is expected


def test_a_health_check_that_is_off_still_connects() -> None:
    assert group_of({"enabled": False, "protocol": "HTTP", "port": "traffic-port"}).check.protocol == "TCP"


def test_a_health_check_may_have_a_port_of_its_own() -> None:
    assert group_of({"protocol": "HTTP", "port": "9000", "path": "/x"}).check.port == 9000
