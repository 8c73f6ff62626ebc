import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.conftest import BUILT


def copy_of(repository: Path, to: Path) -> Path:
    for name in ("tools", "requirements"):
        shutil.copytree(repository / name, to / name)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(repository / name, to / name)
    return to


def interpreter(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def run(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(["make", *arguments], folder, PATH=os.environ["PATH"], HOME=str(folder))


def test_an_old_python_is_refused_with_what_to_do(repository: Path, tmp_path: Path) -> None:
    folder = copy_of(repository, tmp_path)
    old = interpreter(folder, "python3.9", '[ "$1" = -V ] && echo "Python 3.9.2" && exit 0; exit 1')

    result = make(folder, "install", f"PYTHON={old}")

    assert result.returncode != 0
    assert "Python 3.11 or newer is needed" in result.stderr
    assert "3.9.2" in result.stderr
    assert "make PYTHON=" in result.stderr
    assert not (folder / ".venv").exists()


def test_a_missing_python_is_named(repository: Path, tmp_path: Path) -> None:
    folder = copy_of(repository, tmp_path)

    result = make(folder, "install", "PYTHON=python9.9")

    assert result.returncode != 0
    assert "there is no 'python9.9' on PATH" in result.stderr


def test_a_python_without_venv_names_the_debian_package(repository: Path, tmp_path: Path) -> None:
    folder = copy_of(repository, tmp_path)
    bare = interpreter(folder, "python3", 'case "$2" in *ensurepip*) exit 1;; esac; exit 0')

    result = make(folder, "install", f"PYTHON={bare}")

    assert result.returncode != 0
    assert "apt-get install python3-venv" in result.stderr


def test_nothing_is_done_and_said_when_all_is_installed(repository: Path, tmp_path: Path) -> None:
    folder = copy_of(repository, tmp_path)
    (folder / ".venv").mkdir()
    (folder / ".venv" / ".installed").touch()

    result = make(folder, "install")

    assert (result.returncode, result.stderr) == (0, "")
    assert "installing" not in result.stdout


def test_help_lists_every_command(repository: Path, tmp_path: Path) -> None:
    result = make(copy_of(repository, tmp_path), "help")

    for command in ("up", "down", "test", "check", "lock", "bench", "images", "help"):
        assert f"make {command} " in result.stdout


def test_a_failing_check_is_named_and_the_others_still_run(repository: Path, tmp_path: Path) -> None:
    folder = copy_of(repository, tmp_path)
    binaries = folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    for name in ("ruff", "mypy", "lint-imports", "yamllint", "shellcheck", "python"):
        interpreter(binaries, name, f"echo {name} was run; [ {name} != mypy ]")

    result = run(["tools/check"], folder, PATH=os.environ["PATH"])

    assert result.returncode == 1
    assert "FAIL  types" in result.stdout
    assert "mypy was run" in result.stdout
    assert "ok    shell" in result.stdout


def test_ci_brings_every_tool_that_a_test_asks_for(repository: Path) -> None:
    sources = "".join(path.read_text() for path in (repository / "tests").rglob("*.py"))
    asked = set(re.findall(r'\btool\("([\w-]+)"', sources))
    needed = re.findall(r"^need (.+)$", (repository / ".ci" / "run").read_text(), re.MULTILINE)
    brought = {name for line in needed for name in line.split()}

    assert {"chromium", "etcd"} <= asked
    assert asked - set(BUILT) <= brought
