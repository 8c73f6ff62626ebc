"""What people are told of pods: in the status, in logs, and of a rollout that failed."""

import pytest

from quintet.checkout import Checkout
from quintet.commands.status import _print
from quintet.errors import Exit
from quintet.sandbox.endpoints import Endpoint, endpoint, endpoints
from quintet.sandbox.engine.errors import ResourceFailedError, SandboxError
from quintet.sandbox.events import explain
from quintet.sandbox.kubernetes.errors import RolloutError
from quintet.sandbox.kubernetes.fields import DEPLOYMENT, SERVICE, ignored
from quintet.sandbox.logs import concerns

POD = {"name": "web-a-b", "variant": "canary", "ready": False, "restarts": 2, "address": "127.1.2.3", "port": 8000,
       "reason": "CrashLoopBackOff: it\nended", "note": ""}  # fmt: skip


def document(**changes: object) -> dict:
    service = {"url": "http://x", "state": "healthy", "pods": [{**POD, **changes}]}
    aws = {"endpoint_url": "http://y", "region": "us-east-1"}
    return {"stack": "sandbox", "aws": aws, "services": {"web": service}, "declared_only": []}


def test_the_status_has_a_line_for_each_pod(capsys: pytest.CaptureFixture[str]) -> None:
    _print(document())

    lines = capsys.readouterr().out.splitlines()
    line = next(line for line in lines if line.startswith("web-a-b"))
    assert line.split() == ["web-a-b", "canary", "no", "2", "127.1.2.3:8000", "CrashLoopBackOff:", "it", "ended"]


def test_the_status_says_what_stands_in_for_another_program(capsys: pytest.CaptureFixture[str]) -> None:
    _print(document(reason="", ready=True, note="this machine has no nginx"))

    assert "this machine has no nginx" in capsys.readouterr().out


def test_a_pod_that_speaks_of_its_manifest_is_no_missing_model_of_the_checkout(tmp_path) -> None:
    failed = ResourceFailedError("urn:pulumi:s::p::t::n", RolloutError("it said: manifest.json is not in the bucket"))

    failed.__cause__ = RuntimeError("what the SDK made of it")

    told = explain(failed, Checkout(tmp_path, tmp_path), told=(SandboxError,))

    assert told.exit_code is Exit.FAILED
    assert "manifest.json is not in the bucket" in told.message


def test_an_endpoint_is_read_with_the_usual_path_of_health_or_its_own() -> None:
    read = endpoints({"endpoints": {"a": {"url": "u"}, "b": {"url": "u", "health": "/healthz"}}})

    assert read == {"a": Endpoint("u", "/health"), "b": Endpoint("u", "/healthz")}
    assert [endpoint(each.told) for each in read.values()] == list(read.values())
    assert [sorted(each.told) for each in read.values()] == [["url"], ["health", "url"]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("quintet-sandbox-web", True), ("web", True), ("web-nginx", True), ("webs", False), ("other", False)],
)
def test_a_thing_is_of_the_service_whose_name_is_a_part_of_its_own(name: str, expected: bool) -> None:
    assert concerns(name, "web") is expected


def test_every_field_that_is_taken_and_changes_nothing_has_a_reason() -> None:
    reasons = ignored(DEPLOYMENT) | ignored(SERVICE)

    assert "template.spec.containers.securityContext" in reasons
    assert all(len(reason) > 10 for reason in reasons.values())
