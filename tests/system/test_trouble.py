"""Mistakes in the program and in the services show in the sandbox as on AWS; what is interrupted leaves nothing."""

import json
import os
import shutil
import signal
import time

import httpx
import psutil
import pytest

from quintet.errors import Exit
from tests.system.conftest import LiveCheckout, interrupt


def daemon_pid(checkout: LiveCheckout) -> int:
    return json.loads((checkout.home / "daemon.json").read_text())["pid"]


def test_a_missing_permission_fails_and_names_role_and_action(live: LiveCheckout):
    live.edit("stacks/moderation.py", 'decisions.write("dynamodb:BatchWriteItem")', "decisions.read()")

    up = live.up()

    assert up.returncode == Exit.FAILED, up.stdout
    assert "IAM refused" in up.stderr
    assert "may not dynamodb:BatchWriteItem on arn:aws:dynamodb:" in up.stderr
    assert "quintet-sandbox-moderation" in up.stderr or "sandbox-moderation" in up.stderr
    assert "stacks/moderation.py" in up.stderr


def test_a_function_that_cannot_start_fails_with_its_last_lines(live: LiveCheckout):
    live.edit(
        "services/moderation/app.py",
        '@router.get("/health")',
        'raise RuntimeError("a screw is loose")\n\n\n@router.get("/health")',
    )

    up = live.up()

    assert up.returncode == Exit.FAILED
    assert "checks failed, of moderation" in up.stderr
    assert "a screw is loose" in up.stderr


def test_a_wrong_environment_variable_shows(live: LiveCheckout):
    live.edit("stacks/moderation.py", '"MODEL_PREFIX": model.prefix', '"MODEL_PREFIX": "elsewhere/1/"')

    up = live.up()

    assert up.returncode == Exit.FAILED
    assert "checks failed, of moderation" in up.stderr or "IAM refused" in up.stderr


def test_a_module_that_the_image_forgets_shows(live: LiveCheckout):
    live.edit("services/moderation/Dockerfile", "COPY services/common /var/task/services/common\n", "")

    up = live.up()

    assert up.returncode == Exit.FAILED
    assert "services.common" in up.stderr


def test_a_missing_model_is_told(live: LiveCheckout):
    model, aside = live.root / "models" / "moderation", live.root / "aside"
    shutil.move(model, aside)
    try:
        up = live.up()
    finally:
        shutil.move(aside, model)

    assert up.returncode == Exit.MODEL_MISSING, up.stderr
    assert "manifest.json" in up.stderr


def test_a_killed_daemon_takes_everything_with_it_and_up_recovers(live: LiveCheckout):
    os.kill(daemon_pid(live), signal.SIGKILL)
    left = live.wait_for_no_process()

    up = live.up()

    assert left == []
    assert up.returncode == 0, up.stdout + up.stderr


def test_a_dead_emulator_is_unhealthy_in_the_status_until_the_next_up(live: LiveCheckout):
    children = psutil.Process(daemon_pid(live)).children()
    next(child for child in children if "quintet.sandbox.emulator_process" in child.cmdline()).kill()
    time.sleep(0.5)

    status = live.status()["services"]["moderation"]
    up = live.up()

    assert status["state"] == "unhealthy"
    assert "ended by itself" in status["reason"]
    assert up.returncode == 0, up.stdout + up.stderr
    assert live.status()["services"]["moderation"]["state"] == "healthy"


@pytest.mark.parametrize("line", ["Starting the emulated AWS", "Deploying", "create ", "Trying every service"])
def test_ctrl_c_at_any_moment_leaves_nothing_running(stopped: LiveCheckout, line: str):
    command = stopped.start("up", "--port", str(stopped.port), "--fresh")
    while not command.stdout.readline().startswith(line):
        assert command.poll() is None, command.stderr.read()

    _, told = interrupt(command)

    assert command.returncode == Exit.INTERRUPTED, told
    assert "Nothing runs any more" in told
    assert stopped.processes() == []


def test_what_was_interrupted_is_continued_by_the_next_up(stopped: LiveCheckout):
    command = stopped.start("up", "--port", str(stopped.port), "--fresh")
    while not command.stdout.readline().startswith("create "):
        assert command.poll() is None, command.stderr.read()
    interrupt(command)

    up = stopped.up_json()

    assert up["changes"]["same"] > 0
    assert up["services"]["moderation"]["state"] == "healthy"


def test_down_leaves_nothing_running_and_the_status_says_stopped(live: LiveCheckout):
    url = live.url("moderation")

    down = live.run("down")

    assert down.returncode == 0, down.stderr
    assert live.processes() == []
    assert live.status()["services"]["moderation"]["state"] == "stopped"
    assert "The sandbox is stopped" in live.run("smoke").stderr
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
