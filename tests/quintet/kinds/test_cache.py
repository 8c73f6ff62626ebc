"""A serverless cache as its clients see it: a real server, over TLS, for the declared users."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from quintet.sandbox.caches import CacheError, Caches, User
from quintet.sandbox.kinds.calls import RefusedError
from quintet.sandbox.world import World
from tests.quintet.kinds.cache_lives import ACCESS, PASSWORD, cache, user, users
from tests.quintet.kinds.deploying import Deployer, Made

CACHE = "aws:elasticache/serverlessCache:ServerlessCache"


@pytest.fixture(autouse=True, scope="module")
def server(tool: Callable[..., str]) -> None:
    tool("redis-server")


@pytest.fixture(scope="module")
def made(world: World, server: None) -> Iterator[Made]:
    deploy = Deployer(world)
    made = deploy.make(CACHE, **cache(deploy))
    yield made
    made.delete()


def client(made: Made, *, password: str = PASSWORD, **options: Any) -> redis.Redis:
    trusted = made.cloud._world.caches.trust()["SSL_CERT_FILE"]
    address = made["endpoints"][0]["address"]
    url = f"rediss://service:{password}@{address}:6379/0"
    return redis.Redis.from_url(url, ssl_ca_certs=trusted, decode_responses=True, **options)


def servers(folder: Path) -> list[psutil.Process]:
    """The processes of caches whose data lies in a folder."""
    found = [each for each in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(each.info["cmdline"] or ())]
    return [each for each in found if each.status() != psutil.STATUS_ZOMBIE]


def test_what_is_written_is_read_by_the_declared_user_over_tls(made: Made) -> None:
    with client(made) as connected:
        connected.set("a", "1", ex=60)

        assert connected.get("a") == "1"
        assert 0 < connected.ttl("a") <= 60


def test_a_client_that_trusts_only_public_authorities_does_not_connect(made: Made) -> None:
    address = made["endpoints"][0]["address"]
    plain = redis.Redis.from_url(f"rediss://service:{PASSWORD}@{address}:6379/0")

    with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        plain.ping()


def test_a_client_trusts_it_by_the_environment_that_the_sandbox_gives(made: Made, deploy: Deployer) -> None:
    address = made["endpoints"][0]["address"]
    code = f"import redis; print(redis.Redis.from_url('rediss://service:{PASSWORD}@{address}:6379/0').ping())"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **deploy.world.caches.trust()},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.stdout == "True\n", done.stderr


def test_without_tls_nothing_answers(made: Made) -> None:
    with pytest.raises(redis.ConnectionError):
        redis.Redis(made["endpoints"][0]["address"], 6379, socket_timeout=2).ping()


def test_a_wrong_password_and_another_user_are_refused(made: Made) -> None:
    with pytest.raises(redis.AuthenticationError):
        client(made, password="something-else-entirely").ping()
    trusted = made.cloud._world.caches.trust()["SSL_CERT_FILE"]
    address = made["endpoints"][0]["address"]
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(address, ssl=True, ssl_ca_certs=trusted, password=PASSWORD).ping()


def test_what_the_user_may_not_do_is_refused(made: Made) -> None:
    with client(made) as connected:
        for command in ("FLUSHALL", "CONFIG GET maxmemory", "KEYS *"):
            with pytest.raises(redis.exceptions.NoPermissionError):
                connected.execute_command(command)


def test_keys_of_several_slots_fail_together_as_on_aws(made: Made) -> None:
    with client(made) as connected, pytest.raises(redis.RedisError, match=r"CROSSSLOT|hash to the same slot"):
        connected.mget("a", "b")


def test_a_client_of_clusters_finds_every_slot_at_the_declared_address(made: Made, deploy: Deployer) -> None:
    address = made["endpoints"][0]["address"]
    trusted = deploy.world.caches.trust()["SSL_CERT_FILE"]

    with redis.RedisCluster.from_url(f"rediss://service:{PASSWORD}@{address}:6379/0", ssl_ca_certs=trusted) as cluster:
        cluster.set("a", "1")

        assert {node.host for node in cluster.get_nodes()} == {address}


def test_another_password_is_known_at_once_and_the_old_one_is_not(deploy: Deployer) -> None:
    one = user(deploy)
    made = deploy.make(CACHE, **cache(deploy, userGroupId=users(deploy, one).id))

    one.update({**one.inputs, "passwords": ["another-long-password"]})

    assert client(made, password="another-long-password").ping()
    with pytest.raises(redis.AuthenticationError):
        client(made).ping()
    made.delete()


def test_after_a_restart_it_answers_at_the_same_address(made: Made, deploy: Deployer) -> None:
    deploy.world.caches.stop()
    with pytest.raises(redis.ConnectionError):
        client(made).ping()

    made.cloud.resume(CACHE, made.id, made.outputs)

    assert client(made).ping()


def test_a_deleted_cache_leaves_neither_process_nor_file(deploy: Deployer) -> None:
    made = deploy.make(CACHE, **cache(deploy))
    folder = deploy.world.home / "emulator" / "caches" / "of" / made.id
    assert servers(folder)

    made.delete()

    assert servers(folder) == []
    assert not folder.exists()


def test_a_killed_sandbox_takes_its_caches_along(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom quintet.sandbox.caches import Caches\n"
        f"Caches(Path({str(tmp_path)!r})).open('a', [], 0)\nprint('open', flush=True)\ntime.sleep(60)\n"
    )
    sandbox = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert sandbox.stdout
    assert sandbox.stdout.readline() == b"open\n"
    assert servers(tmp_path)

    sandbox.send_signal(signal.SIGKILL)
    sandbox.communicate()

    deadline = time.monotonic() + 10
    while servers(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert servers(tmp_path) == []


def test_rights_that_the_server_does_not_know_are_told(tmp_path: Path) -> None:
    caches = Caches(tmp_path)
    caches.put_user("one", User.of("service", "on ~* +@nonsense", [PASSWORD]))

    with pytest.raises(CacheError, match=r"ended at once: .*nonsense"):
        caches.open("a", ["one"], 0)


def test_no_password_is_in_any_file(made: Made, deploy: Deployer) -> None:
    client(made).ping()

    files = [path for path in (deploy.world.home / "emulator").rglob("*") if path.is_file()]

    assert files
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []


def test_without_a_server_it_is_declared_only_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    caches = Caches(tmp_path / "caches")

    endpoint = caches.open("a", [], 0)

    assert endpoint.address.startswith("127.")
    assert caches.missing
    assert "caches are declared only" in caplog.text
    assert "caches are declared only" in caches.missing


def test_it_holds_what_is_declared_and_evicts_beyond(tmp_path: Path) -> None:
    caches = Caches(tmp_path)
    caches.put_user("one", User.of("service", "on ~* +@all", [PASSWORD]))
    endpoint = caches.open("a", ["one"], 4 * 1024**2)
    trusted = caches.trust()["SSL_CERT_FILE"]
    connected = redis.Redis.from_url(f"rediss://service:{PASSWORD}@{endpoint.address}:6379", ssl_ca_certs=trusted)

    for number in range(200):
        connected.set(f"k{number}", b"x" * 50_000, ex=60)

    assert connected.get("k199")
    assert connected.get("k0") is None
    connected.close()
    caches.stop()


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"engine": "memcached"}, "allowed: redis, valkey"),
    ({"name": "a_b"}, "letters, digits and single hyphens"),
    ({"cacheUsageLimits": {"dataStorage": {"maximum": 1, "unit": "MB"}}}, "allowed: GB"),
    ({"cacheUsageLimits": {"storage": {}}}, "does not realise `storage`"),
]


@pytest.mark.parametrize(("changes", "message"), MISTAKES)
def test_what_aws_would_refuse_is_refused(deploy: Deployer, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception, match=message):
        deploy.make(CACHE, **cache(deploy, **changes))


def test_a_user_of_redis_alone_is_refused_without_the_default_one(deploy: Deployer) -> None:
    one = user(deploy, engine="redis")

    with pytest.raises(RefusedError, match='`userName` "default"'):
        deploy.make("aws:elasticache/userGroup:UserGroup", userGroupId="u", engine="redis", userIds=[one.id])


@pytest.mark.parametrize(("passwords", "message"), [(["short"], "5 characters"), ([], "needs `passwords`")])
def test_a_password_that_aws_does_not_take_is_refused(deploy: Deployer, passwords: list[str], message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        user(deploy, passwords=passwords, accessString=ACCESS)


def test_a_preview_starts_nothing(world: World) -> None:
    empty = World(world.root, world.home)

    assert "caches" not in empty.__dict__
