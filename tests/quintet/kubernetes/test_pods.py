"""Pods are processes: their environment, their probes, their restarts and their end."""

import asyncio
import base64
import os
import signal
import socket
import time

import httpx
import psutil
import pytest

from quintet.sandbox.kubernetes.errors import KubernetesError, RolloutError
from tests.quintet.kubernetes.conftest import NAMESPACE, PORT, Running, deployment, eventually, thing


async def test_a_pod_answers_at_an_address_of_its_own_at_the_declared_port(running: Running) -> None:
    made = await running.apply(deployment(replicas=2))

    pods = await running.pods()
    answers = [await running.get(pod, "/") for pod in pods]
    assert made["status"]["availableReplicas"] == 2
    assert len({pod.address for pod in pods}) == 2
    assert all(pod.address.startswith("127.") and pod.address != "127.0.0.1" and pod.port == PORT for pod in pods)
    assert [answer["pod"] for answer in answers] == [pod.name for pod in pods]


async def test_a_pod_is_there_within_a_second_or_two(running: Running) -> None:
    began = time.monotonic()

    await running.apply(deployment())

    assert time.monotonic() - began < 5


async def test_the_environment_is_what_is_declared_and_the_stand_ins(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-user")
    secret = base64.b64encode(b"hidden").decode()
    await running.apply(
        thing("ConfigMap", "settings", data={"COLOUR": "red", "SIZE": "1"}),
        thing("Secret", "keys", data={"KEY": secret}, stringData={"OTHER": "plain"}),
    )
    container = {
        "envFrom": [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "keys"}, "prefix": "S_"}],
        "env": [
            {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "SIZE", "value": "2"},
            {"name": "BOTH", "value": "$(COLOUR)-$(SIZE)-$$(SIZE)-$(NOBODY)"},
            {"name": "THREADS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "ABSENT", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "no", "optional": True}}},
        ],
        "resources": {"limits": {"cpu": "1500m"}},
    }
    await running.apply(deployment(container=container))

    [pod] = await running.pods()
    found = await running.get(pod, "/environment")
    declared = {
        "FROM_IMAGE": "1", "COLOUR": "red", "SIZE": "2", "S_KEY": "hidden", "S_OTHER": "plain", "HOST": pod.address,
        "BOTH": "red-2-$(SIZE)-$(NOBODY)", "THREADS": "2", "APP": "web",
    }  # fmt: skip
    stand_ins = {
        "PATH",
        "HOME",
        "HOSTNAME",
        "TMPDIR",
        "AWS_ENDPOINT_URL",
        "AWS_EC2_METADATA_DISABLED",
        "QUINTET_SANDBOX",
    }
    assert {name: found[name] for name in declared} == declared
    assert found.keys() - declared.keys() - {"LC_CTYPE"} == stand_ins


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"container": {"envFrom": [{"configMapRef": {"name": "no"}}]}}, 'configmap "no" not found'),
        ({"container": {"envFrom": [{"secretRef": {"name": "no"}}]}}, 'secret "no" not found'),
        (
            {"container": {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "map", "key": "no"}}}]}},
            "configmap map has no key 'no'",
        ),
        ({"pod": {"serviceAccountName": "nobody"}}, 'serviceaccount "nobody" not found'),
        ({"container": {"image": "other@sha256:1"}}, "no image other@sha256:1 was built"),
        ({"container": {"command": ["no-such-program"]}}, 'exec: "no-such-program": executable file not found'),
        (
            {
                "pod": {"volumes": [{"name": "v", "configMap": {"name": "no"}}]},
                "container": {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
            },
            'configmap "no" not found',
        ),
    ],
    ids=["configmap", "secret", "key", "account", "image", "program", "volume"],
)
async def test_what_a_pod_refers_to_and_does_not_exist_keeps_it_from_starting(
    running: Running, changes: dict, told: str
) -> None:
    await running.apply(thing("ConfigMap", "map", data={"A": "1"}))

    with pytest.raises(RolloutError, match="cannot be made") as raised:
        await running.apply(deployment(**changes))

    assert told in str(raised.value)
    assert [pod.ready for pod in await running.pods()] == [False]


