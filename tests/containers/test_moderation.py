"""Moderation in its container, held as Lambda holds it and called through the Runtime API."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from quintet.smoke.runner import run, select
from tests.containers.deployed import Deployed
from tests.containers.inside import WRITABLE
from tests.containers.lambda_container import GROUP, INIT_SECONDS, USER, LambdaContainer, Loop
from tests.services.moderation.conftest import http_event

INSULT = "You are a stupid idiot and everybody hates you."


@pytest.fixture
def moderate(container: LambdaContainer, loop: Loop) -> Callable[[str], dict[str, Any]]:
    """The function's answer to a text, as it gives it to the HTTP API."""

    def call(text: str) -> dict[str, Any]:
        return loop.run(container.call(http_event("POST", "/moderate", json.dumps({"text": text}))))

    return call


def status_of_process(container: LambdaContainer) -> dict[str, str]:
    """The kernel's /proc/<pid>/status of the function."""
    lines = container.python("print(open('/proc/1/status').read())").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_it_is_ready_within_the_time_that_lambda_gives(container: LambdaContainer, record_property):
    record_property("measured", f"moderation: init in its container {container.init_seconds:.2f} s")

    assert container.init_seconds < INIT_SECONDS


def test_it_answers_through_the_runtime_api(moderate):
    answer = moderate(INSULT)

    assert answer["statusCode"] == 200, answer
    body = json.loads(answer["body"])
    assert body["is_toxic"] is True
    assert set(body["scores"]) == {"toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"}


def test_the_decision_is_written_before_lambda_may_freeze_it(moderate, aws: Deployed):
    answer = moderate("Thank you for your help.")

    table = aws.function.environment["DECISIONS_TABLE"]
    key = {"decision_id": {"S": answer["headers"]["x-decision-id"]}}
    assert aws.world.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")


def test_it_registers_as_an_extension_to_write_after_the_answer(container: LambdaContainer):
    assert container.extensions == ["after-response"]


def test_the_second_call_is_warm(moderate, container: LambdaContainer):
    moderate("warm up")
    processes = container.inspected()["State"]["Pid"]

    answer = moderate("Thank you.")

    assert answer["statusCode"] == 200
    assert container.inspected()["State"]["Pid"] == processes
    assert container.inspected()["RestartCount"] == 0


def test_every_smoke_check_passes_through_the_api(container: LambdaContainer, aws: Deployed):
    endpoints = {"moderation": aws.url}

    results = list(run(select(["moderation"], endpoints), endpoints))

    assert results
    assert [f"{result.check} {result.message}" for result in results if not result.ok] == []


def test_its_role_allows_what_it_does(moderate, aws: Deployed):
    moderate("Thank you.")

    denied = aws.world.home / "logs" / "denials.jsonl"
    assert not denied.exists() or not denied.read_text()


def test_it_runs_as_whichever_user_lambda_chooses_and_without_capabilities(container: LambdaContainer):
    status = status_of_process(container)

    assert status["Uid"].split() == [str(USER)] * 4
    assert status["Gid"].split() == [str(GROUP)] * 4
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"


def test_it_can_write_to_tmp_only_and_has_changed_nothing_else(container: LambdaContainer, moderate):
    moderate("Thank you.")

    writable = container.python(WRITABLE).split()

    assert "/tmp" in writable
    assert [path for path in writable if not path.startswith("/tmp")] == []
    assert container.changed_files() == []


def test_there_is_no_shared_memory_and_no_list_of_processors(container: LambdaContainer):
    listed = container.python("import os; print(os.path.exists('/dev/shm'), os.listdir('/sys/devices/system/cpu'))")

    assert listed.split() == ["False", "[]"]


def test_it_stays_within_the_memory_of_its_function(container: LambdaContainer, moderate, record_property):
    moderate("Thank you.")

    resident_mb = int(status_of_process(container)["VmHWM"].split()[0]) / 1024
    limit_mb = container.inspected()["HostConfig"]["Memory"] / 1024**2

    record_property("measured", f"moderation: {resident_mb:.0f} MB at most of the function's {limit_mb:.0f} MB")
    assert limit_mb == container.spec.memory_mb
    assert container.inspected()["State"]["OOMKilled"] is False
    assert resident_mb < limit_mb


def test_it_logs_no_error(container: LambdaContainer, moderate):
    moderate("Thank you.")

    lines = [json.loads(line) for line in container.printed().splitlines() if line.startswith("{")]
    assert [line for line in lines if line.get("level") in {"ERROR", "CRITICAL"}] == []
