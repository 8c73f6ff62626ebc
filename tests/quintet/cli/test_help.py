import resource
import subprocess
import sys
from pathlib import Path

import pytest

from quintet import cli
from quintet.errors import Exit

COMMANDS = ("up", "preview", "down", "status", "logs", "smoke", "rollout", "rollback", "images")


def quintet(*arguments: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "quintet", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command: str, tmp_path: Path):
    told = quintet(command, "--help", folder=tmp_path)

    assert told.returncode == 0
    assert f"Examples:\n    quintet {command}" in told.stdout


def test_the_help_lists_every_exit_code():
    for code in Exit:
        assert f" {int(code)} " in cli.app.info.epilog


def test_help_imports_neither_pulumi_nor_aws_nor_rich(tmp_path: Path):
    script = (
        "import sys; sys.argv = ['quintet', '--help']\n"
        "import quintet.__main__ as start\n"
        "try: start.main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('pulumi', 'boto3', 'rich', 'httpx', 'aiohttp', 'psutil') if name in sys.modules])\n"
    )

    told = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert told.stdout.splitlines()[-1] == "[]"


def test_help_is_quick(tmp_path: Path):
    def processor_seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        quintet("--help", folder=tmp_path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # The processor's time, not the clock's: other tests run at the same time.
    assert min(processor_seconds() for _ in range(3)) < 0.4


def test_a_command_outside_a_checkout_says_so(tmp_path: Path):
    told = quintet("status", folder=tmp_path)

    assert told.returncode == Exit.USAGE
    assert "in no checkout of Quintet" in told.stderr


def test_an_unknown_option_is_wrong_usage(tmp_path: Path):
    assert quintet("up", "--engine", "other", folder=tmp_path).returncode == Exit.USAGE


def test_a_port_that_cannot_be_is_wrong_usage(tmp_path: Path):
    told = quintet("up", "--port", "80", folder=tmp_path)

    assert told.returncode == Exit.USAGE
    assert "1024" in told.stderr


def test_an_unknown_service_is_wrong_usage_and_the_services_are_named(tmp_path: Path):
    (tmp_path / "Pulumi.yaml").write_text("name: quintet\n")

    told = quintet("up", "moderatoin", folder=tmp_path)

    assert told.returncode == Exit.USAGE
    assert "moderatoin" in told.stderr
    assert "moderation" in told.stderr
