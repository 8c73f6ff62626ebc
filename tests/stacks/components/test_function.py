from pathlib import Path
from typing import Any

import pulumi
import pytest

from quintet.sandbox.engine.recording import Recording
from stacks.components.arguments import ArgumentsError
from stacks.components.function import ContainerLambdaArgs
from stacks.components.hash_key import HashKey
from stacks.components.uses import policy_document
from tests.stacks.declaring import KEY, Declare, a_function, granted, parsed, small_context, statements

FUNCTION, ALARM = "aws:lambda/function:Function", "aws:cloudwatch/metricAlarm:MetricAlarm"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    return small_context(tmp_path / "context")


def declared(declare: Declare, context: Path, **changes: Any) -> Recording:
    return declare(lambda: a_function(context, **changes))


def test_a_function_runs_its_handler_from_the_image_by_digest(declare: Declare, context: Path) -> None:
    function = declared(declare, context).one(FUNCTION).inputs

    assert function["packageType"] == "Image"
    assert "@sha256:" in function["imageUri"]
    assert function["imageConfig"] == {"commands": ["app.main.handler"]}
    assert function["architectures"] == ["x86_64"]
    assert (function["memorySize"], function["timeout"]) == (1769, 29)
    assert function["tracingConfig"] == {"mode": "Active"}
    assert not {"reservedConcurrentExecutions", "deadLetterConfig", "vpcConfig"} & function.keys()


def test_every_size_can_be_given(declare: Declare, context: Path) -> None:
    changes = {"memory_mb": 512, "timeout_seconds": 5, "scratch_mb": 1024, "reserved_concurrency": 3}

    function = declared(declare, context, **changes).one(FUNCTION).inputs

    assert (function["memorySize"], function["timeout"]) == (512, 5)
    assert function["ephemeralStorage"] == {"size": 1024}
    assert function["reservedConcurrentExecutions"] == 3


def test_the_alias_follows_the_published_version(declare: Declare, context: Path) -> None:
    recording = declared(declare, context)

    function, alias = recording.one(FUNCTION), recording.one("aws:lambda/alias:Alias")
    assert function.inputs["publish"] is True
    assert alias.inputs["name"] == "live"
    assert alias.inputs["functionVersion"] == function.outputs["version"]
    assert alias.property_dependencies["functionVersion"] == (function.urn,)


def test_the_log_group_is_there_first_and_expires(declare: Declare, context: Path) -> None:
    recording = declared(declare, context, log_retention_days=7, kms_key_arn=KEY)

    group, function = recording.one("aws:cloudwatch/logGroup:LogGroup"), recording.one(FUNCTION)
    assert group.inputs["name"] == "/aws/lambda/quintet-test-echo"
    assert (group.inputs["retentionInDays"], group.inputs["kmsKeyId"]) == (7, KEY)
    assert function.inputs["loggingConfig"] == {"logFormat": "JSON", "logGroup": group.inputs["name"]}
    assert group.urn in function.dependencies


def test_the_role_may_write_logs_and_traces_and_nothing_else(declare: Declare, context: Path) -> None:
    recording = declared(declare, context)

    arn = recording.one("aws:cloudwatch/logGroup:LogGroup").outputs["arn"]
    assert granted(recording) == {
        "logs:CreateLogStream": [f"{arn}:*"],
        "logs:PutLogEvents": [f"{arn}:*"],
        "xray:PutTelemetryRecords": ["*"],
        "xray:PutTraceSegments": ["*"],
    }


def test_every_wildcard_of_the_role_has_a_reason(declare: Declare, context: Path) -> None:
    policy = declared(declare, context).one("aws:iam/rolePolicy:RolePolicy")

    wild = [item for item in statements(policy) if any("*" in text for text in (*item["Action"], *item["Resource"]))]
    assert len(wild) == 2
    assert all(item["Sid"] for item in wild)


def test_the_function_waits_for_its_policy_and_for_the_right_to_pull(declare: Declare, context: Path) -> None:
    recording = declared(declare, context)

    function = recording.one(FUNCTION)
    assert recording.one("aws:iam/rolePolicy:RolePolicy").urn in function.dependencies
    assert recording.one("aws:ecr/repositoryPolicy:RepositoryPolicy").urn in function.dependencies


def test_a_use_is_a_variable_and_a_permission_in_one_word(declare: Declare, context: Path) -> None:
    def program() -> None:
        key = HashKey("texts")
        a_function(context, uses={"KEY": key.mac()}, environment={"MODE": "quick"})

    recording = declare(program)

    arn = recording.one("aws:kms/key:Key", name="texts-key").outputs["arn"]
    assert recording.one(FUNCTION).inputs["environment"] == {"variables": {"KEY": arn, "MODE": "quick"}}
    assert granted(recording)["kms:GenerateMac"] == [arn]


