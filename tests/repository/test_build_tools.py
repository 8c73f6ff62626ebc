import os
import shutil
import subprocess
from pathlib import Path

import pytest

VERSION = "3.250.0"

COMPILES = """
[ "$1" = env ] && echo go1.99.0 && exit
echo "go: downloading example.com/module v1.0.0" >&2
for package in $(seq 250); do echo "example.com/package$package" >&2; done
while [ "$1" != -o ]; do shift; done
echo "$PWD $CGO_ENABLED" > "$2" && chmod +x "$2"
"""
FAILS = """
[ "$1" = env ] && echo go1.99.0 && exit
echo "verifying module: checksum mismatch" >&2
exit 1
"""


class Machine:
    """A machine that has the ordinary commands, and of Go and Pulumi what a test gives it."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.binaries, self.home, checkout = folder / "bin", folder / "home", folder / "checkout"
        self.home.mkdir()
        self.binaries.mkdir()
        for name in ("awk", "bash", "dirname", "env", "head", "mkdir", "mktemp", "mv", "rm", "seq", "sort", "chmod"):
            (self.binaries / name).symlink_to(str(shutil.which(name)))
        checkout.mkdir()
        shutil.copytree(repository / "tools", checkout / "tools")
        self.script = checkout / "tools" / "build-tools"
        self.environment = {"PATH": str(self.binaries), "HOME": str(self.home)}

    def has(self, name: str, script: str) -> None:
        path = self.binaries / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def has_pulumi(self, version: str) -> None:
        self.has("pulumi", f'[ "$1" = version ] && echo {version}')

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.script, *arguments],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def cache(self) -> Path:
        return self.home / ".cache" / "quintet" / "tools" / f"pulumi-{VERSION}"


@pytest.fixture
def machine(tmp_path: Path, repository: Path) -> Machine:
    return Machine(tmp_path, repository)


def test_without_pulumi_and_go_it_says_what_to_install(machine: Machine) -> None:
    result = machine.run()

    assert result.returncode == 8
    assert "neither the Pulumi CLI (3.250.0 or newer) nor Go is on PATH" in result.stderr
    assert not (machine.home / ".cache").exists()


@pytest.mark.parametrize("version", ["v3.250.0", "v3.1000.2", "v4.0.0"])
def test_a_pulumi_that_is_new_enough_is_taken(machine: Machine, version: str) -> None:
    machine.has_pulumi(version)

    built, path = machine.run(), machine.run("--path")

    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    assert (path.returncode, path.stdout) == (0, f"{machine.binaries}\n")


@pytest.mark.parametrize("version", ["v3.249.9", "v3.99.0", ""])
def test_an_old_pulumi_is_named_and_not_taken(machine: Machine, version: str) -> None:
    machine.has_pulumi(version)

    result = machine.run()

    assert result.returncode == 8
    assert f"{machine.binaries}/pulumi is {version.lstrip('v') or 'of no known version'}; 3.250.0" in result.stderr


def test_an_old_go_is_refused_before_anything_is_loaded(machine: Machine) -> None:
    machine.has("go", "echo go1.19.8")

    result = machine.run()

    assert result.returncode == 8
    assert f"needs Go 1.25.11 or newer to build; '{machine.binaries}/go' is 1.19.8" in result.stderr
    assert not (machine.home / ".cache").exists()


def test_it_is_built_once_into_the_cache_with_progress(machine: Machine) -> None:
    machine.has("go", COMPILES)

    first, second, path = machine.run(), machine.run(), machine.run("--path")

    assert first.returncode == 0
    assert "building the Pulumi CLI 3.250.0 with Go 1.99.0" in first.stderr
    assert "downloading modules\n  200 packages compiled" in first.stderr
    assert (machine.cache / "pulumi").read_text() == f"{machine.script.parent} 0\n"
    assert (second.returncode, second.stderr) == (0, "")
    assert (path.returncode, path.stdout) == (0, f"{machine.cache}\n")


def test_the_cache_goes_where_the_user_keeps_caches(machine: Machine, tmp_path: Path) -> None:
    machine.has("go", COMPILES)

    machine.run(XDG_CACHE_HOME=str(tmp_path / "caches"))

    assert (tmp_path / "caches" / "quintet" / "tools" / f"pulumi-{VERSION}" / "pulumi").is_file()
    assert not machine.cache.exists()


def test_a_failed_build_shows_why_and_leaves_nothing(machine: Machine) -> None:
    machine.has("go", FAILS)

    result = machine.run()

    assert result.returncode == 8
    assert "verifying module: checksum mismatch" in result.stderr
    assert "could not be built" in result.stderr
    assert list(machine.cache.iterdir()) == []


def test_the_path_of_what_is_not_there_says_what_to_run(machine: Machine) -> None:
    result = machine.run("--path")

    assert (result.returncode, result.stdout) == (8, "")
    assert "run 'make tools'" in result.stderr


def test_a_cache_that_cannot_be_written_is_named(machine: Machine, tmp_path: Path) -> None:
    machine.has("go", COMPILES)
    occupied = tmp_path / "file"
    occupied.touch()

    result = machine.run(XDG_CACHE_HOME=str(occupied))

    assert result.returncode == 8
    assert f"{occupied}/quintet/tools/pulumi-{VERSION} cannot be made" in result.stderr


def test_an_unknown_argument_is_refused(machine: Machine) -> None:
    result = machine.run("--where")

    assert result.returncode == 8
    assert "'--where' is no argument" in result.stderr


def test_the_version_that_is_built_is_new_enough_and_pinned_by_checksum(repository: Path) -> None:
    module, sums = ((repository / "tools" / name).read_text() for name in ("go.mod", "go.sum"))

    assert f"github.com/pulumi/pulumi/pkg/v3 v{VERSION} // indirect" in module
    assert f"github.com/pulumi/pulumi/pkg/v3 v{VERSION} h1:" in sums
    assert os.access(repository / "tools" / "build-tools", os.X_OK)
