"""With QUINTET_RECORD_CALLS, what roles were allowed to do is written down; without, nothing is."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from quintet.sandbox.calls import Call, CallLog, CallWriter
from quintet.sandbox.world import World
from tests.quintet.emulator.running import TRUST, policy, running_world

GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:/recorded"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An emulator that records calls."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("QUINTET_RECORD_CALLS", "1")
            running = running_world(tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("root"))
            world = stack.enter_context(running)
        yield world


def client_of_a_role(world: World, service: str, *statements: tuple[str, str], name: str) -> Any:
    role = world.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    world.client("iam").put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(*statements))
    keys = world.credentials(role, "session")
    session = boto3.session.Session(keys.access_key_id, keys.secret_access_key, keys.session_token, "us-east-1")
    return session.client(service, endpoint_url=world.url)


def log_of(world: World) -> CallLog[Call]:
    return CallLog(world.home / "logs" / "calls.jsonl", Call)


def test_an_allowed_call_is_noted_with_role_action_and_resource(recorded: World) -> None:
    bucket = "arn:aws:s3:::noted"
    recorded.client("s3").create_bucket(Bucket="noted")
    s3 = client_of_a_role(recorded, "s3", ("s3:PutObject", f"{bucket}/*"), name="writer")
    mark = log_of(recorded).mark()

    s3.put_object(Bucket="noted", Key="a/b", Body=b"")

    (call,) = log_of(recorded).since(mark)
    assert (call.role, call.action, call.resource) == ("writer", "s3:PutObject", f"{bucket}/a/b")


def test_a_call_is_noted_as_the_policy_was_asked(recorded: World) -> None:
    recorded.client("logs").create_log_group(logGroupName="/recorded")
    logs = client_of_a_role(recorded, "logs", ("logs:CreateLogStream", f"{GROUP}:*"), name="logger")
    mark = log_of(recorded).mark()

    logs.create_log_stream(logGroupName="/recorded", logStreamName="s")

    (call,) = log_of(recorded).since(mark)
    assert (call.action, call.resource) == ("logs:CreateLogStream", f"{GROUP}:log-stream:")


def test_neither_a_refused_call_nor_one_of_root_is_noted(recorded: World) -> None:
    sqs = client_of_a_role(recorded, "sqs", ("sqs:SendMessage", "*"), name="stranger")
    mark = log_of(recorded).mark()

    with pytest.raises(ClientError):
        sqs.create_queue(QueueName="none")
    recorded.client("sqs").create_queue(QueueName="of-root")

    assert log_of(recorded).since(mark) == []


def test_what_is_refused_to_nobody_is_not_noted(recorded: World) -> None:
    sts = client_of_a_role(recorded, "sts", ("sqs:SendMessage", "*"), name="curious")
    mark = log_of(recorded).mark()

    sts.get_caller_identity()

    assert log_of(recorded).since(mark) == []


def test_nothing_is_noted_unless_it_is_asked_for(world: World) -> None:
    sqs = client_of_a_role(world, "sqs", ("sqs:CreateQueue", "*"), name="unwatched")

    sqs.create_queue(QueueName="unwatched")

    assert not (world.home / "logs" / "calls.jsonl").exists()


def test_a_call_that_is_still_being_written_is_read_later(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "calls.jsonl"
    CallWriter(path).write("arn:aws:sts::1:assumed-role/reader/x", "s3:GetObject", "arn:aws:s3:::b/k")
    with path.open("a") as file:
        file.write('{"time":"t"')

    (call,) = CallLog(path, Call).since()

    assert (call.role, call.action) == ("reader", "s3:GetObject")
