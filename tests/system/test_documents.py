"""Every command that the documents tell a reader to type, typed."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.system.conftest import LiveCheckout

FENCE = re.compile(r"^```sh(?: (?P<where>\w+))?\n(?P<commands>.*?)^```$", re.MULTILINE | re.DOTALL)
DOCUMENTS = ("README.md", "docs/deploying.md", "docs/moderation.md", "docs/sandbox.md", "docs/sentiment.md")
SERVICES = {"moderation": '"is_toxic"', "sentiment": '"confidence"'}
"""What every service's own page gets for an answer."""


def commands(repository: Path, where: str | None, *documents: str) -> list[str]:
    """The lines of the blocks ```sh (where=None), ```sh aws and ```sh sandbox."""
    found = []
    for document in documents or DOCUMENTS:
        for block in FENCE.finditer((repository / document).read_text()):
            if block["where"] == where:
                found += block["commands"].strip().splitlines()
    return found


def bash(lines: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QUINTET_")}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
        cwd=folder,
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture
def clone(repository: Path, tmp_path: Path) -> Iterator[Path]:
    """A fresh clone in which the packages are installed already."""
    folder = tmp_path / "quintet"
    subprocess.run(["git", "clone", "--quiet", str(repository), str(folder)], check=True)
    for name in ("pyproject.toml", "requirements/dev.txt", "requirements/uv.txt", "tools/install"):
        os.utime(folder / name, (0, 0))
    (folder / ".venv").symlink_to(repository / ".venv")
    yield folder
    bash(["make down"], folder)


def test_the_commands_of_the_readme_work_one_after_another(repository: Path, clone: Path) -> None:
    lines = commands(repository, None, "README.md")

    # `make test` would run this test again: it collects only.
    result = bash(lines, clone, PYTEST_ARGS="--collect-only -qq -n 0 tests/repository/test_locks.py")

    assert lines[:2] == ["make up", "make test"]
    assert result.returncode == 0, result.stdout + result.stderr
    assert "moderation  healthy" in result.stdout
    assert "sentiment   healthy" in result.stdout
    assert "test_locks" in result.stdout


def typed(live: LiveCheckout, repository: Path, document: str, **environment: str) -> str:
    """What the commands of a document for a running sandbox print."""
    lines = commands(repository, "sandbox", document)
    path = f"{repository / '.venv' / 'bin'}:{os.environ['PATH']}"

    result = bash(lines, live.root, PATH=path, **environment)

    assert lines
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_commands_of_the_sandboxs_page_work(live: LiveCheckout, repository: Path) -> None:
    assert "emulator" in typed(live, repository, "docs/sandbox.md")


@pytest.mark.parametrize("service", SERVICES)
def test_the_commands_of_a_services_page_work(live: LiveCheckout, repository: Path, service: str) -> None:
    printed = typed(live, repository, f"docs/{service}.md", URL=live.url(service).rstrip("/"))

    assert SERVICES[service] in printed


def test_no_document_has_commands_that_nobody_types(repository: Path) -> None:
    pages = {"docs/sandbox.md", *(f"docs/{service}.md" for service in SERVICES)}

    assert {document for document in DOCUMENTS if commands(repository, "sandbox", document)} == pages


# Notes down what it is told; knows a deployed stack whose endpoints are those of the live sandbox.
FAKE_PULUMI = """#!/bin/sh
echo "pulumi $*" >> "$NOTED"
case "$*" in
  *"stack output"*) printf '{"endpoints": %s}' "$ENDPOINTS";;
esac
"""


def test_the_commands_for_aws_name_stacks_and_settings_that_exist(
    live: LiveCheckout, repository: Path, tmp_path: Path
) -> None:
    lines = commands(repository, "aws", "README.md", "docs/deploying.md")
    (tmp_path / "pulumi").write_text(FAKE_PULUMI)
    (tmp_path / "pulumi").chmod(0o755)
    status = live.status()["services"]
    endpoints = json.dumps({name: {"url": service["url"]} for name, service in status.items()})
    path = f"{tmp_path}:{repository / '.venv' / 'bin'}:{os.environ['PATH']}"
    noted = tmp_path / "noted"

    result = bash(lines, live.root, PATH=path, NOTED=str(noted), ENDPOINTS=endpoints)

    said = noted.read_text()
    declared = yaml.safe_load((repository / "Pulumi.yaml").read_text())["config"]
    assert result.returncode == 0, result.stdout + result.stderr
    for stack in set(re.findall(r"(?:--stack|stack init) (\S+)", said)):
        assert (repository / f"Pulumi.{stack}.yaml").is_file()
    for key in re.findall(r"quintet:(\w+)", said):
        assert key in declared
    assert "pulumi up --stack dev" in said
