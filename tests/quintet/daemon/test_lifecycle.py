"""One daemon a checkout: started, found, restarted and ended by the command."""

import json
import os
import signal
import stat
import subprocess
import sys
import time

import psutil
import pytest

from tests.quintet.daemon.conftest import MakeCheckout
from tests.quintet.small_checkout import SmallCheckout


def record(checkout: SmallCheckout) -> dict:
    return json.loads((checkout.home / "daemon.json").read_text())


def emulator_of(checkout: SmallCheckout) -> psutil.Process:
    children = psutil.Process(record(checkout)["pid"]).children()
    return next(child for child in children if "quintet.sandbox.emulator_process" in child.cmdline())


def bucket_exists(checkout: SmallCheckout) -> bool:
    state = json.loads((checkout.home / "state.json").read_text())
    name = next(item["outputs"]["bucket"] for item in state["resources"] if item["type"] == "aws:s3/bucket:Bucket")
    return (checkout.home / "s3").exists() and any(path.name == name for path in (checkout.home / "s3").rglob("*"))


def test_down_leaves_no_process(checkout: SmallCheckout):
    up = checkout.up()

    down = checkout.run("down")

    assert (up.returncode, down.returncode) == (0, 0), up.stderr + down.stderr
    assert checkout.processes() == []
    assert "stopped" in down.stdout


def test_the_second_up_keeps_the_daemon_and_changes_nothing(checkout: SmallCheckout):
    checkout.up()
    pid = record(checkout)["pid"]

    again = checkout.up("--json")

    assert record(checkout)["pid"] == pid
    assert set(json.loads(again.stdout)["changes"]) == {"same"}


def test_only_this_user_can_read_how_to_reach_the_daemon(checkout: SmallCheckout):
    checkout.up()

    mode = stat.S_IMODE((checkout.home / "daemon.json").stat().st_mode)

    assert mode == 0o600


def test_a_second_daemon_does_not_start(checkout: SmallCheckout):
    checkout.up()

    command = [sys.executable, "-m", "quintet.sandbox.daemon", str(checkout.root), str(checkout.home)]
    second = subprocess.run(command, cwd=checkout.root, capture_output=True, text=True, timeout=60, check=False)

    assert second.returncode == 7
    assert "Another daemon" in second.stderr


def test_a_daemon_of_older_code_is_replaced(checkout: SmallCheckout):
    checkout.up()
    old = record(checkout)
    (checkout.home / "daemon.json").write_text(json.dumps({**old, "fingerprint": "of older code"}))

    up = checkout.up()

    assert "The code of quintet has changed" in up.stdout
    assert record(checkout)["pid"] != old["pid"]
    assert not psutil.pid_exists(old["pid"])


def test_what_a_killed_daemon_started_ends_and_up_recovers(checkout: SmallCheckout):
    checkout.up()
    os.kill(record(checkout)["pid"], signal.SIGKILL)
    left = checkout.wait_for_no_process()

    up = checkout.up()

    assert left == []
    assert up.returncode == 0, up.stderr
    assert bucket_exists(checkout)


def test_status_does_not_trust_the_pid_of_a_killed_daemon(checkout: SmallCheckout):
    checkout.up()
    old = record(checkout)
    checkout.run("down")
    (checkout.home / "daemon.json").write_text(json.dumps({**old, "pid": os.getpid()}))

    status = checkout.run("status", "--json")

    assert status.returncode == 0, status.stderr
    assert json.loads(status.stdout)["stack"] == "sandbox"


def test_the_daemon_outlives_a_killed_command(make_checkout: MakeCheckout):
    checkout = make_checkout("import time, pulumi\ntime.sleep(2)\npulumi.export('endpoints', {})\n")
    command = checkout.start("up", "--port", str(checkout.port))
    wait_for(lambda: "Deploying" in command.stdout.readline())

    command.kill()
    command.communicate()
    again = checkout.up()

    assert again.returncode in {0, 7}, again.stderr
    wait_for(lambda: checkout.up().returncode == 0)


def test_a_dead_emulator_shows_and_up_brings_back_what_it_held(checkout: SmallCheckout):
    checkout.up()
    emulator_of(checkout).kill()
    wait_for(lambda: not bucket_process_answers(checkout))

    up = checkout.up()

    assert up.returncode == 0, up.stderr
    assert "ended without saving" in up.stdout
    assert bucket_process_answers(checkout)


def bucket_process_answers(checkout: SmallCheckout) -> bool:
    return any("quintet.sandbox.emulator_process" in process.cmdline() for process in checkout.processes())


def test_two_checkouts_run_side_by_side(make_checkout: MakeCheckout):
    one, other = make_checkout(), make_checkout()

    ups = [one.up(), other.up()]
    urls = [json.loads(each.run("status", "--json").stdout)["aws"]["endpoint_url"] for each in (one, other)]

    assert [up.returncode for up in ups] == [0, 0]
    assert urls == [f"http://127.0.0.1:{one.port}", f"http://127.0.0.1:{other.port}"]


def test_the_port_is_kept_over_a_restart(checkout: SmallCheckout):
    checkout.up()
    checkout.run("down")

    up = checkout.run("up", "--json")

    assert json.loads(up.stdout)["aws"]["endpoint_url"] == f"http://127.0.0.1:{checkout.port}"


def test_purge_deletes_what_the_sandbox_kept_and_nothing_else(checkout: SmallCheckout):
    checkout.up()
    (checkout.home / "mine.txt").write_text("kept")

    checkout.run("down", "--purge")

    assert [path.name for path in checkout.home.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("moment", ["at once", "while the daemon starts", "while it deploys"])
def test_ctrl_c_leaves_nothing_running(make_checkout: MakeCheckout, moment: str):
    checkout = make_checkout("import time, pulumi\nimport pulumi_aws\ntime.sleep(3)\npulumi.export('endpoints', {})\n")
    command = checkout.start("up", "--port", str(checkout.port))
    if moment == "while the daemon starts":
        wait_for((checkout.home / "logs" / "daemon.log").exists)
    elif moment == "while it deploys":
        wait_for(lambda: "Deploying" in command.stdout.readline())
    else:
        time.sleep(0.4)

    command.send_signal(signal.SIGINT)
    output, errors = command.communicate(timeout=60)

    assert command.returncode == 130, output + errors
    assert checkout.processes() == []
    assert "Traceback" not in errors


def test_a_second_ctrl_c_does_not_keep_the_first_from_stopping_everything(make_checkout: MakeCheckout):
    checkout = make_checkout("import time, pulumi\ntime.sleep(3)\npulumi.export('endpoints', {})\n")
    command = checkout.start("up", "--port", str(checkout.port))
    wait_for(lambda: "Deploying" in command.stdout.readline())

    for _ in range(4):
        command.send_signal(signal.SIGINT)
        time.sleep(0.1)
    output, errors = command.communicate(timeout=60)

    assert command.returncode == 130, output + errors
    assert "Traceback" not in errors
    assert checkout.processes() == []


def wait_for(holds, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
