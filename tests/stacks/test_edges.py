"""Every arrow of the declared system has its grant, in every stack; a missing one is found and told."""

from collections.abc import Callable
from typing import Any

import pytest

from quintet.sandbox.engine.recording import Recording, record
from tests.stacks.declaring import KEY, STACKS
from tests.stacks.edges import problems
from tests.stacks.mistakes import changed, edited, unconditional, without

Program = Callable[..., Recording]

PERMISSION, ROLE, ROLE_POLICY = "aws:lambda/permission:Permission", "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
ROUTE, STAGE = "aws:apigatewayv2/route:Route", "aws:apigatewayv2/stage:Stage"
INTEGRATION, ALIAS = "aws:apigatewayv2/integration:Integration", "aws:lambda/alias:Alias"
FUNCTION, GROUP = "aws:lambda/function:Function", "aws:cloudwatch/logGroup:LogGroup"
TOPIC, TOPIC_POLICY, KMS_KEY = "aws:sns/topic:Topic", "aws:sns/topicPolicy:TopicPolicy", "aws:kms/key:Key"
BUCKET, BUCKET_POLICY = "aws:s3/bucket:Bucket", "aws:s3/bucketPolicy:BucketPolicy"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
REPOSITORY, PULL = "aws:ecr/repository:Repository", "aws:ecr/repositoryPolicy:RepositoryPolicy"
ALARM, SUBSCRIPTION = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:sns/topicSubscription:TopicSubscription"


@pytest.fixture(scope="module")
def dev(repository: Any) -> Recording:
    """The real program for dev, with somebody who gets mails."""
    return record("dev", overrides={"alarmEmails": ["a@example.com"]}, root=repository)


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"alarmEmails": ["a@example.com"], "kmsKey": KEY},
        {"moderationCorsOrigins": ["https://site.example"], "moderationAuthorization": "iam"},
    ],
    ids=["as-configured", "with-a-key-and-mails", "with-cors-and-sign-in"],
)
def test_every_arrow_has_its_grant(program: Program, stack: str, settings: dict[str, Any]) -> None:
    recording = program(stack, **settings)
    builder = program("dev") if stack in {"staging", "prod"} else recording

    assert problems(recording, images_of=builder) == []


Mistake = Callable[[Recording], Recording]

