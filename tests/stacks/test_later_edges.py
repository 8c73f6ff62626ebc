"""Arrows that no service declares yet: events, dead letters, subscribers, trails, balancers, each with its mistake."""

import json
from collections.abc import Callable
from pathlib import Path

import pulumi_aws as aws
import pytest

from quintet.sandbox.engine.recording import Recording
from tests.stacks.declaring import ACCOUNT, Declare, small_context
from tests.stacks.edges import problems
from tests.stacks.edges.graph import Graph
from tests.stacks.later_arrows import (
    OF_ACCOUNT,
    a_role,
    a_rule,
    allow,
    document,
    tells_by_events,
    trains_every_night,
    writes_logs,
)
from tests.stacks.mistakes import changed, edited, unconditional, without

QUEUE_POLICY, TARGET = "aws:sqs/queuePolicy:QueuePolicy", "aws:cloudwatch/eventTarget:EventTarget"
ROLE, ROLE_POLICY, PERMISSION = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy", "aws:lambda/permission:Permission"
BUCKET_POLICY, KMS_KEY, TASK = (
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:kms/key:Key",
    "aws:ecs/taskDefinition:TaskDefinition",
)
RULE, TOPIC_POLICY = "aws:cloudwatch/eventRule:EventRule", "aws:sns/topicPolicy:TopicPolicy"


@pytest.fixture
def whole(declare: Declare, tmp_path: Path) -> Recording:
    """A program with every such arrow, and every grant."""
    context = small_context(tmp_path / "context")

    def program() -> None:
        trains_every_night()
        tells_by_events(context)
        writes_logs()

    return declare(program)


def test_complete_grants_are_no_problem(whole: Recording) -> None:
    assert problems(whole) == []


MISTAKES: dict[str, tuple[Callable[[Recording], Recording], str, str]] = {
    "roles that may not be passed on": (
        lambda r: edited(r, ROLE_POLICY, "starter-policy", "policy", old="iam:PassRole", new="iam:GetRole"),
        "EventTarget nightly-target: Role starter may not pass on the taskRoleArn of TaskDefinition training",
        "Allow iam:PassRole on arn:aws:iam::123456789012:role/",
    ),
    "tasks that may not be started": (
        lambda r: edited(r, ROLE_POLICY, "starter-policy", "policy", old="ecs:RunTask", new="ecs:StopTask"),
        "EventTarget nightly-target: Role starter may not ecs:RunTask",
        "Allow it on arn:aws:ecs:",
    ),
    "a role that EventBridge may not take": (
        lambda r: edited(r, ROLE, "starter", "assumeRolePolicy", old="events.", new="ecs."),
        "EventTarget nightly-target: Role starter does not trust events.amazonaws.com",
        "Let its assume_role_policy",
    ),
    "no role": (
        lambda r: changed(r, TARGET, "to-machine-target", roleArn=None),
        "EventTarget to-machine-target: it calls arn:aws:states:",
        "Give it `role_arn`",
    ),
    "a state machine that may not be started": (
        lambda r: without(r, ROLE_POLICY, "machine-starter-policy"),
        "EventTarget to-machine-target: Role machine-starter may not states:StartExecution",
        "Allow it on arn:aws:states:",
    ),
    "no task": (
        lambda r: without(r, TASK),
        "EventTarget nightly-target: its task arn:aws:ecs:",
        "Use the `arn` of a task definition",
    ),
    "no rule": (
        lambda r: without(r, RULE, "nightly"),
        "EventTarget nightly-target: its rule",
        "Use the `name` of one",
    ),
    "a task role that ECS may not take": (
        lambda r: edited(r, ROLE, "work", "assumeRolePolicy", old="ecs-tasks.", new="ecs."),
        "TaskDefinition training: Role work does not trust ecs-tasks.amazonaws.com",
        "Let its assume_role_policy",
    ),
    "a dead-letter queue of a rule that takes nothing": (
        lambda r: without(r, QUEUE_POLICY, "letters-policy"),
        "EventTarget nightly-target: the policy of its dead-letter queue arn:aws:sqs:",
        "does not let events.amazonaws.com sqs:SendMessage",
    ),
    "a queue that takes no events": (
        lambda r: without(r, QUEUE_POLICY, "inbox-policy"),
        "EventTarget to-queue-target: the policy of arn:aws:sqs:",
        "does not let events.amazonaws.com sqs:SendMessage",
    ),
    "a queue that takes everybody's events": (
        lambda r: unconditional(r, QUEUE_POLICY, "inbox-policy"),
        "EventTarget to-queue-target: the policy of arn:aws:sqs:",
        "in the name of any account. Add the condition",
    ),
    "a function that a rule may not call": (
        lambda r: without(r, PERMISSION, "by-rule"),
        "EventTarget to-function-target: the policy of arn:aws:lambda:",
        "does not let events.amazonaws.com lambda:InvokeFunction",
    ),
    "a permission without the alias": (
        lambda r: changed(r, PERMISSION, "by-rule", qualifier=None),
        "EventTarget to-function-target: the policy of arn:aws:lambda:",
        "does not let events.amazonaws.com lambda:InvokeFunction",
    ),
    "a topic under a condition that EventBridge cannot meet": (
        lambda r: conditional(r, TOPIC_POLICY, "news-policy"),
        "EventTarget to-topic-target: the policy of Topic news does not let events.amazonaws.com sns:Publish",
        'Principal {"Service": "events.amazonaws.com"}',
    ),
    "a key under a condition that EventBridge cannot meet": (
        lambda r: conditional(r, KMS_KEY, "topic-key"),
        "EventTarget to-topic-target: the policy of Key topic-key, which encrypts Topic news, does not let",
        'Principal {"Service": "events.amazonaws.com"}',
    ),
    "a function that a topic may not call": (
        lambda r: without(r, PERMISSION, "by-topic"),
        "TopicSubscription to-subscriber: the policy of arn:aws:lambda:",
        "does not let sns.amazonaws.com lambda:InvokeFunction",
    ),
    "a queue that takes no messages": (
        lambda r: without(r, QUEUE_POLICY, "subscriber-policy"),
        "TopicSubscription to-subscribed-queue: the policy of arn:aws:sqs:",
        "does not let sns.amazonaws.com sqs:SendMessage",
    ),
    "dead letters that a function may not send": (
        lambda r: edited(r, ROLE_POLICY, "echo-role-policy", "policy", old="sqs:SendMessage", new="sqs:ReceiveMessage"),
        "Function echo-function: Role echo-role may not sqs:SendMessage to its dead-letter target",
        "Allow it on arn:aws:sqs:",
    ),
    "dead letters to nowhere": (
        lambda r: without(r, "aws:sqs/queue:Queue", "echo-dead-letters"),
        "Function echo-function: its dead-letter target arn:aws:sqs:",
        "Declare the queue or topic",
    ),
    "a bucket that takes no trail": (
        lambda r: edited(r, BUCKET_POLICY, "audit-policy", "policy", old="/trail/AWSLogs", new="/AWSLogs"),
        "Trail trail: the policy of Bucket audit does not let cloudtrail.amazonaws.com s3:PutObject",
        "Add a statement that does",
    ),
    "a bucket whose owner no trail may ask for": (
        lambda r: edited(r, BUCKET_POLICY, "audit-policy", "policy", old="s3:GetBucketAcl", new="s3:GetBucketTagging"),
        "Trail trail: the policy of Bucket audit does not let cloudtrail.amazonaws.com s3:GetBucketAcl",
        "Add a statement that does",
    ),
    "a bucket that takes everybody's trails": (
        lambda r: unconditional(r, BUCKET_POLICY, "audit-policy"),
        "Trail trail: the policy of Bucket audit lets cloudtrail.amazonaws.com s3:PutObject in the name of any account",
        "Add the condition",
    ),
    "a key that no trail may use": (
        lambda r: edited(r, KMS_KEY, "trail-key", "policy", old="cloudtrail.", new="logs."),
        "Trail trail: the policy of Key trail-key does not let cloudtrail.amazonaws.com kms:GenerateDataKey",
        "Add a statement that does",
    ),
    "a bucket that takes no logs of balancers": (
        lambda r: edited(r, BUCKET_POLICY, "audit-policy", "policy", old="logdelivery.", new=""),
        "LoadBalancer balancer: the policy of Bucket audit does not let logdelivery.elasticloadbalancing.amazonaws.com",
        "Add a statement that does",
    ),
}


