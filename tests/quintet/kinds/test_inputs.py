"""Every input is realised or named as ignored; what AWS would refuse is refused, with a message that helps."""

from typing import Any

import pytest

from quintet.sandbox.engine.errors import SandboxError
from quintet.sandbox.kinds.base import KINDS, UNKNOWN, UnknownInputError
from quintet.sandbox.kinds.cloud import load_kinds
from tests.quintet.emulator.running import TRUST
from tests.quintet.kinds.deploying import Deployer
from tests.quintet.kinds.sdk import input_names

load_kinds()


@pytest.mark.parametrize("token", sorted(KINDS))
def test_a_kind_names_only_inputs_that_the_sdk_has(token: str) -> None:
    kind = KINDS[token]
    named = {*kind.consumed, *kind.ignored, *kind.replace_on, *filter(None, [kind.name_input])}

    assert named <= input_names(token)


@pytest.mark.parametrize("token", sorted(KINDS))
def test_every_ignored_input_has_a_reason(token: str) -> None:
    assert all(len(reason) > 10 for reason in KINDS[token].ignored.values())


def test_an_input_that_nobody_knows_is_refused_by_name(deploy: Deployer) -> None:
    with pytest.raises(UnknownInputError, match=r"aws:s3/bucket:Bucket x: .* `websiteColour`"):
        deploy.bucket(websiteColour="red")


TABLE = {"billingMode": "PAY_PER_REQUEST", "hashKey": "id", "attributes": [{"name": "id", "type": "S"}]}
IMAGE = {"packageType": "Image", "imageUri": "x/y@sha256:0", "role": "arn:aws:iam::123456789012:role/a"}
METRIC = {"comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1, "threshold": 1}
PROXY = {"apiId": "a", "integrationType": "AWS_PROXY"}

# type, inputs, what the message says
MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("aws:s3/bucket:Bucket", {"bucket": "Upper"}, "3 to 63 lower-case letters"),
    ("aws:s3/bucket:Bucket", {"bucket": "a"}, "3 to 63"),
    ("aws:s3/bucket:Bucket", {"bucket": "double..dot"}, "3 to 63"),
    ("aws:s3/bucket:Bucket", {"bucket": "under_score"}, "3 to 63"),
    ("aws:s3/bucketObjectv2:BucketObjectv2", {"bucket": "b", "key": "k", "content": "a", "contentBase64": "Yg=="},
     "one content, not `content` and `contentBase64`"),
    ("aws:s3/bucketPolicy:BucketPolicy", {"bucket": "b", "policy": "{"}, "not JSON"),
    ("aws:dynamodb/table:Table", TABLE | {"attributes": [{"name": "id", "type": "S"}, {"name": "n", "type": "S"}]},
     "`attributes` are id, n, and the keys of the table and its indexes are id"),
    ("aws:dynamodb/table:Table", TABLE | {"hashKey": "other"}, "want"),
    ("aws:dynamodb/table:Table", TABLE | {"ttl": {"enabled": True, "attribute": "x"}}, "does not realise `attribute`"),
    ("aws:dynamodb/table:Table", TABLE | {"billingMode": "FREE"}, "BillingMode is 'FREE'; allowed: PROVISIONED"),
    ("aws:dynamodb/table:Table", TABLE | {"attributes": [{"name": "id", "type": "X"}]}, "allowed: S, N, B"),
    ("aws:iam/role:Role", {"assumeRolePolicy": "no"}, "`assumeRolePolicy` is not JSON"),
    ("aws:iam/role:Role", {"assumeRolePolicy": TRUST, "name": "a b"}, "RoleName is 'a b'; allowed: what matches"),
    ("aws:iam/role:Role", {"assumeRolePolicy": TRUST, "maxSessionDuration": 60}, "at least 3600, at most 43200"),
    ("aws:iam/role:Role", {"assumeRolePolicy": TRUST, "name": "a" * 65}, "65 characters"),
    ("aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": 8}, "`retentionInDays` is 8; allowed: 0, 1, 3, 5, 7"),
    ("aws:cloudwatch/logGroup:LogGroup", {"name": "a b"}, "logGroupName is 'a b'"),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", METRIC, "either `metricName` or `metricQueries`"),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", METRIC | {"metricName": "a"}, "one of `statistic`"),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", METRIC | {"metricName": "a", "statistic": "Total"}, "SampleCount"),
    ("aws:cloudwatch/dashboard:Dashboard", {"dashboardBody": '{"widgets":[{}]}'}, "every widget needs `type`"),
    ("aws:lambda/function:Function", {"role": "r", "runtime": "python3.12"}, "does not realise the input `runtime`"),
    ("aws:lambda/function:Function", {"role": "r", "packageType": "Zip"}, '`packageType` "Image"'),
    ("aws:lambda/function:Function", IMAGE | {"environment": {"variables": {"AWS_REGION": "x"}}}, "AWS_REGION"),
    ("aws:lambda/function:Function", IMAGE, "there is no role"),
    ("aws:apigatewayv2/api:Api", {"protocolType": "WEBSOCKET"}, "HTTP, not WEBSOCKET"),
    ("aws:apigatewayv2/integration:Integration", PROXY, '`payloadFormatVersion` must be "2.0"'),
    ("aws:apigatewayv2/integration:Integration", PROXY | {"payloadFormatVersion": "2.0", "timeoutMilliseconds": 31000},
     "50 to 30000"),
    ("aws:apigatewayv2/stage:Stage", {"apiId": "a", "name": "$default"}, "`autoDeploy`"),
    ("aws:ecr/repository:Repository", {"name": "Upper"}, "repositoryName is 'Upper'"),
    ("aws:sns/topic:Topic", {"name": "a b"}, "letters, digits, hyphens"),
    ("aws:sqs/queue:Queue", {"name": "a.b"}, "letters, digits, hyphens"),
    ("aws:kms/key:Key", {"customerMasterKeySpec": "HMAC_256"}, "GENERATE_VERIFY_MAC"),
    ("aws:kms/key:Key", {"customerMasterKeySpec": "HMAC_256", "keyUsage": "GENERATE_VERIFY_MAC",
                         "enableKeyRotation": True}, "does not rotate"),
    ("aws:secretsmanager/secretVersion:SecretVersion", {"secretId": "s"}, "one of `secretString`"),
    ("random:index/randomPassword:RandomPassword", {"length": 2, "minLower": 3}, "`length` 2"),
    ("docker-build:index:Image", {"context": {"location": "../nowhere"}}, "there is no Dockerfile"),
]  # fmt: skip


@pytest.mark.parametrize(("token", "inputs", "message"), MISTAKES)
def test_what_aws_would_refuse_is_refused(deploy: Deployer, token: str, inputs: dict[str, Any], message: str) -> None:
    with pytest.raises((SandboxError, ValueError)) as error:
        deploy.make(token, **inputs)

    assert message in str(error.value)


def test_a_name_of_the_pattern_that_is_too_long_is_refused(deploy: Deployer) -> None:
    with pytest.raises(ValueError, match="AWS takes 63"):
        deploy.cloud.check("aws:s3/bucket:Bucket", "x", {}, {}, autoname="a" * 64)


def test_a_preview_may_hold_unknown_values(deploy: Deployer) -> None:
    inputs = IMAGE | {"role": UNKNOWN, "imageUri": UNKNOWN, "environment": {"variables": {"TABLE": UNKNOWN}}}

    assert deploy.cloud.check("aws:lambda/function:Function", "x", {}, inputs, autoname="a")["role"] == UNKNOWN
