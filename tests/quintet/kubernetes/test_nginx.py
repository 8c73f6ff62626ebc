"""The declared nginx.conf on this machine: what is written otherwise, and that a reload costs nobody a request."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from quintet.sandbox.kubernetes import fronts
from quintet.sandbox.kubernetes.errors import InvalidObjectError
from quintet.sandbox.kubernetes.nginx import NOBODY, Place, statements, translate
from quintet.sandbox.kubernetes.nginx_rules import read_rules
from tests.ports import free_port
from tests.quintet.kubernetes.conftest import Load, Running, deployment, eventually, service, thing

FRONT_PORT = 8080
CONFIG = """
# a comment with a brace { and a ; in it
worker_processes 2;
pid /tmp/nginx.pid;
user nginx;
error_log /dev/stderr warn;
events { worker_connections 256; }
http {
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  log_format json escape=json '{"status":$status,"route":"$uri",'
    '"variant":"$variant"}';
  access_log /dev/stdout json;
  set_real_ip_from 10.0.0.0/16;
  real_ip_header x-source-ip;
  keepalive_timeout 400s;
  resolver 172.20.0.10 valid=5s ipv6=off;
  resolver_timeout 2s;
  upstream stable {
    zone stable 64k; least_conn; server web.shop.svc.cluster.local:8000 resolve max_fails=0;
    keepalive 8; keepalive_timeout 30s;
  }
  upstream canary { zone canary 64k; server canary.shop.svc.cluster.local:8000 resolve; }
  map $http_x_request_id $correlation { default $request_id; "~^[A-Za-z0-9._-]{1,64}$" $http_x_request_id; }
  split_clients "$http_x_api_key" $variant { 50% canary; * stable; }
  proxy_http_version 1.1; proxy_set_header Connection "";
  proxy_next_upstream error timeout http_502 http_503 non_idempotent; proxy_next_upstream_tries 3;
  server {
    listen 8080 backlog=512;
    listen [::]:8080;
    location = /nginx-health { access_log off; return 200 ok; }
    location = /who { return 200 $remote_addr; }
    location = /stable { proxy_pass http://stable/; }
    location / { add_header X-Variant $variant always; proxy_pass http://$variant; }
  }
}
"""


def place(**changes: object) -> Place:
    given = {
        "address": "127.9.9.9",
        "balancer": "127.8.8.8",
        "pid_file": "/pod/nginx.pid",
        "local": lambda text: text.replace("/tmp/", "/pod/tmp/"),
        "endpoints": lambda host, port: {"web.shop.svc.cluster.local": [("127.1.1.1", port), ("127.1.1.2", port)]}.get(
            host, []
        ),
        "as_root": False,
    }
    return Place(**{**given, **changes})


def test_a_name_that_is_resolved_becomes_the_pods_behind_it() -> None:
    made = translate(CONFIG, place())

    assert "server 127.1.1.1:8000 max_fails=0; server 127.1.1.2:8000 max_fails=0;" in made
    assert NOBODY in made
    assert "resolve" not in made.replace("resolver_comment", "")


def test_the_pods_address_and_folders_take_the_places_of_the_containers() -> None:
    made = translate(CONFIG, place())

    assert "listen 127.9.9.9:8080 backlog=512;" in made
    assert "[::]" not in made
    assert "client_body_temp_path /pod/tmp/body;" in made
    assert made.startswith("pid /pod/nginx.pid;\n")
    assert made.count("pid /") == 1


@pytest.mark.parametrize(("as_root", "users"), [(True, 1), (False, 0)])
def test_workers_are_whoever_starts_nginx(as_root: bool, users: int) -> None:
    made = translate(CONFIG, place(as_root=as_root))

    assert made.count("user root;") == users
    assert "user nginx" not in made


def test_everything_else_stays_as_it_is_written() -> None:
    made = translate(CONFIG, place())

    assert '"~^[A-Za-z0-9._-]{1,64}$" $http_x_request_id;' in made
    assert "# a comment with a brace { and a ; in it" in made
    assert "keepalive 8; keepalive_timeout 30s;" in made
    assert 'split_clients "$http_x_api_key" $variant { 50% canary; * stable; }' in made


def test_clients_do_not_keep_connections_that_a_reload_would_cut() -> None:
    made = translate(CONFIG, place())

    assert "http { keepalive_timeout 0;" in made
    assert "400s" not in made


def test_words_blocks_and_lines_are_read_as_nginx_reads_them() -> None:
    found = [statement.words for statement in statements("a \"b ; {\" 'c' ${d}e;\nf { g h\\;i; } # j;\n")]

    assert found == [("a", '"b ; {"', "'c'", "${d}e"), ("f",), ("g", "h\\;i")]


@pytest.mark.parametrize(
    ("text", "told"),
    [("http {", "unexpected end of file"), ("a;\n}", 'line 2: unexpected "}"'), ("a b", "end of file")],
)
def test_a_configuration_that_cannot_be_read_is_refused(text: str, told: str) -> None:
    with pytest.raises(InvalidObjectError, match=told):
        list(statements(text))


def front(config: str = CONFIG, **more: object) -> list[dict]:
    """nginx as a Deployment of two pods with its configuration."""
    probe = {"httpGet": {"path": "/nginx-health", "port": "http"}, "periodSeconds": 1}
    container = {
        "name": "nginx",
        "image": "nginx@sha256:0",
        "command": ["nginx", "-c", "/etc/nginx/quintet/nginx.conf", "-g", "daemon off;"],
        "ports": [{"name": "http", "containerPort": FRONT_PORT}],
        "env": [],
        "readinessProbe": probe,
        "volumeMounts": [{"name": "files", "mountPath": "/etc/nginx/quintet"}, {"name": "tmp", "mountPath": "/tmp"}],
    }
    volumes = [{"name": "files", "configMap": {"name": "nginx"}}, {"name": "tmp", "emptyDir": {}}]
    return [
        thing("ConfigMap", "nginx", data={"nginx.conf": config}),
        deployment("front", container=container, pod={"volumes": volumes}, **more),
    ]


NOTICE = {"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}


@pytest.fixture(params=["nginx", "proxy"])
async def fronted(
    running: Running, tool: Callable[[str], str], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Running:
    """Two pods of the small server behind one of nginx, or behind what plays its part where the machine has none."""
    if request.param == "nginx":
        tool("nginx")
    else:
        monkeypatch.setattr(fronts, "machine_nginx", lambda: None)
    running.build("nginx", "")
    await running.apply(service(), deployment(replicas=2, environment={"VERSION": "1"}, container=NOTICE), *front())
    return running


async def url(running: Running, path: str = "/") -> str:
    [pod] = await running.pods("front")
    return f"http://{pod.address}:{pod.port}{path}"


async def test_requests_reach_every_ready_pod_through_nginx(fronted: Running) -> None:
    address = await url(fronted, "/stable")

    async with httpx.AsyncClient() as client:
        answers = [(await client.get(address)).json()["pod"] for _ in range(12)]

    assert set(answers) == {pod.name for pod in await fronted.pods()}


async def test_callers_are_kept_to_a_variant_by_their_key(fronted: Running) -> None:
    canary = deployment("canary", environment={"VERSION": "2"}, labels={"quintet/variant": "canary"})
    await fronted.apply(service("canary"), canary)
    address = await url(fronted)

    async def versions(key: str) -> set[str]:
        async with httpx.AsyncClient() as client:
            answers = [await client.get(address, headers={"x-api-key": key}) for _ in range(4)]
        assert {answer.headers["x-variant"] for answer in answers} <= {"stable", "canary"}
        return {answer.json()["version"] for answer in answers}

    await eventually(lambda: fronted.log("front").count("signal") or True)
    seen = [await versions(f"key-{number}") for number in range(12)]
    assert all(len(each) == 1 for each in seen)
    assert set().union(*seen) == {"1", "2"}


async def test_an_update_behind_nginx_costs_nobody_a_request(fronted: Running) -> None:
    address = await url(fronted, "/stable")

    async with Load(address, clients=8) as load:
        await asyncio.sleep(0.5)
        await fronted.apply(deployment(replicas=2, environment={"VERSION": "2"}, container=NOTICE))
        await asyncio.sleep(1.5)

    assert load.lost == []
    assert load.versions == {"1", "2"}
    assert len(load.answers) > 100


async def test_a_replica_that_is_killed_behind_nginx_costs_nobody_a_request(fronted: Running) -> None:
    address = await url(fronted, "/stable")
    victim = (await fronted.pods())[0]

    async with Load(address, clients=8) as load:
        await asyncio.sleep(0.5)
        os.kill(victim.pid, signal.SIGKILL)
        await asyncio.sleep(2)

    assert load.lost == []
    assert (await fronted.pods())[0].restarts == 1


async def test_many_reloads_under_load_cost_nobody_a_request(fronted: Running) -> None:
    address = await url(fronted, "/stable")

    async with Load(address, clients=8) as load:
        for replicas in (3, 2, 3, 2):
            await fronted.apply(deployment(replicas=replicas, environment={"VERSION": "1"}, container=NOTICE))
            await asyncio.sleep(0.3)

    assert load.lost == []


async def test_without_a_ready_pod_nginx_says_so_and_recovers(fronted: Running) -> None:
    address = await url(fronted, "/stable")
    for pod in await fronted.pods():
        await fronted.get(pod, "/unready")

    async def status() -> int:
        async with httpx.AsyncClient() as client:
            return (await client.get(address)).status_code

    async def unavailable() -> bool:
        return await status() == 502

    await eventually(unavailable)
    await fronted.apply(deployment(replicas=2, environment={"VERSION": "2"}, container=NOTICE))

    async def available() -> bool:
        return await status() == 200

    await eventually(available)


@pytest.mark.parametrize("fronted", ["nginx"], indirect=True)
async def test_its_log_lines_have_the_pods_name(fronted: Running) -> None:
    async with httpx.AsyncClient() as client:
        await client.get(await url(fronted, "/stable"))

    [pod] = await fronted.pods("front")
    await eventually(lambda: f'{pod.name} {{"status":200,"route":"/stable"' in fronted.log("front"))


async def test_it_ends_with_what_is_under_way_finished(fronted: Running) -> None:
    async with httpx.AsyncClient(timeout=20) as client:
        slow = asyncio.create_task(client.get(await url(fronted, "/slow/1"), headers={"x-api-key": "stable-2"}))
        await asyncio.sleep(0.3)

        await fronted.delete("Deployment", "front")

        answer = await slow
    assert answer.status_code in {200, 502}  # 502: the key is of the canary, which has no pods


async def test_a_configuration_that_nginx_refuses_fails_the_rollout_with_its_words(
    running: Running, tool: Callable[[str], str]
) -> None:
    tool("nginx")
    running.build("nginx", "")
    broken = CONFIG.replace("worker_connections", "worker_conections")

    with pytest.raises(Exception, match=r'unknown directive "worker_conections"'):
        await running.apply(*front(broken))


@pytest.mark.parametrize("fronted", ["proxy"], indirect=True)
async def test_what_stands_in_for_nginx_is_said(fronted: Running) -> None:
    [pod] = await fronted.pods("front")

    assert pod.note == "this machine has no nginx: the sandbox's own proxy plays its part"


@pytest.mark.parametrize("fronted", ["proxy"], indirect=True)
async def test_what_stands_in_for_nginx_keeps_its_limits_and_its_trust(fronted: Running) -> None:
    async with httpx.AsyncClient() as client:
        large = await client.post(await url(fronted, "/stable"), content=b"x" * 2_000_000)
        who = await client.get(await url(fronted, "/who"), headers={"x-source-ip": "203.0.113.9"})

    assert large.status_code == 413
    assert who.text == "127.0.0.1"


def test_a_key_falls_into_the_same_share_as_with_the_real_nginx(tool: Callable[[str], str], tmp_path: Path) -> None:
    nginx, port = tool("nginx"), free_port()
    (tmp_path / "nginx.conf").write_text(
        f"""pid {tmp_path}/pid; {"user root;" if os.geteuid() == 0 else ""} events {{ }}
        http {{ access_log off; client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p;
        fastcgi_temp_path {tmp_path}/f; uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;
        split_clients $http_x_key $share {{ 10% a; 25% b; * c; }}
        server {{ listen 127.0.0.1:{port}; return 200 $share; }} }}"""
    )
    rules = read_rules("http { split_clients $http_x_key $share { 10% a; 25% b; * c; } }")
    words = [nginx, "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-g", "daemon off;"]
    with subprocess.Popen(words) as process:
        transport = httpx.HTTPTransport(retries=5)
        with httpx.Client(transport=transport, base_url=f"http://127.0.0.1:{port}") as client:
            told = {f"key-{n}": client.get("/", headers={"x-key": f"key-{n}"}).text for n in range(200)}
        process.terminate()

    assert {key: rules.filled("$share", {"http_x_key": key}) for key in told} == told
    assert set(told.values()) == {"a", "b", "c"}


def test_the_real_nginx_takes_the_translation(tool: Callable[[str], str], tmp_path: Path) -> None:
    nginx = tool("nginx")
    (tmp_path / "tmp").mkdir()
    made = translate(
        CONFIG, place(pid_file=str(tmp_path / "pid"), local=lambda text: text.replace("/tmp/", f"{tmp_path}/tmp/"))
    )
    (tmp_path / "nginx.conf").write_text(made)

    checked = subprocess.run(
        [nginx, "-t", "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert checked.returncode == 0, checked.stderr
    shutil.rmtree(tmp_path / "tmp")


@pytest.mark.parametrize("fronted", ["nginx"], indirect=True)
async def test_nginx_that_ends_is_not_brought_back_by_pods_that_change(fronted: Running) -> None:
    [old] = await fronted.pods("front")
    async with httpx.AsyncClient(timeout=20) as client:
        slow = asyncio.create_task(client.get(f"http://{old.address}:{old.port}/stable"))
        removing = asyncio.create_task(fronted.delete("Deployment", "front"))

        await fronted.apply(deployment(replicas=3, environment={"VERSION": "1"}, container=NOTICE))
        await removing
        await slow

    assert not psutil.pid_exists(old.pid)
