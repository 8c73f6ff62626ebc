"""A deployed stack: its configuration by the real Pulumi CLI, its deployments by an executable that keeps the calls."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from quintet.checkout import Checkout
from quintet.errors import Exit, QuintetError
from quintet.project import Project
from quintet.rollout.deployed import StackDeployer
from quintet.sandbox.real.workspace import SALT, find_cli
from tests.conftest import required
from tests.quintet.rollout.fakes import FakeStack

PROJECT = """
name: quintet
runtime: python
config:
  sentimentModel: {type: string, default: "1"}
  sentimentStable: {type: string, default: ""}
  sentimentCanaryWeight: {type: integer, default: 0}
  origins: {type: array, items: {type: string}, default: []}
  key: {type: string, default: "", secret: true}
"""
STACK_FILE = f"""
encryptionsalt: {SALT}
config:
  aws:region: eu-west-1
  quintet:origins: [https://a.example]
  quintet:key:
    secure: v1:AAAA
"""

# `config` is the real CLI's; `stack output` and `up` are answered from files and kept.
FAKE = """#!{python}
import json, os, pathlib, sys
folder = pathlib.Path({folder!r})
if sys.argv[1] == "config":
    os.execv({real!r}, ["pulumi", *sys.argv[1:]])
with (folder / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "stack":
    print((folder / "outputs.json").read_text())
else:
    print("updating")
    sys.exit(int((folder / "code").read_text()) if (folder / "code").exists() else 0)
"""


@pytest.fixture(scope="session")
def real_cli(repository: Path) -> Path:
    try:
        return find_cli(Checkout(repository, repository / ".quintet"))
    except QuintetError as missing:
        if required("pulumi"):
            pytest.fail(missing.message)
        pytest.skip(missing.message)


@pytest.fixture
def folder(tmp_path: Path, real_cli: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose stack `prod` is kept in the folder itself."""
    backend = tmp_path / "backend"
    backend.mkdir()
    variables = {
        "PULUMI_BACKEND_URL": f"file://{backend}",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    (tmp_path / "Pulumi.prod.yaml").write_text(f"encryptionsalt: {SALT}\n")
    init = [real_cli, "stack", "init", "prod", "--non-interactive"]
    subprocess.run(init, cwd=tmp_path, capture_output=True, check=True)
    (tmp_path / "Pulumi.prod.yaml").write_text(STACK_FILE)
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text(FAKE.format(python=sys.executable, folder=str(tmp_path), real=str(real_cli)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


@pytest.fixture
def stack(folder: Path) -> StackDeployer:
    return StackDeployer.find(Project.load(folder), "prod")


def config(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / "Pulumi.prod.yaml").read_text())["config"]


def calls(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]


def test_settings_are_written_in_the_declared_form_and_no_other_key_is_touched(folder: Path, stack: StackDeployer):
    before = config(folder)

    stack.set(
        {"sentimentStable": {"image": "i", "model": "m"}, "sentimentCanaryWeight": 10, "origins": ["https://b.example"]}
    )

    after = config(folder)
    assert json.loads(after["quintet:sentimentStable"]) == {"image": "i", "model": "m"}
    assert int(after["quintet:sentimentCanaryWeight"]) == 10
    assert after["quintet:origins"] == ["https://b.example"]
    assert {key: after[key] for key in ("aws:region", "quintet:key")} == {
        key: before[key] for key in ("aws:region", "quintet:key")
    }


def test_settings_that_are_taken_away_are_gone_and_absent_ones_do_not_matter(folder: Path, stack: StackDeployer):
    stack.set({"sentimentCanaryWeight": 10, "sentimentModel": "2"})

    stack.set({"sentimentCanaryWeight": None, "sentimentModel": None, "sentimentStable": None})

    assert config(folder) == yaml.safe_load(STACK_FILE)["config"]


def test_what_was_read_can_be_written_back(folder: Path, stack: StackDeployer):
    before = stack.settings(["origins", "sentimentModel"])
    stack.set({"origins": [], "sentimentModel": "2"})

    stack.set(before)

    assert before == {"origins": ["https://a.example"], "sentimentModel": None}
    assert config(folder) == yaml.safe_load(STACK_FILE)["config"]


def test_a_secret_is_left_alone(folder: Path, stack: StackDeployer):
    with pytest.raises(QuintetError, match="quintet:key is a secret"):
        stack.set({"key": "x", "sentimentModel": "2"})

    assert config(folder) == yaml.safe_load(STACK_FILE)["config"]


def test_a_deployment_is_a_pulumi_up_that_looks_first_what_is_live(
    folder: Path, stack: StackDeployer, capfd: pytest.CaptureFixture[str]
):
    stack.up()

    assert calls(folder) == [["up", "--yes", "--refresh", "--skip-preview", "--non-interactive", "--stack", "prod"]]
    assert capfd.readouterr().out == ""


def test_a_deployment_that_fails_is_an_error(folder: Path, stack: StackDeployer):
    (folder / "code").write_text("255")

    with pytest.raises(QuintetError, match="`pulumi up` of the stack prod failed"):
        stack.up()


def test_the_target_is_read_from_the_stacks_outputs(folder: Path, stack: StackDeployer):
    fake = FakeStack()
    fake.up()
    (folder / "outputs.json").write_text(json.dumps(fake.outputs))

    assert stack.target("sentiment") == fake.target("sentiment")


def test_a_stack_that_has_no_file_is_refused_with_those_that_have(folder: Path):
    with pytest.raises(QuintetError, match="no stack staging; there are prod") as refused:
        StackDeployer.find(Project.load(folder), "staging")

    assert refused.value.exit_code is Exit.USAGE


def test_without_the_cli_it_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(folder))

    with pytest.raises(QuintetError, match="`pulumi` is not on PATH") as refused:
        StackDeployer.find(Project.load(folder), "prod")

    assert refused.value.exit_code is Exit.TOOL_MISSING
