"""The function in a process of its own, started by Lambda's own runtime client."""

import json
import shutil
import subprocess
import sys
import time

from tests.services.conftest import PREFIX, ROOT
from tests.services.moderation.conftest import http_event
from tests.services.moderation.test_storage import ScriptedAws, leaving
from tests.services.tiny_model import write_model

HEAVY = ("torch", "transformers", "boto3", "botocore", "email_validator", "httpx", "onnx")
NOWHERE = "http://127.0.0.1:9"


def body(invocation) -> dict:
    return json.loads(invocation.response["body"])


def test_it_answers_and_then_logs_the_decision(aws, aws_lambda, model_on_disk):
    function = aws_lambda.start(aws.url, hash_key_id=aws.hash_key_id)

    invocation = function.moderate("you idiot")

    assert body(invocation)["is_toxic"] is True
    assert invocation.ended.wait(20), function.printed()
    decision = invocation.response["headers"]["x-decision-id"]
    assert aws.rows()[decision]["request_id"] == invocation.id


def test_a_slow_log_delays_the_end_of_the_invocation_and_not_the_answer(aws_lambda, model_on_disk):
    slow = ScriptedAws((1.0, *leaving(0)[1:]))
    function = aws_lambda.start(slow.url)
    first = function.moderate("warm up")
    assert first.ended.wait(20)
    asked = time.monotonic()

    invocation = function.moderate("hello")

    assert invocation.ended.wait(20)
    assert invocation.answered_at - asked < 0.5
    assert invocation.ended_at - asked > 1.0
    slow.server.shutdown()


def test_a_log_that_is_down_is_counted_and_the_next_request_is_answered(aws_lambda, model_on_disk):
    function = aws_lambda.start(NOWHERE)

    for _ in range(2):
        invocation = function.moderate("hello")
        assert invocation.response["statusCode"] == 200
        assert invocation.ended.wait(20)

    assert function.printed().count('"DecisionLogFailures":[1.0]') == 2


def test_its_model_comes_from_s3_when_the_disk_is_empty(aws, aws_lambda, tmp_path):
    folder = write_model(tmp_path / "published")
    for path in folder.iterdir():
        aws.client("s3").put_object(Bucket=aws.bucket, Key=PREFIX + path.name, Body=path.read_bytes())
    function = aws_lambda.start(aws.url, hash_key_id=aws.hash_key_id)

    assert body(function.call(http_event("GET", "/ready"))) == {"status": "ready", "model_version": "tiny-1"}


def test_it_initialises_even_when_its_model_cannot_be_had(aws_lambda):
    function = aws_lambda.start(NOWHERE)

    live = function.call(http_event("GET", "/health"))
    ready = function.call(http_event("GET", "/ready"))

    assert (live.response["statusCode"], ready.response["statusCode"]) == (200, 503)
    assert ready.response["headers"]["content-type"] == "application/problem+json"
    assert ready.response["isBase64Encoded"] is False


def test_a_missing_variable_fails_the_start_and_names_it_alone(aws_lambda, model_on_disk):
    function = aws_lambda.start(NOWHERE, DECISION_TTL_DAYS="soon", LOG_LEVEL="secret-value")
    function.process.wait(30)

    printed = function.printed()
    assert "decision_ttl_days" in printed
    assert "log_level" in printed
    assert "secret-value" not in printed


def test_a_body_that_is_no_unicode_is_a_problem_and_no_crash(aws_lambda, model_on_disk):
    function = aws_lambda.start(NOWHERE)

    invocation = function.call(http_event("POST", "/moderate", '{"text": "\udcff"}'))

    assert invocation.response["statusCode"] == 422


def test_an_event_without_body_is_a_problem(aws_lambda, model_on_disk):
    function = aws_lambda.start(NOWHERE)

    assert function.call(http_event("POST", "/moderate")).response["statusCode"] == 422


def test_nothing_heavy_is_imported_before_the_answer():
    # A module that is None in sys.modules raises when it is imported.
    forbid = f"import sys; sys.modules.update(dict.fromkeys({HEAVY}))"
    program = f"{forbid}; import services.moderation.app, services.moderation.moderator"

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_image_carries_every_module_that_the_function_imports(aws_lambda, model_on_disk, tmp_path):
    for source, target in copied_by_the_dockerfile():
        copy(ROOT / source, tmp_path / target.removeprefix("/"))
    code = tmp_path / "var/task"
    function = aws_lambda.start(NOWHERE, code=code, PYTHONPATH=str(code))

    invocation = function.moderate("you idiot")

    assert body(invocation)["is_toxic"] is True
    assert invocation.ended.wait(20)
    assert "EndpointConnectionError" in function.printed(), "the decision log was not reached"


def copied_by_the_dockerfile() -> list[tuple[str, str]]:
    lines = (ROOT / "services/moderation/Dockerfile").read_text().splitlines()
    copies = [line.split()[1:] for line in lines if line.startswith("COPY services")]
    assert copies
    return [(source, target) for source, target in copies]


def copy(source, target) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)
