"""`quintet images` where Docker is missing or does not answer; tests/containers has it build."""

import subprocess
import sys
from pathlib import Path

from quintet.commands import images as command
from quintet.errors import Exit


def images(repository: Path, path: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "quintet", "images"]
    environment = {"PATH": str(path), "DOCKER_HOST": f"unix://{path}/nobody.sock"}
    return subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def docker(folder: Path, script: str) -> None:
    """Stands for the `docker` command; its contract is that a failure is told on stderr, with an exit code."""
    (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "docker").chmod(0o755)


def test_without_docker_it_says_what_to_install(repository: Path, tmp_path: Path):
    told = images(repository, tmp_path)

    assert told.returncode == Exit.TOOL_MISSING
    assert "Docker is not installed" in told.stderr
    assert "docker.io" in told.stderr


def test_a_daemon_that_does_not_answer_is_told_in_its_words(repository: Path, tmp_path: Path):
    docker(tmp_path, "echo 'Cannot connect to the Docker daemon' >&2; exit 1")

    told = images(repository, tmp_path)

    assert told.returncode == Exit.FAILED
    assert "The Docker daemon does not answer: Cannot connect to the Docker daemon" in told.stderr
    assert "DOCKER_HOST" in told.stderr


def test_a_daemon_that_hangs_is_given_up(tmp_path: Path, monkeypatch):
    docker(tmp_path, "exec /bin/sleep 60")
    monkeypatch.setattr(command, "_ANSWER_SECONDS", 0.5)

    reason = command._why_it_does_not_answer(str(tmp_path / "docker"))

    assert "said nothing for" in reason
