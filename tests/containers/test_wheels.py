"""The packages of each image as wheels for what runs it, which is not what these tests run on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import required
from tests.containers.shipped import MODERATION, SENTIMENT, Service

AMAZON_LINUX_2023 = "manylinux_2_34"
"""Its C library is glibc 2.34; the base images of Lambda for Python from 3.12 on are made of it."""
DEBIAN_12 = "manylinux_2_36"
"""Its C library is glibc 2.36; the slim images of Python are made of it or of a later one."""


def resolved(repository: Path, target: Path, service: Service, platform: str) -> "subprocess.CompletedProcess[str]":
    """What uv says about installing the lock, without building anything, on another machine; nothing is installed."""
    pins = json.loads((repository / "stacks/base_images.json").read_text())
    python = pins[service.base.replace("_", "-")]["tag"].removesuffix("-slim")
    given = ["--python-version", python, "--python-platform", platform]
    strict = ["--dry-run", "--only-binary", ":all:", "--require-hashes", "--no-deps", "--target", str(target)]
    uv = Path(sys.prefix) / "bin" / "uv"
    command = [str(uv), "pip", "install", *strict, *given, "--requirement", service.lock]
    told = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=100, check=False)
    if "error sending request" in told.stderr and not required("registry"):
        pytest.skip("the package registry does not answer")
    return told


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    ("service", "system"),
    [(MODERATION, AMAZON_LINUX_2023), (SENTIMENT, DEBIAN_12)],
    ids=lambda value: getattr(value, "name", value),
)
def test_each_package_has_a_wheel_for_where_it_runs(
    service: Service, system: str, architecture: str, repository: Path, tmp_path: Path
):
    told = resolved(repository, tmp_path, service, f"{architecture}-{system}")

    assert told.returncode == 0, told.stderr
    assert "onnxruntime" in told.stderr


def test_a_package_without_a_wheel_for_a_machine_is_named(repository: Path, tmp_path: Path):
    told = resolved(repository, tmp_path, MODERATION, "x86_64-manylinux2014")

    assert told.returncode != 0
    assert "numpy" in told.stderr
    assert "has no usable wheels" in told.stderr
