"""`quintet up` on the real program: what runs, and what a second run changes."""

import json
import subprocess

import httpx
import pytest

from tests.system.conftest import LiveCheckout

INSULT = "You are a stupid idiot and everybody hates you."


def moderate(checkout: LiveCheckout, text: str) -> httpx.Response:
    return httpx.post(f"{checkout.url('moderation')}moderate", json={"text": text}, timeout=30)


def changed(up: dict) -> set[str]:
    return set(up["changes"]) - {"same", "read"}


def test_a_service_answers_at_the_address_that_is_told(live: LiveCheckout):
    answer = moderate(live, INSULT)

    assert answer.status_code == 200, answer.text
    assert answer.json()["is_toxic"] is True


def test_every_printed_curl_line_works_when_pasted(live: LiveCheckout):
    printed = live.up().stdout
    lines = [line.strip() for line in printed.splitlines() if line.strip().startswith("curl ")]

    done = [subprocess.run(["bash", "-c", f"{line} -f"], capture_output=True, text=True, check=False) for line in lines]

    assert len(lines) == len(live.status()["services"])
    assert [result.returncode for result in done] == [0] * len(lines), [result.stderr for result in done]
    assert all(json.loads(result.stdout) for result in done)


def test_up_shows_every_service_its_state_and_its_address(live: LiveCheckout):
    printed = live.up().stdout.splitlines()

    header = next(index for index, line in enumerate(printed) if line.startswith("SERVICE"))
    assert printed[header].split() == ["SERVICE", "STATE", "CHECKS", "URL"]
    assert printed[header + 1].split()[:2] == ["moderation", "healthy"]
    assert printed[header + 1].split()[-1] == live.status()["services"]["moderation"]["url"]


def test_a_second_up_changes_nothing(live: LiveCheckout):
    again = live.up_json()

    assert set(again["changes"]) == {"same"}


def test_the_status_is_the_documented_document(live: LiveCheckout):
    status = live.status()

    assert set(status) == {"stack", "aws", "services", "declared_only"}
    assert status["stack"] == "sandbox"
    assert status["aws"] == {"endpoint_url": f"http://127.0.0.1:{live.port}", "region": "us-east-1"}
    assert set(status["services"]["moderation"]) == {"url", "state"}
    assert status["services"]["moderation"]["state"] == "healthy"
    assert all(isinstance(type_, str) for type_ in status["declared_only"])


def test_smoke_tries_every_service_and_tells_each_check(live: LiveCheckout):
    smoke = live.run("smoke", "--json")

    checks = json.loads(smoke.stdout)["checks"]
    assert smoke.returncode == 0, smoke.stderr
    assert {check["service"] for check in checks} == set(live.status()["services"])
    assert all(check["ok"] for check in checks)


def test_logs_show_what_a_service_wrote(live: LiveCheckout):
    moderate(live, INSULT)

    logs = live.run("logs", "moderation").stdout

    assert "REPORT RequestId" in logs
    assert INSULT not in logs


def test_the_logs_of_all_parts_are_in_the_order_of_time(live: LiveCheckout):
    lines = [line for line in live.run("logs").stdout.splitlines() if line.startswith("20")]

    assert {line.split()[1].rstrip(":") for line in lines} >= {"daemon", "emulator"}
    assert [line.split()[0] for line in lines] == sorted(line.split()[0] for line in lines)


def test_a_preview_of_what_is_up_has_no_changes(live: LiveCheckout):
    preview = json.loads(live.run("preview", "--json").stdout)

    assert preview["changes"] == []
    assert set(preview["counts"]) == {"same"}


def test_a_changed_setting_changes_exactly_what_depends_on_it(live: LiveCheckout):
    live.configure("moderationMemory", "1536")
    planned = json.loads(live.run("preview", "--json").stdout)["changes"]

    up = live.up_json()

    name = live.outputs()["services"]["moderation"]["function"]
    assert {(change["operation"], change["type"]) for change in planned} == {
        ("update", "aws:lambda/function:Function"),
        ("update", "aws:lambda/alias:Alias"),
    }
    assert changed(up) == {"update"}
    assert up["changes"]["update"] == len(planned)
    assert live.client("lambda").get_function_configuration(FunctionName=name)["MemorySize"] == 1536


def test_changed_code_of_a_service_is_what_answers_next(live: LiveCheckout):
    live.edit(
        "services/moderation/app.py",
        '@router.get("/health")',
        '@router.get("/health-of-tomorrow")\n@router.get("/health")',
    )

    planned = json.loads(live.run("preview", "--json").stdout)["changes"]

    up = live.up_json()

    # The repository's tags say which image it holds.
    assert [change["type"].rpartition(":")[2] for change in planned] == ["Repository", "Image", "Function", "Alias"]
    assert {name: up["changes"][name] for name in changed(up)} == {"update": len(planned)}
    assert httpx.get(f"{live.url('moderation')}health-of-tomorrow", timeout=30).status_code == 200


def test_a_resource_that_is_no_longer_declared_is_deleted(live: LiveCheckout):
    live.edit(
        "stacks/__main__.py", "import pulumi\n", "import pulumi\nimport pulumi_aws as aws\naws.s3.Bucket('passing')\n"
    )
    live.up_json()
    before = [bucket["Name"] for bucket in live.client("s3").list_buckets()["Buckets"] if "passing" in bucket["Name"]]
    live.restore()

    up = live.up_json()

    after = [bucket["Name"] for bucket in live.client("s3").list_buckets()["Buckets"] if "passing" in bucket["Name"]]
    assert (len(before), after) == (1, [])
    assert changed(up) == {"delete"}


def test_a_service_that_is_turned_off_is_gone_and_comes_back_by_name(live: LiveCheckout):
    live.configure("moderation", "false")
    live.configure("protected", "false")
    off = live.up_json()

    on = live.up("moderation", "--json")

    assert list(off["services"]) == ["sentiment"]
    assert sorted(json.loads(on.stdout)["services"]) == ["moderation", "sentiment"]


def test_a_preview_needs_nothing_that_runs(stopped: LiveCheckout):
    preview = stopped.run("preview", "--json")

    assert preview.returncode == 0, preview.stderr
    assert "stopped" in preview.stderr
    assert "replace" not in json.loads(preview.stdout)["counts"]
    assert stopped.processes() == []


def test_data_survives_a_restart(live: LiveCheckout):
    table = live.outputs()["services"]["moderation"]["decisionsTable"]
    live.client("dynamodb").put_item(TableName=table, Item={"decision_id": {"S": "kept"}})

    live.run("down")
    live.up_json()

    assert "Item" in live.client("dynamodb").get_item(TableName=table, Key={"decision_id": {"S": "kept"}})


def test_a_fresh_start_begins_without_data(live: LiveCheckout):
    table = live.outputs()["services"]["moderation"]["decisionsTable"]
    live.client("dynamodb").put_item(TableName=table, Item={"decision_id": {"S": "gone"}})

    fresh = live.up("--fresh", "--json")

    tables = live.client("dynamodb").list_tables()["TableNames"]
    again = live.up_json()
    assert fresh.returncode == 0, fresh.stderr
    assert set(again["changes"]) == {"same"}
    assert set(json.loads(fresh.stdout)["changes"]) == {"create"}
    assert table not in tables


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_another_stack_is_previewed_as_new(sandbox: LiveCheckout, stack: str):
    preview = sandbox.run("preview", "--stack", stack, "--json")

    told = json.loads(preview.stdout)
    assert preview.returncode == 0, preview.stderr
    assert set(told["counts"]) == {"create"}
    assert told["stack"] == stack
