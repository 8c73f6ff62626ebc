"""The repository's program by the real engine, from its first preview to its end."""

import json
from pathlib import Path
from typing import Any

import httpx

from quintet.errors import Exit
from quintet.files import read_json
from quintet.sandbox.engine import UNKNOWN
from tests.engine.conftest import Shell
from tests.engine.inventory import alike, inventory
from tests.system.conftest import LiveCheckout
from tests.system.test_documents import FENCE

INSULT = "You are a stupid idiot and everybody hates you."
FUNCTION, ALIAS = "aws:lambda/function:Function", "aws:lambda/alias:Alias"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"


def moderate(url: str) -> dict[str, Any]:
    answer = httpx.post(f"{url}moderate", json={"text": INSULT}, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def by_urn(resources: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What was declared of each resource; an asset is its hash, as one engine remembers nothing else of it."""
    inputs = {item["urn"]: item.get("inputs", {}) for item in resources if not item["type"].startswith("pulumi:")}
    return {urn: alike({key: _bare(value) for key, value in given.items()}) for urn, given in inputs.items()}


def _bare(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    secret = value.get("plaintext")
    return json.loads(secret) if secret else value.get("hash", value)


def test_a_first_preview_knows_names_and_not_what_aws_will_choose_and_makes_nothing(empty: Shell, live: LiveCheckout):
    before = inventory(live)

    steps = json.loads(empty.pulumi("preview --json").stdout)["steps"]

    made = {step["newState"]["type"]: step["newState"]["inputs"] for step in steps if "inputs" in step["newState"]}
    assert {step["op"] for step in steps} == {"create"}
    assert made[FUNCTION]["name"].startswith("quintet-sandbox-moderation-function-")
    assert made[ALIAS]["functionVersion"] == UNKNOWN
    assert inventory(live) == before


def test_up_makes_what_answers_and_a_second_up_changes_nothing(empty: Shell, live: LiveCheckout):
    first = empty.change("up")

    again = empty.change("up")

    assert set(first) == {"create"}
    assert again == {"same": first["create"]}
    assert moderate(live.url("moderation"))["is_toxic"] is True


def test_a_changed_setting_changes_exactly_what_depends_on_it(deployed: Shell, live: LiveCheckout):
    live.edit("Pulumi.sandbox.yaml", "config:\n", "config:\n  quintet:moderationMemory: 1536\n")

    planned, done = deployed.planned(), deployed.change("up")

    functions = live.client("lambda").list_functions()["Functions"]
    assert planned == {("update", FUNCTION), ("update", ALIAS)}
    assert {operation: count for operation, count in done.items() if operation != "same"} == {"update": 2}
    assert [function["MemorySize"] for function in functions] == [1536]


def test_refresh_finds_what_was_deleted_behind_its_back_and_up_makes_it_again(deployed: Shell, live: LiveCheckout):
    cloudwatch = live.client("cloudwatch")
    cloudwatch.delete_dashboards(DashboardNames=["quintet-sandbox-moderation-health"])

    refreshed, planned = deployed.change("refresh"), deployed.planned()
    deployed.change("up")

    assert refreshed["delete"] == 1
    assert planned == {("create", DASHBOARD)}
    assert cloudwatch.get_dashboard(DashboardName="quintet-sandbox-moderation-health")["DashboardBody"]


def test_what_is_deployed_answers_again_when_the_sandbox_was_down(deployed: Shell, live: LiveCheckout):
    url = live.url("moderation")
    live.run("down")

    deployed.take_env()

    assert moderate(url)["is_toxic"] is True


def test_both_engines_end_in_the_same_resources_and_only_one_owns_them(empty: Shell, live: LiveCheckout):
    empty.change("up")
    exported = json.loads(empty.pulumi("stack export --show-secrets").stdout)
    theirs, made = by_urn(exported["deployment"]["resources"]), inventory(live)
    refused = live.up()
    gone = empty.change("destroy")
    left = inventory(live)

    own = live.up()

    state = read_json(empty.place.state)
    assert own.returncode == 0, own.stdout + own.stderr
    assert state
    assert by_urn(state["resources"]) == theirs
    assert alike(sorted(inventory(live))) == alike(sorted(made))
    assert refused.returncode == Exit.USAGE
    assert "`quintet up --engine pulumi`" in refused.stderr
    assert (set(gone), left, empty.state()) == ({"delete"}, set(), [])


def test_the_commands_of_the_page_work_one_after_another_and_touch_no_tracked_file(empty: Shell, repository: Path):
    text = (repository / "docs" / "real-engine.md").read_text()
    script = "\n".join(block["commands"] for block in FENCE.finditer(text) if block["where"] == "engine")
    before = empty.tracked()

    done = empty.run(script)

    assert script
    assert done.returncode == 0, done.stdout + done.stderr
    assert "moderation  healthy" in done.stdout
    assert "unchanged in" in done.stdout
    assert "warning" not in (done.stdout + done.stderr).lower()
    assert (empty.state(), empty.tracked()) == ([], before)
