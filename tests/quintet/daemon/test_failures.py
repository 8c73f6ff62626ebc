"""Every way in which `up` can fail says what was wrong, what to do, and ends with a code of its own."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psutil
import pytest

from quintet.errors import Exit
from tests.quintet.daemon.conftest import MakeCheckout
from tests.quintet.small_checkout import BUCKET, SmallCheckout

SETTINGS_WITHOUT_A_MODEL = """
import pulumi
raise pulumi.RunError("1 setting is wrong. moderationModel = 'models/moderation': there is no manifest.json here")
"""

PROGRAM_WITHOUT_A_MODEL = """
import pulumi

class ModelError(pulumi.RunError):
    pass

raise ModelError("There is no model in models/moderation: manifest.json is missing.")
"""

SERVICE_AT = """
import pulumi
pulumi.export("endpoints", {{"moderation": {{"url": "{url}"}}}})
"""


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def broken_service(tmp_path: Path) -> Iterator[str]:
    """A service that answers its health check and nothing else."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path.endswith("/health") else 500)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the server's name

        def log_message(self, *arguments: object) -> None:
            """Keeps the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def assert_told(done: "subprocess.CompletedProcess[str]", code: Exit, *words: str) -> None:
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stdout + done.stderr
    for word in words:
        assert word in done.stderr


def test_a_taken_port_is_told_with_its_holder(checkout: SmallCheckout, taken: int):
    up = checkout.run("up", "--port", str(taken))

    assert_told(up, Exit.PORT_IN_USE, f"Port {taken} is in use", f"pid {os.getpid()}", "--port")
    assert checkout.processes() == []


def test_a_remembered_port_that_is_taken_is_not_changed_in_silence(checkout: SmallCheckout, taken: int):
    checkout.home.mkdir()
    (checkout.home / "settings.json").write_text(json.dumps({"emulator": taken, "functions": checkout.port}))

    up = checkout.run("up")

    assert_told(up, Exit.PORT_IN_USE, f"Port {taken} is in use")


@contextmanager
def listening_on(port: int) -> Iterator[None]:
    """Holds a port; another test's sandbox may have it for a while."""
    deadline = time.monotonic() + 120
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        while True:
            try:
                listener.bind(("127.0.0.1", port))
                listener.listen()
                break
            except OSError:
                assert time.monotonic() < deadline, f"port {port} was not free for two minutes"
                time.sleep(0.2)
        yield


def test_a_first_up_takes_another_port_when_the_usual_one_is_taken(checkout: SmallCheckout):
    with listening_on(4566):
        up = checkout.run("up")
        status = json.loads(checkout.run("status", "--json").stdout)

    assert up.returncode == 0, up.stderr
    assert "Port 4566 is taken" in up.stdout
    assert status["aws"]["endpoint_url"] != "http://127.0.0.1:4566"