# what was forgotten, the beginning of what is told, what to do
MISTAKES: dict[str, tuple[Mistake, str, str]] = {
    "no permission": (
        lambda r: without(r, PERMISSION),
        "Route moderation-0-route: 'ANY /{path+}' calls quintet-dev-moderation-function",
        "Declare aws.lambda_.Permission(action='lambda:InvokeFunction'",
    ),
    "permission without the qualifier": (
        lambda r: changed(r, PERMISSION, qualifier=None),
        "Route moderation-0-route",
        "no permission with that qualifier allows: the API would answer 500. Declare aws.lambda_.Permission(",
    ),
    "permission of another stage": (
        lambda r: edited(r, PERMISSION, None, "sourceArn", old="/$default/", new="/test/"),
        "Route moderation-0-route",
        "no permission with that qualifier allows",
    ),
    "permission of one method": (
        lambda r: edited(r, PERMISSION, None, "sourceArn", old="/*/", new="/POST/"),
        "Route moderation-0-route",
        "no permission with that qualifier allows",
    ),
    "permission for every route": (
        lambda r: edited(r, PERMISSION, None, "sourceArn", old="/{path+}", new="/*"),
        "Route moderation-0-route",
        "its permission lets every route of the API. Declare exactly aws.lambda_.Permission(",
    ),
    "route to nowhere": (
        lambda r: changed(r, ROUTE, target="integrations/none"),
        "Route moderation-0-route: 'ANY /{path+}' leads nowhere",
        "Declare one",
    ),
    "integration with the function itself": (
        lambda r: edited(r, INTEGRATION, None, "integrationUri", old=":live/", new="/"),
        "Integration moderation-0-integration: it calls arn:aws:apigateway:",
        "Use the alias's `invoke_arn`",
    ),
    "no stage": (
        lambda r: without(r, STAGE),
        "Route moderation-0-route: its API has no stage",
        "Declare aws.apigatewayv2.Stage",
    ),
    "role that Lambda may not take": (
        lambda r: edited(r, ROLE, None, "assumeRolePolicy", old="lambda.", new="ecs-tasks."),
        "Function moderation-function: Role moderation-role does not trust lambda.amazonaws.com",
        "Let its assume_role_policy allow sts:AssumeRole",
    ),
    "no role": (
        lambda r: without(r, ROLE),
        "Function moderation-function: its role arn:aws:iam::123456789012:role/",
        "Declare aws.iam.Role",
    ),
    "role that may not write logs": (
        lambda r: edited(r, ROLE_POLICY, None, "policy", old="logs:PutLogEvents", new="logs:GetLogEvents"),
        "Function moderation-function: Role moderation-role may not logs:PutLogEvents in /aws/lambda/quintet-dev",
        "log-group:/aws/lambda/quintet-dev-moderation:*",
    ),
    "logs on the bare ARN of the group": (
        lambda r: edited(r, ROLE_POLICY, None, "policy", old="quintet-dev-moderation:*", new="quintet-dev-moderation"),
        "Function moderation-function: Role moderation-role may not logs:CreateLogStream",
        "quintet-dev-moderation:*",
    ),
    "no log group": (
        lambda r: without(r, GROUP, "moderation-logs"),
        "Function moderation-function: nobody declares its log group /aws/lambda/quintet-dev-moderation",
        "Declare aws.cloudwatch.LogGroup",
    ),
    "traces without a grant": (
        lambda r: edited(r, ROLE_POLICY, None, "policy", old="xray:PutTraceSegments", new="xray:GetTraceSummaries"),
        "Function moderation-function: it is traced, and Role moderation-role may not xray:PutTraceSegments",
        "Allow it on *",
    ),
    "image that Lambda may not pull": (
        lambda r: without(r, PULL),
        "Function moderation-function: the policy of Repository moderation-repository does not let lambda.amazonaws",
        'Add a statement that does: Principal {"Service": "lambda.amazonaws.com"}',
    ),
    "image that everybody's functions may pull": (
        lambda r: edited(r, PULL, None, "policy", old="123456789012:function", new="*:function"),
        "Function moderation-function: the policy of Repository moderation-repository lets lambda.amazonaws.com",
        'Add the condition: Principal {"Service": "lambda.amazonaws.com"}, Condition',
    ),
    "image that nobody builds": (
        lambda r: without(r, REPOSITORY, "moderation-repository"),
        "Function moderation-function: no stack declares the repository quintet-dev/moderation",
        "name that one in `imagesFrom`",
    ),
    "topic that alarms may not publish to": (
        lambda r: without(r, TOPIC_POLICY),
        "MetricAlarm moderation-errors: the policy of Topic alarms-topic does not let cloudwatch.amazonaws.com sns:Pub",
        'Condition {"StringEquals": {"aws:SourceAccount": "123456789012"}}',
    ),
    "topic that everybody's alarms may publish to": (
        lambda r: unconditional(r, TOPIC_POLICY, None),
        "MetricAlarm moderation-errors: the policy of Topic alarms-topic lets cloudwatch.amazonaws.com sns:Publish in",
        "Add the condition",
    ),
    "key that alarms may not use": (
        lambda r: edited(r, KMS_KEY, "alarms-key", "policy", old="cloudwatch.amazonaws.com", new="s3.amazonaws.com"),
        "MetricAlarm moderation-errors: the policy of Key alarms-key, which encrypts Topic alarms-topic, does not let",
        "Add a statement that does",
    ),
    "key that admits nobody": (
        lambda r: changed(r, TOPIC, kmsMasterKeyId="alias/aws/sns"),
        "MetricAlarm moderation-errors: Topic alarms-topic is encrypted by alias/aws/sns",
        "Give it a key of its own",
    ),
    "alarm that tells nobody": (
        lambda r: changed(r, ALARM, "moderation-errors", alarmActions=[], okActions=[]),
        "MetricAlarm moderation-errors: it tells nobody",
        "Give it `alarm_actions`",
    ),
    "alarm that tells a topic of somebody else's": (
        lambda r: changed(r, ALARM, "moderation-errors", okActions=["arn:aws:sns:us-east-1:123456789012:other"]),
        "MetricAlarm moderation-errors: it tells arn:aws:sns:us-east-1:123456789012:other, which is no declared topic",
        "Use the `arn` of one",
    ),
    "subscription to nothing": (
        lambda r: changed(r, SUBSCRIPTION, topic="arn:aws:sns:us-east-1:123456789012:other"),
        "TopicSubscription alarms-mail-0: its topic arn:aws:sns:us-east-1:123456789012:other is not declared",
        "Use the `arn` of one",
    ),
    "bucket that takes no logs": (
        lambda r: edited(r, BUCKET_POLICY, "access-logs-policy", "policy", old="logging.s3", new="logs.s3"),
        "BucketLogging moderation-models-logging: the policy of Bucket access-logs-bucket does not let logging.s3",
        'Condition {"StringEquals": {"aws:SourceAccount": "123456789012"}}',
    ),
    "bucket that takes everybody's logs": (
        lambda r: unconditional(r, BUCKET_POLICY, "access-logs-policy"),
        "BucketLogging moderation-models-logging: the policy of Bucket access-logs-bucket lets logging.s3",
        "Add the condition",
    ),
    "bucket that is not declared": (
        lambda r: without(r, BUCKET, "access-logs-bucket"),
        "BucketLogging moderation-models-logging: its logs go to quintet-dev-access-logs-bucket",
        "Use the name of one",
    ),
    "bucket of logs under a key": (
        lambda r: changed(
            r,
            ENCRYPTION,
            "access-logs-encryption",
            rules=[{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}}],
        ),
        "BucketLogging moderation-models-logging: its logs cannot be delivered into a bucket under a KMS key",
        "AES256",
    ),
    "access logs to nowhere": (
        lambda r: without(r, GROUP, "moderation-access-logs"),
        "Stage moderation-stage: its access logs go to arn:aws:logs:",
        "Use the `arn` of one",
    ),
    "access logs to a group that takes none": (
        lambda r: changed(r, GROUP, "moderation-access-logs", name="/apis/moderation"),
        "Stage moderation-stage: LogGroup moderation-access-logs is not under /aws/vendedlogs/",
        "delivery.logs.amazonaws.com",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_missing_grant_is_found_and_told(dev: Recording, mistake: str) -> None:
    make, beginning, advice = MISTAKES[mistake]

    found = problems(make(dev))

    assert any(sentence.startswith(beginning) and advice in sentence for sentence in found), "\n".join(found)


def test_nothing_is_told_of_the_program_as_it_is(dev: Recording) -> None:
    assert problems(dev) == []
