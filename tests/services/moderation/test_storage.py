"""The decision log against an emulated DynamoDB and KMS, and against ones that fail."""

import hashlib
import hmac
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from services.moderation.decisions import DAY_SHARDS, Decision, item, new_decision_id
from services.moderation.policy import DEFAULT_POLICY, LABELS
from services.moderation.storage import HASH_KEY_MESSAGE, DecisionLog, DecisionLogUnavailable
from tests.services.conftest import TABLE, use_aws

NOW = datetime(2026, 11, 20, 21, 45, 0, 123_456, tzinfo=UTC)


def decision(text="hello", **changes) -> Decision:
    known = {
        "decision_id": new_decision_id(),
        "decided_at": NOW,
        "text": text,
        "judgement": DEFAULT_POLICY.judge(dict.fromkeys(LABELS, 0.1) | {"insult": 0.7}),
        "model_version": "tiny-1",
        "policy_version": "default-1",
        "request_id": "request-1",
    }
    return Decision(**known | changes)


@pytest.fixture
def log(aws, monkeypatch) -> DecisionLog:
    use_aws(monkeypatch, aws.url)
    return DecisionLog(table=TABLE, hash_key_id=aws.hash_key_id, ttl_days=30)


class ScriptedAws:
    """Answers DynamoDB and KMS calls as told: a list of (seconds to wait, status, body), the last one for ever.

    The bodies are those of the AWS JSON protocol: an error's type is in `__type`, and BatchWriteItem answers what it
    did not take as UnprocessedItems.
    """

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.calls: list[dict] = []
        aws = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_args) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.headers["X-Amz-Target"].endswith("GenerateMac"):
                    self._send(200, {"Mac": "c2VjcmV0", "KeyId": "k"})
                    return
                aws.calls.append(body)
                seconds, status, answer = aws.answers.pop(0) if len(aws.answers) > 1 else aws.answers[0]
                time.sleep(seconds)
                self._send(status, answer(body) if callable(answer) else answer)

            def _send(self, status, answer) -> None:
                content = json.dumps(answer).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/x-amz-json-1.0")
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except BrokenPipeError:
                    pass  # the client gave up, as the test wants

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def log(self, monkeypatch, **changes) -> DecisionLog:
        use_aws(monkeypatch, self.url)
        return DecisionLog(**{"table": TABLE, "hash_key_id": "k", "ttl_days": 30, **changes})


@pytest.fixture
def scripted():
    made = []

    def make(*answers) -> ScriptedAws:
        made.append(ScriptedAws(*answers))
        return made[-1]

    yield make
    for aws in made:
        aws.server.shutdown()
        aws.server.server_close()


def throttled(kind="ProvisionedThroughputExceededException"):
    return (0, 400, {"__type": f"com.amazonaws.dynamodb.v20120810#{kind}", "message": "slow down"})


def leaving(count):
    def answer(body):
        requests = body["RequestItems"][TABLE]
        return {"UnprocessedItems": {TABLE: requests[-count:]} if count else {}}

    return (0, 200, answer)


def test_a_decision_becomes_a_row(log, aws):
    made = decision("a text")

    log.write([made])

    row = aws.rows()[made.decision_id]
    assert row["decided_at"] == "2026-11-20T21:45:00.123Z"
    assert row["expires_at"] == int((NOW + timedelta(days=30)).timestamp())
    assert row["scores"]["insult"] == Decimal("0.7")
    assert row["flagged"] == ["insult"]
    assert row["text_length"] == 6
    assert set(row) == set(item(made, hash_key=b"", ttl_days=1))


def test_the_text_is_hashed_with_the_key_that_kms_derives(log, aws):
    made = decision("a text")
    key = aws.client("kms").generate_mac(KeyId=aws.hash_key_id, Message=HASH_KEY_MESSAGE, MacAlgorithm="HMAC_SHA_256")

    log.write([made])

    expected = hmac.new(key["Mac"], b"a text", hashlib.sha256).hexdigest()
    assert aws.rows()[made.decision_id]["text_hash"] == expected


def test_rows_are_found_by_day_and_shard(log, aws):
    made = [decision() for _ in range(40)]
    log.write(made)
    table = aws.rows()

    shards = {table[one.decision_id]["day_shard"] for one in made}
    found = [
        row["decision_id"]["S"]
        for shard in range(DAY_SHARDS)
        for row in aws.client("dynamodb").query(
            TableName=TABLE,
            IndexName="by-day",
            KeyConditionExpression="day_shard = :d",
            ExpressionAttributeValues={":d": {"S": f"2026-11-20#{shard}"}},
        )["Items"]
    ]

    assert {one.decision_id for one in made} <= set(found)
    assert len(shards) > 3, "one shard would take all writes of a day"


def test_more_than_a_call_takes_is_written_in_several(scripted, monkeypatch):
    aws = scripted(leaving(0))

    aws.log(monkeypatch).write([decision() for _ in range(32)])

    assert [len(call["RequestItems"][TABLE]) for call in aws.calls] == [25, 7]


def test_what_was_not_taken_is_sent_again(scripted, monkeypatch):
    aws = scripted(leaving(7), leaving(2), leaving(0))
    waits = []

    aws.log(monkeypatch, sleep=waits.append).write([decision() for _ in range(10)])

    assert [len(call["RequestItems"][TABLE]) for call in aws.calls] == [10, 7, 2]
    assert 0.025 <= waits[0] <= 0.05 <= waits[1] <= 0.1