def test_moving_to_another_port_asks_for_a_fresh_start(checkout: SmallCheckout):
    checkout.up()

    up = checkout.run("up", "--port", str(checkout.port + 1))

    assert_told(up, Exit.USAGE, "--fresh")


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_told(checkout: SmallCheckout, tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("this machine lets not even root mount a disk")
    try:
        up = checkout.up(QUINTET_HOME=str(disk / "home"))
        checkout.run("down", QUINTET_HOME=str(disk / "home"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)

    assert_told(up, Exit.NO_SPACE, "space", "QUINTET_HOME")


@pytest.mark.parametrize("program", [PROGRAM_WITHOUT_A_MODEL, SETTINGS_WITHOUT_A_MODEL])
def test_a_missing_model_is_told(make_checkout: MakeCheckout, program: str):
    checkout = make_checkout(program)

    up = checkout.up()

    assert_told(up, Exit.MODEL_MISSING, "models/moderation", "manifest.json", "git checkout")


def test_another_up_at_the_same_time_is_refused(checkout: SmallCheckout):
    checkout.home.mkdir()
    with (checkout.home / "up.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        up = checkout.up()

    assert_told(up, Exit.BUSY, "Another `quintet up`")


def test_a_second_up_is_refused_while_the_first_works(make_checkout: MakeCheckout):
    checkout = make_checkout("import time, pulumi\ntime.sleep(3)\npulumi.export('endpoints', {})\n")
    first = checkout.start("up", "--port", str(checkout.port))
    while "Deploying" not in first.stdout.readline():
        assert first.poll() is None

    second, down = checkout.up(), checkout.run("down")
    output, errors = first.communicate(timeout=60)

    assert_told(second, Exit.BUSY, "Another `quintet up`")
    assert_told(down, Exit.BUSY, "Another `quintet up`")
    assert first.returncode == 0, output + errors


def test_a_damaged_state_is_told_and_a_fresh_start_heals_it(checkout: SmallCheckout):
    checkout.up()
    (checkout.home / "state.json").write_text('{"version": 1, "resour')

    up, fresh = checkout.up(), checkout.up("--fresh")

    assert_told(up, Exit.FAILED, "is damaged", "--fresh")
    assert fresh.returncode == 0, fresh.stderr


def test_a_program_that_raises_is_told_with_its_line(make_checkout: MakeCheckout):
    checkout = make_checkout("import pulumi\nvalue = {}['absent']\n")

    up = checkout.up()

    assert_told(up, Exit.FAILED, "stacks/__main__.py:2", "KeyError")


def test_a_resource_that_fails_is_named(make_checkout: MakeCheckout):
    checkout = make_checkout(BUCKET.replace('aws.s3.Bucket("data")', 'aws.s3.Bucket("data", bucket="Not A Name")'))

    up = checkout.up()

    assert_told(up, Exit.FAILED, "aws:s3/bucket:Bucket data")


def test_an_emulator_that_dies_during_a_deployment_is_told(make_checkout: MakeCheckout):
    checkout = make_checkout("import time, pulumi\ntime.sleep(3)\n" + BUCKET)
    command = checkout.start("up", "--port", str(checkout.port))
    while "Deploying" not in command.stdout.readline():
        assert command.poll() is None
    daemon = json.loads((checkout.home / "daemon.json").read_text())["pid"]

    next(one for one in psutil.Process(daemon).children() if "quintet.sandbox.emulator_process" in one.cmdline()).kill()
    output, errors = command.communicate(timeout=60)

    told = subprocess.CompletedProcess([], command.returncode, output, errors)
    assert_told(told, Exit.EMULATOR_DIED, "ended by itself", "quintet up")


def test_a_daemon_that_dies_during_a_deployment_is_told(make_checkout: MakeCheckout):
    checkout = make_checkout("import time, pulumi\ntime.sleep(3)\n" + BUCKET)
    command = checkout.start("up", "--port", str(checkout.port))
    while "Deploying" not in command.stdout.readline():
        assert command.poll() is None

    os.kill(json.loads((checkout.home / "daemon.json").read_text())["pid"], signal.SIGKILL)
    output, errors = command.communicate(timeout=60)

    told = subprocess.CompletedProcess([], command.returncode, output, errors)
    assert_told(told, Exit.FAILED, "The sandbox's process ended", "quintet up")


def test_a_failed_check_fails_the_command_and_shows_which(make_checkout: MakeCheckout, broken_service: str):
    checkout = make_checkout(SERVICE_AT.format(url=broken_service))

    up = checkout.up()

    assert_told(up, Exit.FAILED, "checks failed, of moderation")
    assert "failed" in up.stdout


def test_a_refused_call_fails_the_command_and_names_role_and_action(make_checkout: MakeCheckout, broken_service: str):
    program = f"""
    import json, pathlib
    denials = pathlib.Path(__file__).parent.parent / ".quintet" / "logs" / "denials.jsonl"
    principal = "arn:aws:sts::123456789012:assumed-role/quintet-sandbox-moderation-0a1b2c3d/moderation"
    entry = {{"time": "2026-11-20T00:00:00+00:00", "principal": principal, "action": "dynamodb:PutItem",
             "resource": "arn:aws:dynamodb:us-east-1:123456789012:table/decisions"}}
    with denials.open("a") as file:
        file.write(json.dumps(entry) + "\\n")
    {SERVICE_AT.format(url=broken_service).strip().replace(chr(10), chr(10) + "    ")}
    """
    checkout = make_checkout(program)

    up = checkout.up()

    assert_told(up, Exit.FAILED, "quintet-sandbox-moderation-0a1b2c3d may not dynamodb:PutItem", "stacks/moderation.py")


def test_a_machine_gets_the_failure_as_json(make_checkout: MakeCheckout):
    checkout = make_checkout(PROGRAM_WITHOUT_A_MODEL)

    up = checkout.up("--json")

    assert json.loads(up.stdout)["error"]["exit_code"] == Exit.MODEL_MISSING


def test_debugging_shows_the_traceback(make_checkout: MakeCheckout):
    checkout = make_checkout("import pulumi\nvalue = {}['absent']\n")

    up = checkout.up(QUINTET_DEBUG="1")

    assert "Traceback" in up.stderr
    assert "KeyError" in up.stderr
