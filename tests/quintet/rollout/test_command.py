"""`quintet rollout` and `quintet rollback` on a small sandbox, whose program only says what it would deploy."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quintet.errors import Exit
from tests.quintet.small_checkout import SmallCheckout

PROJECT = """
name: quintet
runtime: python
main: stacks/
config:
  pulumi:autonaming:
    value: {pattern: "${project}-${stack}-${name}-${hex(8)}"}
  moderation: {type: boolean, default: false}
  sentiment: {type: boolean, default: true}
  sentimentModel: {type: string, default: "1"}
  sentimentStable: {type: string, default: ""}
  sentimentCanaryWeight: {type: integer, default: 0}
"""

# No pods run for it: its candidate never becomes ready.
PROGRAM = """
import json
import pulumi
import pulumi_aws as aws

config = pulumi.Config()
aws.s3.Bucket("data")
own = {"image": "registry/sentiment@sha256:CODE", "model": f"sentiment/{config.get('sentimentModel') or 1}/"}
stable, weight = config.get("sentimentStable"), config.get_int("sentimentCanaryWeight") or 0
rollout = {
    "kind": "kubernetes", "namespace": "quintet-sandbox-sentiment", "stable": "sentiment",
    "canary": "sentiment-canary", "live": json.loads(stable) if stable else own, "candidate": own,
    "stableSetting": "sentimentStable", "weightSetting": "sentimentCanaryWeight", "metrics": "sentiment",
    "cluster": "",
}
pulumi.export("endpoints", {})
pulumi.export("weight", weight)
pulumi.export("rollouts", {"sentiment": rollout})
"""
NEVER_READY = ("rollout", "sentiment", "--probe", "0", "--timeout", "2", "--config", "sentimentModel=2")
SLOW = ("rollout", "sentiment", "--probe", "0", "--timeout", "120", "--config", "sentimentModel=2")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallCheckout]:
    checkout = SmallCheckout.make(tmp_path_factory.mktemp("rollout") / "checkout", PROGRAM)
    (checkout.root / "Pulumi.yaml").write_text(PROJECT)
    yield checkout
    checkout.remove()


@pytest.fixture
def live(sandbox: SmallCheckout) -> SmallCheckout:
    """Version 1 is live and nothing is being rolled out."""
    sandbox.program(PROGRAM)
    sandbox.run("rollback", "sentiment")
    sandbox.run("rollback", "sentiment", "--release")
    up = sandbox.up()
    assert up.returncode == 0, up.stdout + up.stderr
    return sandbox


def outputs(checkout: SmallCheckout) -> dict[str, Any]:
    return json.loads((checkout.home / "state.json").read_text())["outputs"]


def overrides(checkout: SmallCheckout) -> dict[str, Any]:
    path = checkout.home / "overrides.json"
    return json.loads(path.read_text()) if path.exists() else {}


def models(checkout: SmallCheckout) -> tuple[str, int]:
    """The live model, and the candidate's share."""
    told = outputs(checkout)
    return told["rollouts"]["sentiment"]["live"]["model"], told["weight"]


def await_weight(checkout: SmallCheckout, weight: int) -> None:
    deadline = time.monotonic() + 60
    while models(checkout)[1] != weight:
        assert time.monotonic() < deadline, "the candidate was never deployed"
        time.sleep(0.05)


def test_a_candidate_that_never_becomes_ready_is_rolled_back_with_an_exit_code_of_its_own(live: SmallCheckout):
    rollout = live.run(*NEVER_READY, "--json")

    told = json.loads(rollout.stdout)
    assert rollout.returncode == Exit.ROLLED_BACK
    assert (told["outcome"], told["held"]) == ("rolled back", False)
    assert "became ready in 2 s" in told["reason"]
    assert models(live) == ("sentiment/1/", 0)
    assert overrides(live) == {}


def test_people_are_told_each_step_and_how_it_ended(live: SmallCheckout):
    printed = live.run(*NEVER_READY).stdout

    assert "Live: sentiment/1 in sentiment@CODE" in printed
    assert "Candidate: sentiment/2 in sentiment@CODE" in printed
    assert printed.splitlines()[-1].startswith("Rolled back: sentiment/1 in sentiment@CODE is live. no pod of")


def test_what_is_live_is_nothing_to_roll_out(live: SmallCheckout):
    rollout = live.run("rollout", "sentiment", "--probe", "0")

    assert rollout.returncode == Exit.USAGE
    assert "nothing to roll out" in rollout.stderr
    assert overrides(live) == {}


def test_a_refused_program_stays_out_and_up_says_so_until_it_is_released(live: SmallCheckout):
    live.program(PROGRAM.replace("CODE", "ROTTEN"))
    live.run(*NEVER_READY[:-2])
    up = live.up()
    held = outputs(live)["rollouts"]["sentiment"]

    released = live.run("rollback", "sentiment", "--release")

    assert held["live"]["image"].endswith(":CODE")
    assert held["candidate"]["image"].endswith(":ROTTEN")
    assert "A rollback keeps sentiment/1 in sentiment@CODE of sentiment live" in up.stdout
    assert released.returncode == 0, released.stderr
    assert outputs(live)["rollouts"]["sentiment"]["live"]["image"].endswith(":ROTTEN")


