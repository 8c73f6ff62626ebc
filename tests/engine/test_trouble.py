"""What a user is told when the real engine cannot go on, and what heals it. On a program of a few lines."""

import os
import re
import signal
import time
from collections.abc import Callable

import psutil
import pytest

from quintet.errors import Exit
from quintet.sandbox.real.language_host import NOT_RUNNING
from tests.engine.conftest import Shell
from tests.system.conftest import interrupt

WAITING = """
import time
from pathlib import Path
import pulumi
import pulumi_aws as aws
first = aws.s3.Bucket("first")
def wait(_):
    while not Path("go").exists():
        time.sleep(0.05)
    return "second"
second = aws.s3.Bucket("second", tags={"Name": first.id.apply(wait)})
pulumi.export("endpoints", {})
"""
WRONG = """
import pulumi_aws as aws
bucket = aws.s3.Bucket("data")
raise ValueError("no such thing")
"""
REFUSED = """
import pulumi_aws as aws
aws.s3.Bucket("data", bucket="Not_A_Name")
"""
TABLES = """
import pulumi_aws as aws
def table(name, key):
    attribute = {"name": key, "type": "S"}
    return aws.dynamodb.Table(name, attributes=[attribute], hash_key=key, billing_mode="PAY_PER_REQUEST")
key = "id"
table("data", key)
table("kept", "id")
"""
SECRET = """
import json
import pulumi
import pulumi_aws as aws
document = json.dumps({"Version": "2012-10-17", "Statement": []})
aws.iam.Role("data", assume_role_policy=document, description=pulumi.Output.secret("xyzzy-hunter2"))
pulumi.export("endpoints", {})
"""


def made(shell: Shell) -> list[str]:
    return [item["urn"].rpartition("::")[2] for item in shell.state() if item["type"] == "aws:s3/bucket:Bucket"]


def tables(shell: Shell) -> dict[str, str]:
    """Physical by logical name."""
    return {item["urn"].rpartition("::")[2]: item["id"] for item in shell.state() if "dynamodb" in item["type"]}


def wait_for(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.05)


def kill_pulumi(shell: Shell) -> int:
    """Kills the CLI in the middle of an update, as the kernel does when memory ends."""
    [lock] = (shell.checkout.home / "pulumi").glob(".pulumi/locks/**/*.json")
    [pid] = re.findall(r'"pid":\s*(\d+)', lock.read_text())
    os.kill(int(pid), signal.SIGKILL)
    return int(pid)


@pytest.fixture
def killed(small: Shell) -> tuple[Shell, int]:
    """A stack whose update was killed when it had made one of two buckets."""
    small.checkout.program(WAITING)
    update = small.start("exec pulumi up --yes --skip-preview --non-interactive")
    wait_for(lambda: "first" in made(small), "the first bucket")
    pid = kill_pulumi(small)
    update.communicate(timeout=30)
    (small.checkout.root / "stacks" / "go").touch()
    return small, pid


def language_hosts(shell: Shell) -> list[psutil.Process]:
    return [item for item in shell.checkout.processes() if "quintet.sandbox.real.language_host" in item.cmdline()]


def test_a_killed_pulumi_leaves_a_lock_that_pulumi_tells_and_quintet_heals(killed: tuple[Shell, int]):
    shell, pid = killed

    locked = shell.run("exec pulumi up --yes --skip-preview --non-interactive")
    healed = shell.checkout.run("up", "--engine", "pulumi")

    assert locked.returncode != 0
    assert "pulumi cancel" in locked.stderr
    assert healed.returncode == 0, healed.stdout + healed.stderr
    assert f"`pulumi` (pid {pid}) was killed" in healed.stdout
    assert sorted(made(shell)) == ["first", "second"]
    wait_for(lambda: not language_hosts(shell), "the end of the killed one's program")


def test_pulumi_cancel_frees_the_stack_of_a_killed_pulumi(killed: tuple[Shell, int]):
    shell, _ = killed

    shell.pulumi("cancel --yes")

    assert shell.change("up")["create"] == 1


