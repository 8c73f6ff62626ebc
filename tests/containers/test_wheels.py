"""The packages of moderation's image as wheels for what Lambda runs, which is not what these tests run on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import required

LOCK = "requirements/moderation.txt"
AMAZON_LINUX_2023 = "manylinux_2_34"
"""Its C library is glibc 2.34; the base images of Lambda for Python from 3.12 on are made of it."""


def resolved(repository: Path, target: Path, platform: str) -> "subprocess.CompletedProcess[str]":
    """What uv says about installing the lock, without building anything, on another machine; nothing is installed."""
    pins = json.loads((repository / "stacks/base_images.json").read_text())
    given = ["--python-version", pins["lambda-python"]["tag"], "--python-platform", platform]
    strict = ["--dry-run", "--only-binary", ":all:", "--require-hashes", "--no-deps", "--target", str(target)]
    uv = Path(sys.prefix) / "bin" / "uv"
    command = [str(uv), "pip", "install", *strict, *given, "--requirement", LOCK]
    told = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=100, check=False)
    if "error sending request" in told.stderr and not required("registry"):
        pytest.skip("the package registry does not answer")
    return told


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_each_package_has_a_wheel_for_lambda(architecture: str, repository: Path, tmp_path: Path):
    told = resolved(repository, tmp_path, f"{architecture}-{AMAZON_LINUX_2023}")

    assert told.returncode == 0, told.stderr
    assert "onnxruntime" in told.stderr


def test_a_package_without_a_wheel_for_a_machine_is_named(repository: Path, tmp_path: Path):
    told = resolved(repository, tmp_path, "x86_64-manylinux2014")

    assert told.returncode != 0
    assert "numpy" in told.stderr
    assert "has no usable wheels" in told.stderr