def test_ctrl_c_rolls_back(live: SmallCheckout):
    rollout = live.start(*SLOW)
    await_weight(live, 10)

    rollout.send_signal(signal.SIGINT)
    rollout.communicate(timeout=60)

    assert rollout.returncode == Exit.ROLLED_BACK
    assert models(live) == ("sentiment/1/", 0)
    assert overrides(live) == {}


@pytest.fixture
def killed(live: SmallCheckout) -> SmallCheckout:
    """A rollout was killed half-way."""
    rollout = live.start(*SLOW)
    await_weight(live, 10)
    rollout.kill()
    rollout.communicate(timeout=60)
    return live


def test_after_a_kill_up_keeps_the_shares_and_says_what_to_do(killed: SmallCheckout):
    preview = json.loads(killed.run("preview", "--json").stdout)

    up = killed.up()

    assert preview["changes"] == []
    assert models(killed) == ("sentiment/1/", 10)
    assert "A rollout of sentiment was interrupted" in up.stdout


def test_after_a_kill_rollback_puts_things_right(killed: SmallCheckout):
    rollback = killed.run("rollback", "sentiment", "--json")

    assert rollback.returncode == 0, rollback.stderr
    assert json.loads(rollback.stdout)["outcome"] == "rolled back"
    assert models(killed) == ("sentiment/1/", 0)
    assert overrides(killed) == {}


def test_after_a_kill_a_second_rollout_begins_anew(killed: SmallCheckout):
    again = killed.run(*NEVER_READY)

    assert "interrupted: beginning anew" in again.stdout
    assert again.returncode == Exit.ROLLED_BACK
    assert models(killed) == ("sentiment/1/", 0)


def test_while_one_works_another_command_is_held_off(live: SmallCheckout):
    rollout = live.start(*SLOW)
    await_weight(live, 10)

    second = live.run("rollback", "sentiment")

    rollout.send_signal(signal.SIGINT)
    rollout.communicate(timeout=60)
    assert second.returncode == Exit.BUSY


def test_fresh_forgets_a_rollout(killed: SmallCheckout):
    up = killed.run("up", "--fresh")

    assert up.returncode == 0, up.stderr
    assert models(killed) == ("sentiment/1/", 0)
    assert overrides(killed) == {}
    assert "interrupted" not in up.stdout


def test_rollback_without_a_rollout_says_so(live: SmallCheckout):
    rollback = live.run("rollback", "sentiment")

    assert rollback.returncode == 0
    assert rollback.stdout.splitlines()[-1] == "There is no rollout of sentiment to take back."


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("rollout", "sentimnet"), "There is no service sentimnet"),
        (("rollout", "moderation", "--probe", "0"), "moderation is not deployed with a gradual rollout"),
        (("rollout", "sentiment", "--weight", "80"), "50"),
        ((*SLOW, "--config", "sentimentModle=2"), "did you mean `quintet:sentimentModel`"),
        ((*SLOW, "--config", "sentimentCanaryWeight=2"), "the rollout itself sets that"),
    ],
)
def test_wrong_usage_is_told_and_changes_nothing(live: SmallCheckout, arguments: tuple[str, ...], told: str):
    wrong = live.run(*arguments)

    assert wrong.returncode == Exit.USAGE
    assert told in wrong.stderr
    assert overrides(live) == {}


def test_without_an_address_there_is_nothing_to_probe(live: SmallCheckout):
    rollout = live.run("rollout", "sentiment")

    assert rollout.returncode == Exit.FAILED
    assert "no address of sentiment" in rollout.stderr


def test_a_stopped_sandbox_has_nothing_to_roll_out(live: SmallCheckout):
    live.run("down")

    rollout = live.run("rollout", "sentiment")

    assert rollout.returncode == Exit.FAILED
    assert "The sandbox is stopped." in rollout.stderr


@pytest.fixture
def without_pulumi(tmp_path: Path) -> dict[str, str]:
    """A `pulumi` that would fail if it were called."""
    (tmp_path / "pulumi").symlink_to("/bin/false")
    return {"PATH": str(tmp_path)}


def test_a_stack_without_a_file_is_refused_by_name(live: SmallCheckout, without_pulumi: dict[str, str]):
    rollback = live.run("rollback", "sentiment", "--stack", "prod", **without_pulumi)

    assert rollback.returncode == Exit.USAGE
    assert "There is no stack prod; there are sandbox" in rollback.stderr


def test_a_deployed_stack_is_not_changed_without_a_yes(live: SmallCheckout, without_pulumi: dict[str, str]):
    (live.root / "Pulumi.dev.yaml").write_text("config: {}\n")

    rollback = live.run("rollback", "sentiment", "--stack", "dev", **without_pulumi)

    assert rollback.returncode == Exit.USAGE
    assert "Roll back sentiment on the stack dev? Say so with --yes." in rollback.stderr
