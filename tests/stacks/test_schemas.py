"""What is declared is what AWS takes: every input against the schema that CloudFormation publishes of its type."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from quintet.sandbox.engine.recording import Recording
from tests.stacks.cloudformation.shapes import SHAPES, WITHOUT_SCHEMA
from tests.stacks.cloudformation.template import UnmappedError, mistakes
from tests.stacks.declaring import ACCOUNT, EVERYTHING, STACKS, Declare, a_function, small_context

Program = Callable[[], object]
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_is_what_aws_takes(program: Callable[..., Recording], stack: str) -> None:
    assert mistakes(program(stack)) == []


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_every_option_is_what_aws_takes(program: Callable[..., Recording], stack: str) -> None:
    assert mistakes(program(stack, **EVERYTHING)) == []


def test_a_function_that_is_called_by_events_is_what_aws_takes(declare: Declare, tmp_path: Path) -> None:
    context = small_context(tmp_path / "context")

    assert mistakes(declare(lambda: a_function(context, asynchronous=True, provisioned_concurrency=1))) == []


def function(**changes: Any) -> Program:
    given = {
        "role": ROLE,
        "package_type": "Image",
        "image_uri": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/a@sha256:0",
    }
    return lambda: aws.lambda_.Function("f", **(given | changes))


def table(**changes: Any) -> Program:
    given: Any = {"hash_key": "id", "attributes": [{"name": "id", "type": "S"}], "billing_mode": "PAY_PER_REQUEST"}
    return lambda: aws.dynamodb.Table("t", **(given | changes))


def bucket(rule: dict[str, Any]) -> Program:
    def program() -> None:
        made = aws.s3.Bucket("b")
        rules: Any = [{"id": "a", "filter": {"prefix": ""}, "status": "Enabled"} | rule]
        aws.s3.BucketLifecycleConfiguration("b", bucket=made.bucket, rules=rules)

    return program


def versioned(status: str) -> None:
    made = aws.s3.Bucket("b")
    aws.s3.BucketVersioning("b", bucket=made.bucket, versioning_configuration={"status": status})


def alarm(**changes: Any) -> Program:
    given = {"comparison_operator": "GreaterThanThreshold", "evaluation_periods": 1, "metric_name": "m", "period": 60}
    given |= {"namespace": "n", "statistic": "Sum", "threshold": 1}
    return lambda: aws.cloudwatch.MetricAlarm("a", **(given | changes))


def policy(action: str) -> Program:
    document = (
        f'{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": "{action}", "Resource": "*"}}]}}'
    )
    return lambda: aws.iam.RolePolicy("p", role="r", policy=document)


SEEDED: list[tuple[Program, str]] = [
    (function(memory_size=64), "aws:lambda/function:Function f: MemorySize: 64 is less than the minimum of 128"),
    (function(memory_size=200_000), "MemorySize: 200000 is greater than the maximum of 32768"),
    (function(timeout=0), "Timeout: 0 is less than the minimum of 1"),
    (function(package_type="Container"), "PackageType: 'Container' is not one of ['Image', 'Zip']"),
    (function(role="r"), "Role: 'r' does not match '^arn:"),
    (function(architectures=["arm"]), "Architectures.0: 'arm' is not one of"),
    (function(name="a b"), "FunctionName: 'a b' does not match"),
    (function(ephemeral_storage={"size": 100}), "EphemeralStorage.Size: 100 is less than the minimum of 512"),
    (function(tracing_config={"mode": "On"}), "TracingConfig.Mode: 'On' is not one of ['Active', 'PassThrough']"),
    (table(attributes=[{"name": "id", "type": "X"}]), "Table t: AttributeDefinitions.0.AttributeType: 'X' is not"),
    (table(billing_mode="FREE"), "BillingMode: 'FREE' is not one of"),
    (bucket({"status": "On"}), "Bucket b: LifecycleConfiguration.Rules.0.Status: 'On' is not one of"),
    (lambda: versioned("On"), "Bucket b: VersioningConfiguration.Status: 'On' is not one of"),
    (alarm(comparison_operator="Above"), "MetricAlarm a: ComparisonOperator: 'Above' is not one of"),
    (alarm(treat_missing_data="fine"), "TreatMissingData: 'fine' is not one of"),
    (lambda: aws.kms.Key("k", deletion_window_in_days=3), "PendingWindowInDays: 3 is less than the minimum of 7"),
    (lambda: aws.kms.Key("k", key_usage="HASH"), "KeyUsage: 'HASH' is not one of"),
    (lambda: aws.cloudwatch.LogGroup("g", retention_in_days=31), "LogGroup g: RetentionInDays: 31 is not one of"),
    (lambda: aws.cloudwatch.LogGroup("g", name="a b"), "LogGroupName: 'a b' does not match"),
    (lambda: aws.sqs.Queue("q", message_retention_seconds=5), "RetentionPeriod: 5 is less than the minimum of 60"),
    (lambda: aws.ecr.Repository("r", name="Upper"), "Repository r: RepositoryName: 'Upper' does not match"),
    (lambda: aws.ec2.FlowLog("f", vpc_id="vpc-1", traffic_type="SOME"), "TrafficType: 'SOME' is not one of"),
    (lambda: aws.lb.TargetGroup("t", health_check={"interval": 1}), "HealthCheckIntervalSeconds: 1 is less than"),
    (lambda: aws.lb.Listener("l", load_balancer_arn="a", port=70_000, default_actions=[]), "Port: 70000 is greater"),
    (lambda: aws.eks.Cluster("c", role_arn="r", vpc_config={"subnet_ids": []}, upgrade_policy={"support_type": "X"}),
     "UpgradePolicy.SupportType: 'X' is not one of"),
    (lambda: aws.elasticache.User("u", user_id="u", user_name="u", engine="mongo", access_string="on"),
     "Engine: 'mongo' is not one of"),
    (policy("s3:GetObjct"), "RolePolicy p: PolicyDocument.Statement.0.Action: 'getobjct' is not one of"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "message"), SEEDED)
def test_what_aws_would_refuse_is_named(declare: Declare, program: Program, message: str) -> None:
    found = mistakes(declare(program))

    assert [text for text in found if message in text], found


def test_an_input_that_the_shape_does_not_know_is_named(declare: Declare) -> None:
    found = mistakes(declare(function(skip_destroy=True)))

    assert any("Additional properties are not allowed ('SkipDestroy' was unexpected)" in text for text in found)


def test_a_type_that_nobody_mapped_is_refused_by_name(declare: Declare) -> None:
    with pytest.raises(
        UnmappedError, match=r"aws:athena/workgroup:Workgroup w is declared, .* add its shape to SHAPES"
    ):
        mistakes(declare(lambda: aws.athena.Workgroup("w")))


def test_a_setting_of_a_bucket_that_is_not_declared_is_refused(declare: Declare) -> None:
    def program() -> None:
        aws.s3.BucketVersioning("v", bucket="other", versioning_configuration={"status": "Enabled"})

    with pytest.raises(LookupError, match=r"BucketVersioning v is about .*other.* declares no such aws:s3/bucket"):
        mistakes(declare(program))


def test_a_type_that_has_no_schema_is_left_out(declare: Declare) -> None:
    def program() -> None:
        provider = aws.Provider("aws", region="us-east-1")
        aws.s3.BucketObjectv2("o", bucket="b", key="k", opts=pulumi.ResourceOptions(provider=provider))

    assert mistakes(declare(program)) == []


@pytest.mark.parametrize("type_", sorted({shape.type for shape in SHAPES.values()}))
def test_a_shape_names_a_type_of_cloudformation(type_: str) -> None:
    assert PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_).schema["properties"]


def test_every_reason_is_written() -> None:
    reasons = [*WITHOUT_SCHEMA.values(), *(text for shape in SHAPES.values() for text in shape.left_out.values())]

    assert all(len(reason.split()) > 3 for reason in reasons)
    assert not WITHOUT_SCHEMA.keys() & SHAPES.keys()
