import os
import shutil
import subprocess
from pathlib import Path

import pytest

VERSION = "3.250.0"
VERSIONS = {"pulumi": VERSION, "kube-apiserver": "1.33.4"}

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

    def has_kube_apiserver(self, version: str) -> None:
        self.has("kube-apiserver", f'[ "$1" = --version ] && echo Kubernetes {version}')

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
        return self.cache_of("pulumi")

    def cache_of(self, tool: str) -> Path:
        return self.home / ".cache" / "quintet" / "tools" / f"{tool}-{VERSIONS[tool]}"


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

    built, path = machine.run("pulumi"), machine.run("--path")

    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    assert (path.returncode, path.stdout) == (0, f"{machine.binaries}\n")


@pytest.mark.parametrize("version", ["v1.33.0", "v1.34.1-eks-1a2b", "v2.0.0"])
def test_an_api_server_that_is_new_enough_is_taken(machine: Machine, version: str) -> None:
    machine.has_kube_apiserver(version)

    built, path = machine.run("kube-apiserver"), machine.run("--path", "kube-apiserver")

    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    assert (path.returncode, path.stdout) == (0, f"{machine.binaries}\n")


@pytest.mark.parametrize("version", ["v1.32.9", "v1.4.0"])
def test_an_old_api_server_is_named_and_not_taken(machine: Machine, version: str) -> None:
    machine.has_kube_apiserver(version)

    result = machine.run("kube-apiserver")

    assert result.returncode == 8
    assert f"{machine.binaries}/kube-apiserver is {version[1:]}; 1.33.0 or newer is needed" in result.stderr
    assert "Install kube-apiserver, or Go 1.24.0 to build it here" in result.stderr


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
    assert "building the Kubernetes API server 1.33.4 with Go 1.99.0" in first.stderr
    assert first.stderr.count("downloading modules\n  200 packages compiled") == 2
    assert (machine.cache / "pulumi").read_text() == f"{machine.script.parent} 0\n"
    assert (second.returncode, second.stderr) == (0, "")
    assert (path.returncode, path.stdout) == (0, f"{machine.cache}\n")


def test_each_is_built_from_the_module_that_pins_it(machine: Machine) -> None:
    machine.has("go", COMPILES)

    machine.run()

    server = machine.cache_of("kube-apiserver") / "kube-apiserver"
    assert server.read_text() == f"{machine.script.parent}/kube-apiserver 0\n"
    path = machine.run("--path", "kube-apiserver")
    assert path.stdout == f"{server.parent}\n"


@pytest.mark.parametrize(("one", "other"), [("pulumi", "kube-apiserver"), ("kube-apiserver", "pulumi")])
def test_one_alone_can_be_asked_for(machine: Machine, one: str, other: str) -> None:
    machine.has("go", COMPILES)

    result = machine.run(one)

    assert result.returncode == 0
    assert machine.cache_of(one).is_dir()
    assert not machine.cache_of(other).exists()


def test_the_cache_goes_where_the_user_keeps_caches(machine: Machine, tmp_path: Path) -> None:
    machine.has("go", COMPILES)

    machine.run(XDG_CACHE_HOME=str(tmp_path / "caches"))

    assert (tmp_path / "caches" / "quintet" / "tools" / f"pulumi-{VERSION}" / "pulumi").is_file()
    assert not machine.cache.exists()


@pytest.mark.parametrize(
    ("tool", "title"), [("pulumi", "the Pulumi CLI"), ("kube-apiserver", "the Kubernetes API server")]
)
def test_a_failed_build_shows_why_and_leaves_nothing(machine: Machine, tool: str, title: str) -> None:
    machine.has("go", FAILS)

    result = machine.run(tool)

    assert result.returncode == 8
    assert "verifying module: checksum mismatch" in result.stderr
    assert f"{title} could not be built" in result.stderr
    assert list(machine.cache_of(tool).iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "title"), [((), "Pulumi CLI"), (("pulumi",), "Pulumi CLI"), (("kube-apiserver",), "Kubernetes API")]
)
def test_the_path_of_what_is_not_there_says_what_to_run(
    machine: Machine, arguments: tuple[str, ...], title: str
) -> None:
    result = machine.run("--path", *arguments)

    assert (result.returncode, result.stdout) == (8, "")
    assert f"there is no {title}" in result.stderr
    assert "run 'make tools'" in result.stderr


def test_a_cache_that_cannot_be_written_is_named(machine: Machine, tmp_path: Path) -> None:
    machine.has("go", COMPILES)
    occupied = tmp_path / "file"
    occupied.touch()

    result = machine.run(XDG_CACHE_HOME=str(occupied))

    assert result.returncode == 8
    assert f"{occupied}/quintet/tools/pulumi-{VERSION} cannot be made" in result.stderr


@pytest.mark.parametrize("arguments", [("--where",), ("kubectl",), ("--path", "kubectl"), ("pulumi", "kubectl")])
def test_an_unknown_argument_is_refused_before_anything_is_built(machine: Machine, arguments: tuple[str, ...]) -> None:
    machine.has("go", COMPILES)

    result = machine.run(*arguments)

    assert result.returncode == 8
    assert f"'{arguments[-1]}' is no argument" in result.stderr
    assert "pulumi kube-apiserver" in result.stderr
    assert not machine.cache.exists()


def test_the_version_that_is_built_is_new_enough_and_pinned_by_checksum(repository: Path) -> None:
    module, sums = ((repository / "tools" / name).read_text() for name in ("go.mod", "go.sum"))

    assert f"github.com/pulumi/pulumi/pkg/v3 v{VERSION} // indirect" in module
    assert f"github.com/pulumi/pulumi/pkg/v3 v{VERSION} h1:" in sums
    assert os.access(repository / "tools" / "build-tools", os.X_OK)


def test_the_api_server_and_all_of_its_parts_are_of_one_release(repository: Path) -> None:
    folder = repository / "tools" / "kube-apiserver"
    module, sums = ((folder / name).read_text() for name in ("go.mod", "go.sum"))
    replaced = [line.split() for line in module.splitlines() if "=>" in line]

    assert "k8s.io/kubernetes v1.33.4 // indirect" in module
    assert "k8s.io/kubernetes v1.33.4 h1:" in sums
    assert len(replaced) == 31
    assert all(target == name and version == "v0.33.4" for name, _, target, version in replaced)