async def test_a_reference_that_comes_later_is_found(running: Running) -> None:
    container = {
        "envFrom": [{"configMapRef": {"name": "late"}}],
        "env": deployment()["spec"]["template"]["spec"]["containers"][0]["env"],
    }
    waiting = asyncio.create_task(running.apply(deployment(container=container)))
    await asyncio.sleep(0.2)

    await running.apply(thing("ConfigMap", "late", data={"COLOUR": "blue"}))

    assert (await waiting)["status"]["availableReplicas"] == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"container": {"tty": True}}, r"containers\[0\]\.tty`: the sandbox does not run this field"),
        ({"pod": {"initContainers": [{}]}}, r"spec\.initContainers`: the sandbox does not run this field"),
        ({"pod": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}}, r"volumes\[0\]\.hostPath"),
        ({"container": {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}}, "mounts the volume v, which the"),
        ({"container": {"readinessProbe": {"httpGet": {"port": "web"}}}}, "asks the port 'web', which the container"),
        ({"spec": {"selector": {"matchLabels": {"app": "x"}}}}, "`selector` does not match template `labels`"),
        ({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}}}, "no pod could ever be"),
        ({"spec": {"paused": True}}, r"spec\.paused`: the sandbox does not run"),
    ],
)  # fmt: skip
async def test_what_the_sandbox_does_not_run_is_refused_by_its_path(running: Running, changes: dict, told: str) -> None:
    with pytest.raises(KubernetesError, match=told):
        await running.apply(deployment(**changes))

    assert await running.pods() == []


async def test_an_object_of_a_namespace_that_does_not_exist_is_refused(running: Running) -> None:
    stray = thing("ConfigMap", "map", data={})
    stray["metadata"]["namespace"] = "elsewhere"

    with pytest.raises(KubernetesError, match='namespaces "elsewhere" not found'):
        await running.apply(stray)


async def test_volumes_are_folders_and_a_path_in_arguments_and_variables_names_them(running: Running) -> None:
    await running.apply(thing("ConfigMap", "files", data={"greeting.txt": "hello"}))
    pod = {"volumes": [{"name": "files", "configMap": {"name": "files"}}, {"name": "tmp", "emptyDir": {}}]}
    mounts = [{"name": "files", "mountPath": "/etc/files"}, {"name": "tmp", "mountPath": "/tmp"}]
    container = {"volumeMounts": mounts, "args": ["python", "-m", "server", "--file=/etc/files/greeting.txt"]}
    await running.apply(deployment(pod=pod, container=container, environment={"FILE": "/etc/files/greeting.txt"}))

    [made] = await running.pods()
    environment, where = await running.get(made, "/environment"), await running.get(made, "/where")
    option = where["arguments"][0].removeprefix("--file=")
    assert await running.get(made, f"/file{environment['FILE']}") == "hello"
    assert option == environment["FILE"] != "/etc/files/greeting.txt"
    assert environment["TMPDIR"].startswith(str(running.folder))


async def test_a_process_that_was_killed_is_started_again_in_its_pod(running: Running) -> None:
    await running.apply(deployment())
    [before] = await running.pods()

    os.kill(before.pid, signal.SIGKILL)

    async def back() -> bool:
        [now] = await running.pods()
        return now.ready and now.restarts == 1

    await eventually(back)
    [after] = await running.pods()
    assert (after.name, after.address) == (before.name, before.address)
    assert after.pid != before.pid


async def test_a_process_that_hangs_is_restarted_by_its_liveness_probe(running: Running) -> None:
    probe = {
        "httpGet": {"path": "/livez", "port": "http"},
        "periodSeconds": 0.3,
        "failureThreshold": 2,
        "timeoutSeconds": 0.3,
    }
    await running.apply(deployment(container={"livenessProbe": probe}, pod={"terminationGracePeriodSeconds": 1}))
    [before] = await running.pods()

    await running.get(before, "/hang")

    async def back() -> bool:
        [now] = await running.pods()
        return now.ready and now.restarts == 1

    await eventually(back)
    assert "restarted by the sandbox: LivenessProbe" in running.log()


async def test_a_startup_probe_holds_the_others_off(running: Running) -> None:
    startup = {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1, "failureThreshold": 10}
    liveness = {"httpGet": {"path": "/livez", "port": "http"}, "periodSeconds": 0.2, "failureThreshold": 1}
    container = {"startupProbe": startup, "livenessProbe": liveness}

    await running.apply(deployment(container=container, environment={"START_SECONDS": "1.5"}))

    [pod] = await running.pods()
    assert (pod.ready, pod.restarts) == (True, 0)


async def test_a_startup_probe_that_never_holds_restarts_the_container(running: Running) -> None:
    startup = {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 0.2, "failureThreshold": 2}
    container = {"startupProbe": startup}

    with pytest.raises(RolloutError, match=r"restarted 3 times.*StartupProbe"):
        await running.apply(deployment(container=container, environment={"BROKEN": "ready"}))


async def test_a_pod_that_says_it_is_not_ready_leaves_its_service_and_is_not_restarted(running: Running) -> None:
    await running.apply(deployment())
    [before] = await running.pods()

    await running.get(before, "/unready")

    async def unready() -> bool:
        return not (await running.pods())[0].ready

    await eventually(unready)
    [after] = await running.pods()
    assert (after.pid, after.restarts) == (before.pid, 0)
    assert "answers HTTP 503" in after.reason


