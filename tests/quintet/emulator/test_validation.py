"""Every call is checked against the service's model, in what botocore skips."""

import time
from typing import Any

import pytest
from botocore.model import OperationModel, ServiceModel

from quintet.sandbox.aws import Clients
from quintet.sandbox.validation import InvalidParametersError, ParameterValidator, compile_pattern

SERVICES = (
    "apigatewayv2", "cloudwatch", "dynamodb", "ecr", "iam", "kms", "lambda", "logs", "s3", "secretsmanager",
    "sns", "sqs", "sts", "stepfunctions", "events", "ecs", "elbv2", "cloudfront", "cognito-idp", "codebuild",
    "scheduler", "route53", "acm", "budgets", "wafv2", "eks",
)  # fmt: skip

# service, operation, parameters, what the message says.
MISTAKES: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("lambda", "CreateFunction", {"FunctionName": "a b", "Role": "arn:aws:iam::123456789012:role/r", "Code": {}},
     ["FunctionName is 'a b'; allowed: what matches"]),
    ("lambda", "CreateFunction", {"FunctionName": "a", "Role": "r", "Code": {}, "MemorySize": 64, "Timeout": 0},
     ["Role is 'r'", "MemorySize is 64; allowed: at least 128", "Timeout is 0; allowed: at least 1"]),
    ("lambda", "CreateFunction", {"FunctionName": "a", "Code": {}, "Role": "arn:aws:iam::123456789012:role/r",
                                  "Architectures": ["arm"]}, ["Architectures[0] is 'arm'; allowed: x86_64, arm64"]),
    ("lambda", "CreateFunction", {"FunctionName": "a", "Code": {}, "Role": "arn:aws:iam::123456789012:role/r",
                                  "Environment": {"Variables": {"a b": "c"}}},
     ["a key of Environment.Variables is a value that is not shown; allowed: what matches [a-zA-Z]"]),
    ("dynamodb", "CreateTable", {"TableName": "a", "BillingMode": "FREE", "KeySchema": [], "AttributeDefinitions": []},
     ["BillingMode is 'FREE'; allowed: PROVISIONED, PAY_PER_REQUEST", "KeySchema is [], 0 items; allowed: at least 1"]),
    ("dynamodb", "PutItem", {"TableName": "", "Item": {}}, ["TableName is '', 0 characters"]),
    ("iam", "CreateRole", {"RoleName": "r" * 65, "AssumeRolePolicyDocument": "{}"}, ["65 characters", "at most 64"]),
    ("kms", "GenerateMac", {"KeyId": "k", "Message": b"", "MacAlgorithm": "MD5"},
     ["Message is 0 bytes", "MacAlgorithm is 'MD5'"]),
    ("logs", "CreateLogGroup", {"logGroupName": "a b"}, ["logGroupName is 'a b'"]),
    ("cloudwatch", "PutMetricAlarm", {"AlarmName": "a", "EvaluationPeriods": 0, "ComparisonOperator": "More"},
     ["EvaluationPeriods is 0; allowed: at least 1", "ComparisonOperator is 'More'"]),
    ("sqs", "ReceiveMessage", {"QueueUrl": "u", "MessageSystemAttributeNames": ["Sender"]}, ["[0] is 'Sender'"]),
    ("s3", "PutBucketVersioning", {"Bucket": "b", "VersioningConfiguration": {"Status": "On"}},
     ["VersioningConfiguration.Status is 'On'; allowed: Enabled, Suspended"]),
    ("apigatewayv2", "CreateIntegration", {"ApiId": "a", "IntegrationType": "LAMBDA"}, ["IntegrationType is 'LAMBDA'"]),
    ("ecr", "CreateRepository", {"repositoryName": "Upper"}, ["repositoryName is 'Upper'"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def clients() -> Clients:
    return Clients("http://127.0.0.1:1", "us-east-1")


def check(clients: Clients, service: str, operation: str, parameters: dict[str, Any]) -> None:
    clients.validator.check(clients.client(service).meta.service_model.operation_model(operation), parameters)


@pytest.mark.parametrize(("service", "operation", "parameters", "messages"), MISTAKES)
def test_a_mistake_is_named_with_its_place_its_value_and_what_is_allowed(
    clients: Clients, service: str, operation: str, parameters: dict[str, Any], messages: list[str]
) -> None:
    with pytest.raises(InvalidParametersError) as error:
        check(clients, service, operation, parameters)

    text = str(error.value)
    assert text.startswith(f"{service}.{operation}: AWS would refuse this: ")
    assert [message for message in messages if message not in text] == []


def test_a_call_through_boto3_is_checked_before_it_is_sent(clients: Clients) -> None:
    with pytest.raises(InvalidParametersError, match="logGroupName"):
        clients.client("logs").create_log_group(logGroupName="a b")


def test_a_right_call_passes(clients: Clients) -> None:
    nested = {"M": {"a": {"L": [{"S": "x"}, {"N": "1"}, {"NULL": True}]}}}

    check(clients, "dynamodb", "PutItem", {"TableName": "table", "Item": {"id": {"S": "1"}, "deep": nested}})
    check(clients, "lambda", "GetFunction", {"FunctionName": "name", "Qualifier": "$LATEST"})


def test_a_secret_value_is_not_shown(clients: Clients) -> None:
    with pytest.raises(InvalidParametersError) as error:
        check(clients, "secretsmanager", "CreateSecret", {"Name": "a", "SecretString": "hush" * 20_000})

    assert "SecretString is 80000 characters" in str(error.value)
    assert "hush" not in str(error.value)


def test_a_long_value_is_shortened(clients: Clients) -> None:
    with pytest.raises(InvalidParametersError) as error:
        check(clients, "iam", "CreateRole", {"RoleName": "x" * 5000, "AssumeRolePolicyDocument": "{}"})

    assert len(str(error.value)) < 400


def test_every_pattern_of_the_services_in_use_is_understood(clients: Clients) -> None:
    patterns = set()
    for service in SERVICES:
        model = clients.client(service).meta.service_model
        patterns |= {model.shape_for(name).metadata.get("pattern") for name in model.shape_names} - {None}

    assert [pattern for pattern in sorted(patterns) if compile_pattern(pattern) is None] == []
    assert len(patterns) > 200


def test_a_pattern_that_is_not_understood_is_listed() -> None:
    shapes = {
        "In": {"type": "structure", "members": {"A": {"shape": "S"}}},
        "S": {"type": "string", "pattern": "[a", "max": 3},
    }
    service = ServiceModel({"metadata": {}, "operations": {}, "shapes": shapes}, "made-up")
    operation = OperationModel({"name": "Do", "input": {"shape": "In"}}, service, "Do")
    validator = ParameterValidator()

    validator.check(operation, {"A": "xyz"})

    assert validator.not_compiled == {"[a"}


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", "a\U0001f600", "\n"),
        (r"[a\x{0022}]+", 'a"', "b"),
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "ä 1", "#"),
        (r"(?i)^a*+$", "AA", "b"),
    ],
)
def test_patterns_of_java_mean_what_they_mean_there(pattern: str, yes: str, no: str) -> None:
    compiled = compile_pattern(pattern)

    assert compiled is not None
    assert compiled.fullmatch(yes)
    assert not compiled.fullmatch(no)


def test_a_checked_call_costs_little(clients: Clients) -> None:
    item = {"TableName": "table", "Item": {f"a{n}": {"S": "x"} for n in range(10)}}
    check(clients, "dynamodb", "PutItem", item)

    started = time.perf_counter()
    for _ in range(200):
        check(clients, "dynamodb", "PutItem", item)

    assert (time.perf_counter() - started) / 200 < 0.001