def conditional(recording: Recording, type_: str, name: str) -> Recording:
    """The program with a condition on the account in every statement of a policy."""
    policy = json.loads(recording.one(type_, name=name).inputs["policy"])
    for statement in policy["Statement"]:
        statement["Condition"] = OF_ACCOUNT
    return changed(recording, type_, name, policy=json.dumps(policy))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_missing_grant_is_found_and_told(whole: Recording, mistake: str) -> None:
    make, beginning, advice = MISTAKES[mistake]

    found = problems(make(whole))

    assert any(sentence.startswith(beginning) and advice in sentence for sentence in found), "\n".join(found)


def test_a_target_that_no_check_knows_is_no_silent_pass(declare: Declare) -> None:
    recording = declare(lambda: a_rule("odd", f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/odd"))

    with pytest.raises(NotImplementedError, match="what lets EventBridge call kinesis"):
        problems(recording)


def test_a_subscriber_that_no_check_knows_is_no_silent_pass(declare: Declare) -> None:
    def program() -> None:
        topic = aws.sns.Topic("news")
        aws.sns.TopicSubscription("odd", topic=topic.arn, protocol="firehose", endpoint="arn:aws:firehose:x")

    with pytest.raises(NotImplementedError, match="what lets SNS deliver by firehose"):
        problems(declare(program))


def test_an_attached_policy_counts_as_the_role_s_own(declare: Declare) -> None:
    def program() -> None:
        role = a_role("reader", "lambda.amazonaws.com")
        policy = aws.iam.Policy("reading", policy=document(allow("s3:GetObject", "arn:aws:s3:::models/*")))
        aws.iam.RolePolicyAttachment("reading-reader", role=role.name, policy_arn=policy.arn)

    recording = declare(program)

    graph, role = Graph(recording, recording), recording.one(ROLE)
    assert graph.role_may(role, "s3:GetObject", "arn:aws:s3:::models/a")
    assert not graph.role_may(role, "s3:PutObject", "arn:aws:s3:::models/a")
