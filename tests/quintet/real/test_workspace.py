"""The real engine's folder, and which engine owns a sandbox."""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from quintet.checkout import Checkout
from quintet.errors import Exit, QuintetError
from quintet.project import Project, ProjectError
from quintet.sandbox import summary
from quintet.sandbox.engines import Engine, owner, refuse_another
from quintet.sandbox.real.workspace import PROVIDERS_VARIABLE, SALT, Workspace, find_cli, providers_answer
from tests.ports import free_port
from tests.quintet.small_checkout import SmallCheckout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    small = SmallCheckout.make(tmp_path / "checkout")
    found = Checkout(small.root, small.home)
    found.prepare()
    return found


def deployed_by_pulumi(checkout: Checkout, *types: str, outputs: dict | None = None) -> None:
    path = checkout.pulumi / ".pulumi" / "stacks" / "quintet" / "sandbox.json"
    path.parent.mkdir(parents=True)
    stack = {"type": "pulumi:pulumi:Stack", "outputs": outputs or {}}
    resources = [stack, *({"type": type_, "custom": True} for type_ in types)]
    path.write_text(json.dumps({"version": 3, "checkpoint": {"latest": {"resources": resources}}}))


def deployed_by_the_sandbox(checkout: Checkout) -> None:
    checkout.state.write_text(
        json.dumps({"version": 1, "resources": [{"type": "aws:s3/bucket:Bucket", "custom": True}]})
    )


def test_a_new_sandbox_belongs_to_no_engine(checkout: Checkout):
    assert owner(checkout) is None
    refuse_another(checkout, Engine.SANDBOX)
    refuse_another(checkout, Engine.PULUMI)


def test_what_the_real_engine_has_deployed_is_refused_to_the_other_with_both_ways_out(checkout: Checkout):
    deployed_by_pulumi(checkout, "aws:s3/bucket:Bucket")

    with pytest.raises(QuintetError) as refused:
        refuse_another(checkout, Engine.SANDBOX)

    refuse_another(checkout, Engine.PULUMI)
    assert refused.value.exit_code is Exit.USAGE
    assert "`quintet up --engine pulumi`" in refused.value.advice
    assert "`quintet up --fresh`" in refused.value.advice


def test_what_the_sandboxs_engine_has_deployed_is_refused_to_the_real_one(checkout: Checkout):
    deployed_by_the_sandbox(checkout)

    with pytest.raises(QuintetError) as refused:
        refuse_another(checkout, Engine.PULUMI)

    refuse_another(checkout, Engine.SANDBOX)
    assert "`quintet up --fresh --engine pulumi`" in refused.value.advice


def test_a_stack_of_which_only_providers_are_left_has_no_owner(checkout: Checkout):
    deployed_by_pulumi(checkout, "pulumi:providers:aws")

    assert owner(checkout) is None


def test_the_addresses_are_those_of_the_engine_that_owns_the_sandbox(checkout: Checkout):
    deployed_by_pulumi(checkout, "aws:s3/bucket:Bucket", outputs={"endpoints": {"moderation": {"url": "http://real"}}})
    summary.keep(checkout, summary.document("", "", {"moderation": {"url": "http://stale"}}, ()))

    assert summary.endpoints(checkout)["moderation"].url == "http://real"
    assert summary.stopped(checkout)["services"] == {"moderation": {"url": "http://real", "state": "stopped"}}


def test_what_the_real_engine_has_destroyed_is_not_shown_any_more(checkout: Checkout):
    deployed_by_pulumi(checkout)
    summary.keep(checkout, summary.document("", "", {"moderation": {"url": "http://stale"}}, ()))

    assert summary.endpoints(checkout) == {}


def test_a_stack_that_waits_empty_hides_nothing_of_the_sandboxs_engine(checkout: Checkout):
    deployed_by_pulumi(checkout)
    deployed_by_the_sandbox(checkout)
    summary.keep(checkout, summary.document("", "", {"moderation": {"url": "http://mine"}}, ()))

    assert summary.endpoints(checkout)["moderation"].url == "http://mine"


def test_the_variables_lead_to_this_sandbox_alone(checkout: Checkout, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "of the user")

    environment = Workspace(checkout, checkout.pulumi / "bin").environment(4711)

    assert "PULUMI_ACCESS_TOKEN" not in environment
    assert environment["PULUMI_BACKEND_URL"] == f"file://{checkout.home}/pulumi"
    assert environment["PATH"].split(os.pathsep)[0] == f"{checkout.home}/pulumi/bin"
    assert {"aws:4711", "docker-build:4711"} <= set(environment[PROVIDERS_VARIABLE].split(","))


def test_the_configuration_is_the_stacks_with_what_the_command_line_adds(checkout: Checkout):
    checkout.pulumi.mkdir()
    tracked = checkout.root / "Pulumi.sandbox.yaml"
    tracked.write_text("config:\n  quintet:wish: peace\n  moderation: false\n")
    workspace = Workspace(checkout, checkout.pulumi / "bin")

    workspace.configure(Project.load(checkout.root), {"moderation": True})

    assert yaml.safe_load(workspace.config.read_text()) == {
        "encryptionsalt": SALT,
        "config": {"quintet:wish": "peace", "quintet:moderation": True},
    }
    assert "false" in tracked.read_text()


def test_a_misspelt_key_is_refused_though_the_real_engine_would_pass_over_it(checkout: Checkout):
    (checkout.root / "Pulumi.sandbox.yaml").write_text("config:\n  quintet:wihs: peace\n")

    with pytest.raises(ProjectError, match="did you mean `quintet:wish`"):
        Workspace(checkout, checkout.pulumi / "bin").configure(Project.load(checkout.root), {})


def test_the_repositorys_own_stack_has_the_salt_with_which_pulumi_leaves_the_file_alone(repository: Path):
    assert yaml.safe_load((repository / "Pulumi.sandbox.yaml").read_text())["encryptionsalt"] == SALT


def test_a_missing_cli_is_told_with_what_to_do(checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for name in ("awk", "bash", "dirname", "env", "head", "sort"):
        (binaries / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(binaries))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    with pytest.raises(QuintetError, match="make tools") as refused:
        find_cli(checkout)

    assert refused.value.exit_code is Exit.TOOL_MISSING


def test_providers_that_are_not_there_do_not_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(PROVIDERS_VARIABLE, f"aws:{free_port()}")
    stopped = providers_answer()
    monkeypatch.delenv(PROVIDERS_VARIABLE)

    assert not stopped
    assert not providers_answer()