def test_while_pulumi_works_quintet_waits_for_it_with_either_engine(small: Shell):
    small.checkout.program(WAITING)
    update = small.start("exec pulumi up --yes --skip-preview --non-interactive")
    wait_for(lambda: "first" in made(small), "the first bucket")

    refused = small.checkout.run("up", "--engine", "pulumi")

    (small.checkout.root / "stacks" / "go").touch()
    update.communicate(timeout=60)
    assert refused.returncode == Exit.BUSY
    assert "A `pulumi` command works on this checkout" in refused.stderr
    assert update.returncode == 0


def test_ctrl_c_stops_everything_and_leaves_no_lock(small: Shell):
    small.checkout.program(WAITING)
    up = small.checkout.start("up", "--engine", "pulumi")
    wait_for(lambda: "first" in made(small), "a bucket")

    _, errors = interrupt(up)

    (small.checkout.root / "stacks" / "go").touch()
    assert up.returncode == Exit.INTERRUPTED
    assert "Nothing runs any more" in errors
    assert small.checkout.wait_for_no_process() == []
    again = small.checkout.run("up", "--engine", "pulumi")
    assert again.returncode == 0, again.stderr
    assert "was killed" not in again.stdout


def test_a_mistake_in_the_program_is_told_with_its_line_and_no_traceback(small: Shell):
    small.checkout.program(WRONG)

    plain = small.run("exec pulumi up --yes --skip-preview --non-interactive")
    through_quintet = small.checkout.run("up", "--engine", "pulumi")

    for done in (plain, through_quintet):
        said = done.stdout + done.stderr
        assert done.returncode != 0
        assert "stacks/__main__.py:4: ValueError: no such thing" in said
        assert "Traceback" not in said


def test_what_aws_would_refuse_is_told_by_its_message_once(small: Shell):
    small.checkout.program(REFUSED)

    done = small.checkout.run("up", "--engine", "pulumi")

    assert done.returncode == Exit.FAILED
    assert done.stderr.count("Not_A_Name") == 1, done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_without_the_sandbox_pulumi_says_how_to_start_it(small: Shell):
    small.checkout.run("down")

    done = small.run("exec pulumi preview --non-interactive")

    assert done.returncode != 0
    assert NOT_RUNNING in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_secret_is_in_no_file_of_the_engine_and_in_no_log(small: Shell):
    small.checkout.program(SECRET)

    done = small.pulumi("up --yes --diff")

    files = [path for path in small.checkout.home.rglob("*") if path.is_file()]
    kept = [path for path in files if {"pulumi", "logs"} & set(path.relative_to(small.checkout.home).parts)]
    assert "[secret]" in done.stdout
    assert [path for path in kept if b"xyzzy-hunter2" in path.read_bytes()] == []
    assert "xyzzy-hunter2" not in done.stdout + done.stderr


def test_what_the_sandboxs_own_engine_has_deployed_is_refused_with_the_way_out(small: Shell):
    small.checkout.up()

    asked, up = small.run("quintet env"), small.checkout.run("up", "--engine", "pulumi")
    anew = small.checkout.run("up", "--fresh", "--engine", "pulumi")

    for done in (asked, up):
        assert done.returncode == Exit.USAGE
        assert "`quintet up --fresh --engine pulumi`" in done.stderr
    assert anew.returncode == 0, anew.stderr
    assert made(small) == ["data"]


def test_a_replaced_resource_is_made_before_the_old_one_goes_and_its_neighbour_stays(small: Shell):
    small.checkout.program(TABLES)
    small.change("up")
    before = tables(small)
    small.checkout.program(TABLES.replace('key = "id"', 'key = "other"'))

    done = small.change("up")

    after = tables(small)
    assert (done["replace"], done["same"]) == (1, 2)
    assert after["kept"] == before["kept"]
    assert after["data"].startswith("quintet-sandbox-data-")
    assert after["data"] != before["data"]
