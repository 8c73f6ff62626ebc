"""How the emulator starts, keeps what it was given, ends, and says why it could not."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from quintet.errors import Exit
from quintet.sandbox import emulator as module
from quintet.sandbox.emulator import Emulator, EmulatorError
from quintet.sandbox.world import World
from tests.ports import free_port
from tests.quintet.emulator.running import TRUST


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def emulator(home: Path) -> Iterator[Emulator]:
    made = Emulator(home, free_port())
    yield made
    made.stop()


def world_of(emulator: Emulator) -> World:
    return World(emulator.home, emulator.home, url=emulator.url)


def fill(world: World) -> str:
    """One resource of each service that keeps its state by itself; the id of the key."""
    world.client("s3").create_bucket(Bucket="kept-bucket")
    world.client("s3").put_object(Bucket="kept-bucket", Key="a", Body=b"data")
    key = [{"AttributeName": "id", "KeyType": "HASH"}]
    kind = [{"AttributeName": "id", "AttributeType": "S"}]
    world.client("dynamodb").create_table(
        TableName="kept", KeySchema=key, AttributeDefinitions=kind, BillingMode="PAY_PER_REQUEST"
    )
    world.client("dynamodb").put_item(TableName="kept", Item={"id": {"S": "1"}})
    world.client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument=TRUST)
    world.client("logs").create_log_group(logGroupName="/kept")
    world.client("sns").create_topic(Name="kept")
    world.client("sqs").create_queue(QueueName="kept")
    world.client("secretsmanager").create_secret(Name="kept", SecretString="s")
    world.client("ecr").create_repository(repositoryName="kept")
    world.client("cloudwatch").put_dashboard(DashboardName="kept", DashboardBody='{"widgets":[]}')
    world.client("apigatewayv2").create_api(Name="kept", ProtocolType="HTTP")
    made = world.client("kms").create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    return str(made["KeyMetadata"]["KeyId"])


def mac(world: World, key: str) -> bytes:
    answer = world.client("kms").generate_mac(KeyId=key, Message=b"fixed", MacAlgorithm="HMAC_SHA_256")
    return bytes(answer["Mac"])


def test_it_keeps_everything_over_a_restart(emulator: Emulator) -> None:
    emulator.start()
    world = world_of(emulator)
    key = fill(world)
    before = mac(world, key)

    assert emulator.stop()
    emulator.start()

    assert not emulator.unclean
    assert world.client("s3").get_object(Bucket="kept-bucket", Key="a")["Body"].read() == b"data"
    assert world.client("dynamodb").get_item(TableName="kept", Key={"id": {"S": "1"}})["Item"]
    assert world.client("iam").get_role(RoleName="kept")
    assert world.client("logs").describe_log_groups(logGroupNamePrefix="/kept")["logGroups"]
    assert world.client("sns").list_topics()["Topics"]
    assert world.client("sqs").get_queue_url(QueueName="kept")
    assert world.client("secretsmanager").get_secret_value(SecretId="kept")["SecretString"] == "s"
    assert world.client("ecr").describe_repositories(repositoryNames=["kept"])
    assert world.client("cloudwatch").get_dashboard(DashboardName="kept")
    assert world.client("apigatewayv2").get_apis()["Items"]
    assert mac(world, key) == before


def test_a_killed_emulator_is_found_unclean_once(emulator: Emulator) -> None:
    emulator.start()
    os.kill(emulator.pid or 0, signal.SIGKILL)
    while emulator.alive:
        time.sleep(0.01)

    assert not emulator.stop()
    emulator.start()
    assert emulator.unclean

    emulator.stop()
    emulator.start()
    assert not emulator.unclean


def test_what_was_made_a_moment_before_a_kill_is_not_lost(emulator: Emulator) -> None:
    emulator.start()
    saved = emulator.home / "emulator" / "sns.json"
    world_of(emulator).client("sns").create_topic(Name="kept")

    deadline = time.monotonic() + 10
    while not (saved.exists() and "kept" in saved.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(emulator.pid or 0, signal.SIGKILL)
    while emulator.alive:
        time.sleep(0.01)
    emulator.start()

    assert emulator.unclean
    assert world_of(emulator).client("sns").list_topics()["Topics"]


def test_a_state_that_cannot_be_read_counts_as_unclean(emulator: Emulator) -> None:
    emulator.start()
    world_of(emulator).client("sns").create_topic(Name="lost")
    emulator.stop()
    (emulator.home / "emulator" / "sns.json").write_text("{")

    emulator.start()

    assert emulator.unclean


def test_a_port_in_use_is_named_with_its_holder(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(EmulatorError) as error:
            Emulator(home, port).start()

    assert error.value.exit_code == Exit.PORT_IN_USE
    assert f"Port {port} is in use by" in error.value.message
    assert f"pid {os.getpid()}" in error.value.message
    assert "--port" in error.value.advice
    assert not home.exists()


def test_an_emulator_that_dies_at_start_shows_the_end_of_its_log(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Emulator._environment
    monkeypatch.setattr(Emulator, "_environment", lambda self: real(self) | {"GATEWAY_PORT": "many"})

    with pytest.raises(EmulatorError) as error:
        emulator.start()

    assert error.value.exit_code == Exit.EMULATOR_DIED
    assert "ended with exit code" in error.value.message
    assert "invalid literal for int() with base 10: 'many'" in error.value.message
    assert str(emulator.log) in error.value.advice
    assert not emulator.alive


def test_an_emulator_that_cannot_load_its_state_does_not_run_without_it(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Emulator._environment
    monkeypatch.setattr(Emulator, "_environment", lambda self: real(self) | {"MINISTACK_WORKER_THREADS": "many"})

    with pytest.raises(EmulatorError, match="could not load its state"):
        emulator.start()

    assert not emulator.alive


def test_a_foreign_emulator_on_the_port_is_not_taken_for_the_own_one(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one takes the port in the moment between the look and the start."""
    foreign = Emulator(tmp_path / "other", emulator.port)
    foreign.start()
    monkeypatch.setattr(Emulator, "_require_free_port", lambda self: None)
    try:
        with pytest.raises(EmulatorError, match="ended with exit code"):
            emulator.start()
    finally:
        foreign.stop()