async def test_a_container_that_ends_again_and_again_waits_longer_each_time_and_fails_the_rollout(
    running: Running,
) -> None:
    with pytest.raises(RolloutError) as raised:
        await running.apply(deployment(environment={"BROKEN": "start"}))

    told = str(raised.value)
    assert "has a container that was restarted 3 times" in told
    assert "I cannot start: no screws" in told

    async def waiting() -> bool:
        return "CrashLoopBackOff" in (await running.pods())[0].reason

    await eventually(waiting)


async def test_a_container_that_takes_more_memory_than_its_limit_is_killed(running: Running) -> None:
    hungry = (
        "import os, time\nprint('eating', flush=True)\nkept = bytearray(os.urandom(1) * 120_000_000)\ntime.sleep(600)"
    )
    running.build("hungry", hungry)
    container = {"image": "hungry@sha256:0", "resources": {"limits": {"memory": "64Mi"}}}

    with pytest.raises(RolloutError, match=r"OOMKilled: it used \d+ MiB of the 64 MiB"):
        await running.apply(deployment(container=container))


async def test_sigterm_lets_a_request_under_way_finish(running: Running) -> None:
    await running.apply(deployment())
    [pod] = await running.pods()
    slow = asyncio.create_task(running.get(pod, "/slow/1"))
    await asyncio.sleep(0.3)

    await running.delete("Deployment", "web")

    assert (await slow)["pod"] == pod.name
    assert "drained" in running.log()
    assert not psutil.pid_exists(pod.pid)


async def test_what_does_not_end_within_its_grace_is_killed(running: Running) -> None:
    stubborn = SERVER_THAT_IGNORES_SIGTERM
    running.build("stubborn", stubborn)
    pod = {"terminationGracePeriodSeconds": 1}
    await running.apply(deployment(container={"image": "stubborn@sha256:0", "readinessProbe": None}, pod=pod))
    [made] = await running.pods()
    await eventually(lambda: "deaf" in running.log())
    began = time.monotonic()

    await running.delete("Deployment", "web")

    assert 0.9 < time.monotonic() - began < 5
    assert not psutil.pid_exists(made.pid)


async def test_the_notice_before_the_end_is_kept_in_an_update(running: Running) -> None:
    hook = {"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}
    await running.apply(deployment(container=hook))
    [old] = await running.pods()

    await running.apply(deployment(container=hook, environment={"VERSION": "2"}))

    leaving = [pod for pod in await running.pods(leaving=True) if pod.name == old.name]
    assert [(pod.ready, pod.reason) for pod in leaving] == [(False, "Terminating")]
    assert (await running.get(old, "/"))["pod"] == old.name
    await eventually(lambda: not psutil.pid_exists(old.pid))


async def test_the_log_has_the_name_of_the_pod_in_every_line(running: Running) -> None:
    await running.apply(deployment())

    [pod] = await running.pods()
    lines = running.log().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [f"{pod.name} listening"]


async def test_a_namespace_takes_what_lies_in_it_along(running: Running) -> None:
    await running.apply(deployment(), thing("ConfigMap", "map", data={}))
    [pod] = await running.pods()

    await running.delete("Namespace", NAMESPACE, "")

    assert await running.pods(leaving=True) == []
    assert not psutil.pid_exists(pod.pid)
    assert await asyncio.to_thread(running.cluster.get, "ConfigMap", NAMESPACE, "map") is None


async def test_a_port_that_is_taken_on_every_address_is_told(running: Running) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        ports = [{"name": "http", "containerPort": port}]
        spec = {"progressDeadlineSeconds": 1}

        with pytest.raises(RolloutError, match=f"another process listens on port {port} of all addresses"):
            await running.apply(deployment(container={"ports": ports}, spec=spec))


SERVER_THAT_IGNORES_SIGTERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""


async def test_nothing_is_left_when_the_cluster_stops(running: Running) -> None:
    hook = {"lifecycle": {"preStop": {"sleep": {"seconds": 60}}}}
    await running.apply(deployment(replicas=2, container=hook), service_account := thing("ServiceAccount", "a"))
    assert service_account
    pods = await running.pods()
    began = time.monotonic()

    await running.cluster.stop()

    assert time.monotonic() - began < 8
    assert [pod.pid for pod in pods if psutil.pid_exists(pod.pid)] == []
    assert list((running.folder / "scratch").iterdir()) == []
    with pytest.raises(httpx.ConnectError):
        await running.get(pods[0], "/")


async def test_a_pod_that_runs_and_is_not_ready_fails_with_its_errors_and_not_with_its_chatter(
    running: Running,
) -> None:
    chatty = (
        'import time\nprint(\'{"level":"ERROR","message":"no model"}\', flush=True)\n'
        "while True:\n    print('asked', flush=True)\n    time.sleep(0.01)"
    )
    running.build("chatty", chatty)

    with pytest.raises(RolloutError) as raised:
        await running.apply(deployment(container={"image": "chatty@sha256:0"}, spec={"progressDeadlineSeconds": 1}))

    assert "no model" in str(raised.value)
    assert "asked\n" not in str(raised.value)
