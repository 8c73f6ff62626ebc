"""A new version replaces the old one as its strategy declares, and an old one comes back."""

import asyncio
import os
import signal
import time

import psutil
import pytest

from quintet.sandbox.kubernetes.errors import KubernetesError, RolloutError
from tests.quintet.kubernetes.conftest import NAMESPACE, PORT, Load, Running, deployment, eventually, service, thing


def version(number: str, **more: object) -> dict:
    environment = {"VERSION": number, **more.pop("environment", {})}  # type: ignore[dict-item]
    return deployment(replicas=2, environment=environment, **more)


async def most_and_least(running: Running, end: asyncio.Event) -> tuple[int, int]:
    """The most pods and the fewest ready ones until the event."""
    most, least = 0, 1000
    while not end.is_set():
        pods = await running.pods()
        most, least = max(most, len(pods)), min(least, sum(pod.ready for pod in pods))
        await asyncio.sleep(0.01)
    return most, least


@pytest.mark.parametrize(
    ("surge", "unavailable", "at_most", "at_least"), [(1, 0, 3, 2), (0, 1, 2, 1), ("50%", "0%", 3, 2)]
)
async def test_surge_and_unavailable_are_kept(
    running: Running, surge: int | str, unavailable: int | str, at_most: int, at_least: int
) -> None:
    strategy = {"strategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}
    await running.apply(version("1", spec=strategy))
    end = asyncio.Event()
    watching = asyncio.create_task(most_and_least(running, end))

    await running.apply(version("2", spec=strategy))

    end.set()
    most, least = await watching
    assert most <= at_most
    assert least >= at_least
    assert {(await running.get(pod, "/"))["version"] for pod in await running.pods()} == {"2"}


async def test_an_update_costs_no_request_where_pods_have_notice(running: Running) -> None:
    notice = {"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}
    await running.apply(service(), version("1", container=notice))
    turns = iter(range(10**9))

    def somewhere() -> str:
        pods = [pod for pod in running.cluster.snapshot() if pod.ready]
        pod = pods[next(turns) % len(pods)]
        return f"http://{pod.address}:{pod.port}/"

    async with Load(somewhere) as load:
        await asyncio.sleep(0.3)
        await running.apply(version("2", container=notice))
        await asyncio.sleep(0.3)

    assert load.lost == []
    assert load.versions == {"1", "2"}


async def test_a_version_that_never_becomes_ready_leaves_the_old_one_in_place(running: Running) -> None:
    await running.apply(version("1"))
    before = {pod.name for pod in await running.pods()}

    with pytest.raises(RolloutError, match=r"exceeded its progress deadline of 1 s.*readyz answers HTTP 503"):
        await running.apply(version("2", environment={"BROKEN": "ready"}, spec={"progressDeadlineSeconds": 1}))

    pods = await running.pods()
    assert {pod.name for pod in pods if pod.ready} == before
    assert len(pods) == 3


async def test_a_version_that_cannot_start_fails_with_what_it_said(running: Running) -> None:
    await running.apply(version("1"))

    with pytest.raises(RolloutError) as raised:
        await running.apply(version("2", environment={"BROKEN": "start"}))

    assert "I cannot start: no screws" in str(raised.value)
    assert sum(pod.ready for pod in await running.pods()) == 2


async def test_the_old_declaration_takes_the_broken_version_away_and_keeps_the_old_pods(running: Running) -> None:
    await running.apply(version("1"))
    before = {pod.name: pod.pid for pod in await running.pods()}
    with pytest.raises(RolloutError):
        await running.apply(version("2", environment={"BROKEN": "start"}))

    await running.apply(version("1"))

    assert {pod.name: pod.pid for pod in await running.pods()} == before


async def test_a_pod_that_ends_long_after_the_rollout_does_not_fail_the_next_one(running: Running) -> None:
    declared = version("1", spec={"progressDeadlineSeconds": 1})
    await running.apply(declared)
    await asyncio.sleep(1.5)
    victim = (await running.pods())[0].pid
    assert victim is not None

    os.kill(victim, signal.SIGKILL)
    await asyncio.sleep(0.05)
    await running.apply(declared)

    pods = await running.pods()
    assert all(pod.ready and pod.pid != victim for pod in pods)


async def test_what_is_applied_unchanged_stays_as_it_is(running: Running) -> None:
    first = await running.apply(version("1"))
    before = {pod.name: pod.pid for pod in await running.pods()}

    second = await running.apply(version("1"))

    assert {pod.name: pod.pid for pod in await running.pods()} == before
    assert first["metadata"]["generation"] == second["metadata"]["generation"] == 1


async def test_a_pod_of_a_new_version_has_to_stay_ready_before_the_next_one_goes(running: Running) -> None:
    steady = {"minReadySeconds": 1}
    await running.apply(version("1", spec=steady))
    began = time.monotonic()

    await running.apply(version("2", spec=steady))

    assert time.monotonic() - began > 2


async def test_recreate_has_no_two_versions_at_once(running: Running) -> None:
    recreate = {"strategy": {"type": "Recreate"}}
    await running.apply(version("1", spec=recreate))
    old = {pod.pid for pod in await running.pods()}
    seen: list[bool] = []
    end = asyncio.Event()

    async def watch() -> None:
        while not end.is_set():
            pids = {pod.pid for pod in await running.pods() if pod.pid}
            seen.append(bool(pids - old) and any(map(psutil.pid_exists, old)))
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())

    await running.apply(version("2", spec=recreate))

    end.set()
    await watching
    assert not any(seen)
    assert len(await running.pods()) == 2


async def test_an_autoscaler_says_how_many_pods_there_are_at_least(running: Running) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    scaler = thing(
        "HorizontalPodAutoscaler", "web", spec={"scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 5}
    )
    await running.apply(deployment(replicas=None))
    alone = len(await running.pods())

    await running.apply(scaler)

    async def three() -> bool:
        return sum(pod.ready for pod in await running.pods()) == 3

    await eventually(three)
    await running.delete("HorizontalPodAutoscaler", "web")

    async def one() -> bool:
        return len(await running.pods()) == 1

    await eventually(one)
    assert alone == 1


async def test_an_autoscaler_whose_least_is_above_its_most_is_refused(running: Running) -> None:
    scaler = thing("HorizontalPodAutoscaler", "web", spec={"minReplicas": 3, "maxReplicas": 2})

    with pytest.raises(KubernetesError, match="1 <= minReplicas <= maxReplicas"):
        await running.apply(scaler)


async def test_a_declared_number_of_replicas_is_not_the_autoscalers(running: Running) -> None:
    target = {"kind": "Deployment", "name": "web"}
    await running.apply(
        thing("HorizontalPodAutoscaler", "web", spec={"scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 5}),
        deployment(replicas=1),
    )

    assert len(await running.pods()) == 1


async def test_a_replica_that_was_killed_costs_only_what_it_had_under_way(running: Running) -> None:
    await running.apply(version("1"))
    [first, second] = await running.pods()

    os.kill(first.pid, signal.SIGKILL)

    async def one_left() -> bool:
        return [pod.ready for pod in await running.pods()].count(True) == 1

    await eventually(one_left)
    assert (await running.get(second, "/"))["version"] == "1"

    async def both() -> bool:
        return all(pod.ready for pod in await running.pods())

    await eventually(both)


async def test_a_service_without_pods_fails_as_pulumi_waits_for_one(running: Running) -> None:
    awaited = service()
    del awaited["metadata"]["annotations"]

    with pytest.raises(RolloutError, match=r'no ready pod.*pulumi.com/skipAwait: "true"'):
        await running.apply(awaited)


async def test_a_service_waits_for_pods_that_come(running: Running) -> None:
    awaited = service()
    del awaited["metadata"]["annotations"]
    waiting = asyncio.create_task(running.apply(awaited))

    await running.apply(deployment())

    assert (await waiting)["metadata"]["name"] == "web"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"type": "LoadBalancer"}, "Services of the type ClusterIP"),
        ({"ports": []}, "`spec.ports` names none"),
        ({"externalName": "x"}, r"spec\.externalName`: the sandbox does not run"),
    ],
)
async def test_a_service_that_the_sandbox_does_not_run_is_refused(running: Running, spec: dict, told: str) -> None:
    with pytest.raises(KubernetesError, match=told):
        await running.apply(service(**spec))


async def test_whoever_waits_is_told_when_the_sandbox_stops(running: Running) -> None:
    waiting = asyncio.create_task(running.apply(version("1", environment={"BROKEN": "ready"})))
    await eventually(lambda: "listening" in running.log())

    running.cluster.interrupt()

    with pytest.raises(KubernetesError, match=f"the sandbox stops; the rollout of Deployment {NAMESPACE}/web is not"):
        await waiting


async def test_the_ports_of_a_service_lead_to_the_ports_of_its_ready_pods(running: Running) -> None:
    await running.apply(
        service(),
        service("front", headless=False, selector={"app": "web"}, ports=[{"port": 80, "targetPort": "http"}]),
        service("astray", headless=False, selector={"app": "web"}, ports=[{"port": 80, "targetPort": "no"}]),
        version("1"),
    )

    addresses = sorted((pod.address, PORT) for pod in await running.pods())
    assert running.cluster._at(NAMESPACE, "web", PORT) == addresses
    assert running.cluster._at(NAMESPACE, "front", 80) == addresses
    assert running.cluster._at(NAMESPACE, "front", PORT) == []
    assert running.cluster._at(NAMESPACE, "astray", 80) == []
    assert running.cluster._at(NAMESPACE, "nobody", 80) == []
