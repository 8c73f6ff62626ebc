"""The workarounds name what they need, and were written for the version that is installed."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from quintet.sandbox.emulator_gaps import SEEN_WITH


@pytest.mark.parametrize("name", ["_proxy_url_for", "_execute_function_proxy", "_reserved_concurrency"])
def test_a_ministack_without_what_is_replaced_is_named_with_its_version(name: str) -> None:
    code = (
        f"from ministack.services import lambda_svc; del lambda_svc.{name}\n"
        "from quintet.sandbox.emulator_process import main; main()"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert f"ministack 1.5.33 has no services.lambda_svc.{name}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_workarounds_were_written_for_the_installed_version() -> None:
    assert version("ministack") == SEEN_WITH