def test_the_function_waits_for_what_it_is_told_to(declare: Declare, context: Path) -> None:
    def program() -> None:
        first = pulumi.CustomResource("aws:sns/topic:Topic", "first")
        a_function(context, after=[first])

    recording = declare(program)

    assert recording.one("aws:sns/topic:Topic", name="first").urn in recording.one(FUNCTION).dependencies


def test_warm_instances_are_kept_on_the_alias(declare: Declare, context: Path) -> None:
    kind = "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig"

    warm = declared(declare, context, provisioned_concurrency=2).one(kind).inputs

    assert (warm["qualifier"], warm["provisionedConcurrentExecutions"]) == ("live", 2)
    assert declared(declare, context).of(kind) == []


def test_errors_throttles_and_slowness_of_the_alias_are_watched(declare: Declare, context: Path) -> None:
    recording = declared(declare, context, timeout_seconds=10)

    alarms = {item.inputs["metricName"]: item.inputs for item in recording.of(ALARM)}
    name = recording.one(FUNCTION).outputs["name"]
    assert set(alarms) == {"Errors", "Throttles", "Duration"}
    assert all(item["dimensions"] == {"FunctionName": name, "Resource": f"{name}:live"} for item in alarms.values())
    assert (alarms["Duration"]["extendedStatistic"], alarms["Duration"]["threshold"]) == ("p99", 8000)
    assert (alarms["Errors"]["statistic"], alarms["Errors"]["threshold"]) == ("Sum", 1)


def test_events_that_fail_for_good_wait_where_somebody_sees_them(declare: Declare, context: Path) -> None:
    recording = declared(declare, context, asynchronous=True)

    queue = recording.one("aws:sqs/queue:Queue")
    alarm = recording.one(ALARM, name="echo-dead-letters-waiting").inputs
    assert queue.inputs["sqsManagedSseEnabled"] is True
    assert queue.inputs["messageRetentionSeconds"] == 14 * 86_400
    assert recording.one(FUNCTION).inputs["deadLetterConfig"] == {"targetArn": queue.outputs["arn"]}
    assert granted(recording)["sqs:SendMessage"] == [queue.outputs["arn"]]
    assert alarm["dimensions"] == {"QueueName": queue.outputs["name"]}


def test_invoking_is_allowed_on_the_alias_alone(declare: Declare, context: Path) -> None:
    def program() -> None:
        use = a_function(context).invoke()
        pulumi.export("policy", policy_document(use.statements))
        pulumi.export("identifier", use.identifier)

    recording = declare(program)

    arn = recording.one("aws:lambda/alias:Alias").outputs["arn"]
    [invoke] = parsed(recording.outputs["policy"])["Statement"]
    assert recording.outputs["identifier"] == arn
    assert invoke == {"Effect": "Allow", "Action": ["lambda:InvokeFunction"], "Resource": [arn]}


def test_a_role_is_taken_by_lambda_only(declare: Declare, context: Path) -> None:
    role = declared(declare, context).one("aws:iam/role:Role")

    [trust] = statements(role, "assumeRolePolicy")
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"handler": "handler"}, "handler is 'handler'; allowed is package.module.function"),
        ({"memory_mb": 64}, "memory_mb is 64; allowed are 128 to 10240 MB"),
        ({"timeout_seconds": 901}, "timeout_seconds is 901; allowed are 1 to 900 seconds"),
        ({"scratch_mb": 100}, "scratch_mb is 100"),
        ({"log_retention_days": 2}, "log_retention_days is 2; allowed are 1, 3, 5"),
        ({"reserved_concurrency": -1}, "reserved_concurrency is -1"),
        ({"reserved_concurrency": 2, "provisioned_concurrency": 3}, "provisioned_concurrency is 3; allowed are 0 to 2"),
        ({"provisioned_concurrency": -1}, "provisioned_concurrency is -1"),
        ({"environment": {"AWS_REGION": "x"}}, "AWS_REGION is Lambda's own"),
        ({"environment": {"lower": "x"}}, "a variable is 'lower'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    declare: Declare, context: Path, changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(Exception, match=complaint) as refused:
        declared(declare, context, **changes)

    assert "ContainerLambdaArgs" in str(refused.value)


def test_a_variable_is_given_once(declare: Declare, context: Path) -> None:
    def program() -> None:
        a_function(context, uses={"KEY": HashKey("texts").mac()}, environment={"KEY": "x"})

    with pytest.raises(Exception, match="KEY is both in uses and in environment"):
        declare(program)


def test_arguments_are_refused_before_anything_is_declared() -> None:
    with pytest.raises(ArgumentsError):
        ContainerLambdaArgs(image=None, alarms=None, handler="x")  # type: ignore[arg-type]  refused for the handler


def test_the_component_is_the_parent_of_all_it_makes(declare: Declare, context: Path) -> None:
    recording = declared(declare, context)

    component = recording.one("quintet:compute:ContainerLambda")
    assert recording.one(FUNCTION).parent == component.urn
    assert all(item.parent == component.urn for item in recording.of(ALARM))