def test_a_full_disk_is_told_before_anything_starts(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FREE_BYTES", 1 << 62)

    with pytest.raises(EmulatorError) as error:
        emulator.start()

    assert error.value.exit_code == Exit.NO_SPACE
    assert "No space left" in error.value.message
    assert not emulator.alive


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(EmulatorError, match="cannot write to"):
        Emulator(tmp_path / "file" / "home", free_port()).start()


def test_state_that_could_not_be_saved_counts_as_unclean(emulator: Emulator) -> None:
    emulator.start()
    world_of(emulator).client("sns").create_topic(Name="lost")
    (emulator.home / "emulator" / "sns.json.tmp").mkdir()  # where the state would be written first

    assert not emulator.stop()
    emulator.start()

    assert emulator.unclean


def test_it_ends_and_saves_when_its_parent_is_killed(home: Path) -> None:
    port = free_port()
    code = (
        "import sys, time; from pathlib import Path; from quintet.sandbox.emulator import Emulator\n"
        f"e = Emulator(Path({str(home)!r}), {port}); e.start(); print(e.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = psutil.Process(int(parent.stdout.readline()))
    World(home, home, url=f"http://127.0.0.1:{port}").client("sns").create_topic(Name="kept")

    parent.kill()
    parent.wait()

    child.wait(10)
    assert "kept" in (home / "emulator" / "sns.json").read_text()
    parent.stdout.close()


def test_it_binds_this_machine_only_and_keeps_its_files_at_home(emulator: Emulator) -> None:
    emulator.start()

    process = psutil.Process(emulator.pid)
    listening = [c for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]

    assert [c.laddr for c in listening] == [("127.0.0.1", emulator.port)]
    assert (emulator.home / "emulator" / "tmp" / f"ministack-{emulator.port}.pid").is_file()
    assert os.getpgid(process.pid) == process.pid != os.getpgid(0)


def test_nothing_of_the_users_environment_reaches_it(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    monkeypatch.setenv("AWS_PROFILE", "a profile that does not exist")

    emulator.start()

    environment = psutil.Process(emulator.pid).environ()
    assert environment["AWS_ACCESS_KEY_ID"] == "test"
    assert "AWS_PROFILE" not in environment
    assert world_of(emulator).client("sts").get_caller_identity()["Account"] == "123456789012"


def test_a_large_log_is_put_aside(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_BYTES", 10)
    emulator.log.parent.mkdir(parents=True)
    emulator.log.write_text("x" * 11)

    emulator.start()

    assert emulator.log.with_suffix(".log.1").read_text() == "x" * 11
    assert "x" not in emulator.log.read_text()[:5]


def test_stopping_twice_is_no_error(emulator: Emulator) -> None:
    emulator.start()

    assert emulator.stop()
    assert emulator.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(emulator.url, trust_env=False)


def test_the_log_of_refused_calls_lies_at_home(emulator: Emulator) -> None:
    emulator.start()

    httpx.post(emulator.url, headers={"X-Amz-Target": "DynamoDB_20120810.ListTables"}, content="{}", trust_env=False)

    lines = (emulator.home / "logs" / "denials.jsonl").read_text().splitlines()
    assert json.loads(lines[0]).keys() == {"time", "principal", "action", "resource"}