def test_what_is_never_taken_fails_within_the_time_allowed(scripted, monkeypatch):
    aws, now = scripted(leaving(3)), [0.0]

    def sleep(seconds):
        now[0] += seconds

    log = aws.log(monkeypatch, sleep=sleep, clock=lambda: now[0])

    with pytest.raises(DecisionLogUnavailable, match="3 may not be written: throttled, 3 left over"):
        log.write([decision() for _ in range(3)])

    assert 4 < now[0] <= 6


def test_a_throttled_call_is_repeated(scripted, monkeypatch):
    aws = scripted(throttled(), leaving(0))

    aws.log(monkeypatch).write([decision()])

    assert len(aws.calls) == 2


def test_lasting_throttling_is_told(scripted, monkeypatch):
    aws = scripted(throttled())

    with pytest.raises(DecisionLogUnavailable, match="BatchWriteItem: ProvisionedThroughputExceededException"):
        aws.log(monkeypatch).write([decision()])


def test_a_slow_log_is_not_waited_for_longer_than_its_timeouts(scripted, monkeypatch):
    aws = scripted((20, 200, {}))
    log, started = aws.log(monkeypatch), time.monotonic()

    with pytest.raises(DecisionLogUnavailable, match="ReadTimeoutError"):
        log.write([decision()])

    assert time.monotonic() - started < 8


def test_a_log_that_is_down_is_told():
    log = DecisionLog(table=TABLE, hash_key_id="k", ttl_days=30)

    with pytest.raises(DecisionLogUnavailable, match="1 may not be written: EndpointConnectionError"):
        log.write([decision()])


def test_a_role_that_may_not_write_is_told(aws, monkeypatch):
    iam = aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    allowed = {"Effect": "Allow", "Action": "kms:GenerateMac", "Resource": "*"}
    role = iam.create_role(
        RoleName="hashes-only", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    iam.put_role_policy(
        RoleName="hashes-only",
        PolicyName="p",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    )
    keys = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    use_aws(monkeypatch, aws.url, key=keys["AccessKeyId"], secret=keys["SecretAccessKey"], token=keys["SessionToken"])
    log = DecisionLog(table=TABLE, hash_key_id=aws.hash_key_id, ttl_days=30)

    with pytest.raises(DecisionLogUnavailable, match="BatchWriteItem: AccessDenied"):
        log.write([decision()])


def test_a_role_that_reads_writes_and_hashes_needs_no_other_action(aws, monkeypatch):
    iam = aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    allowed = {"Effect": "Allow", "Action": ["kms:GenerateMac", "dynamodb:BatchWriteItem"], "Resource": "*"}
    role = iam.create_role(
        RoleName="writes", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    iam.put_role_policy(
        RoleName="writes",
        PolicyName="p",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    )
    keys = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    use_aws(monkeypatch, aws.url, key=keys["AccessKeyId"], secret=keys["SecretAccessKey"], token=keys["SessionToken"])
    made = decision()

    DecisionLog(table=TABLE, hash_key_id=aws.hash_key_id, ttl_days=30).write([made])

    assert made.decision_id in aws.rows()


def test_a_key_that_cannot_be_used_is_told_and_asked_for_again(aws, monkeypatch, log):
    log._hash_key_id = "alias/none"
    with pytest.raises(DecisionLogUnavailable, match="GenerateMac: NotFoundException"):
        log.write([decision()])
    log._hash_key_id = aws.hash_key_id
    made = decision()

    log.write([made])

    assert made.decision_id in aws.rows()


def test_a_log_that_keeps_failing_is_given_a_pause_and_then_tried_again(scripted, monkeypatch):
    aws, now = scripted(throttled("AccessDeniedException")), [0.0]
    log = aws.log(monkeypatch, clock=lambda: now[0])
    for _ in range(3):
        with pytest.raises(DecisionLogUnavailable, match="may not be written"):
            log.write([decision()])
    calls = len(aws.calls)

    with pytest.raises(DecisionLogUnavailable, match="given a pause"):
        log.write([decision()])
    assert len(aws.calls) == calls

    now[0], aws.answers = 30.0, [leaving(0)]
    log.write([decision()])
    assert len(aws.calls) == calls + 1


def test_failures_with_a_success_between_them_give_no_pause(scripted, monkeypatch):
    aws = scripted(throttled("AccessDeniedException"), throttled("AccessDeniedException"), leaving(0))
    log = aws.log(monkeypatch)
    for _ in range(2):
        with pytest.raises(DecisionLogUnavailable):
            log.write([decision()])
    log.write([decision()])
    aws.answers = [throttled("AccessDeniedException"), leaving(0)]

    with pytest.raises(DecisionLogUnavailable, match="AccessDenied"):
        log.write([decision()])
    log.write([decision()])

    assert len(aws.calls) == 5


def test_no_message_carries_a_text(scripted, monkeypatch):
    made = decision("canary")

    with pytest.raises(DecisionLogUnavailable) as raised:
        scripted(throttled()).log(monkeypatch).write([made])

    assert "canary" not in f"{raised.value!r} {made!r} {made}"
