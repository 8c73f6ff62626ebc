"""Every kind is made, read, changed, read, deleted and read again on a real emulator."""

import itertools
import json
from typing import Any

import pytest

from quintet.sandbox.kinds.base import KINDS
from quintet.sandbox.kinds.cloud import load_kinds
from tests.quintet.emulator.running import TRUST, policy
from tests.quintet.kinds.cache_lives import CACHE_LIVES
from tests.quintet.kinds.deploying import Deployer, Made
from tests.quintet.kinds.life import Life, with_
from tests.quintet.kinds.network_lives import NETWORK_LIVES
from tests.quintet.kinds.sdk import output_names

load_kinds()

NUMBERS = itertools.count(1)
AWS_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def bucket(d: Deployer, **more: Any) -> dict[str, Any]:
    return {"bucket": d.bucket()["bucket"], **more}


def api(d: Deployer, **more: Any) -> dict[str, Any]:
    return {"apiId": d.make("aws:apigatewayv2/api:Api", protocolType="HTTP").id, **more}


def group(d: Deployer) -> str:
    return str(d.make("aws:cloudwatch/logGroup:LogGroup")["name"])


def topic(d: Deployer) -> str:
    return str(d.make("aws:sns/topic:Topic")["arn"])


def alarm(d: Deployer) -> str:
    return str(d.make("aws:cloudwatch/metricAlarm:MetricAlarm", **METRIC)["name"])


def function(d: Deployer) -> Made:
    return d.function()


def domain(d: Deployer) -> dict[str, Any]:
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
    configuration = {"certificateArn": certificate, "endpointType": "REGIONAL", "securityPolicy": "TLS_1_2"}
    return {"domainName": f"a{next(NUMBERS)}.example.com", "domainNameConfiguration": configuration}


def mapping(d: Deployer) -> dict[str, Any]:
    of = api(d)
    d.make("aws:apigatewayv2/stage:Stage", name="$default", autoDeploy=True, **of)
    made = d.make("aws:apigatewayv2/domainName:DomainName", **domain(d))
    return {**of, "domainName": made.id, "stage": "$default"}


def permission(d: Deployer) -> dict[str, Any]:
    made = function(d)
    return {
        "function": made["name"],
        "action": "lambda:InvokeFunction",
        "principal": "apigateway.amazonaws.com",
        "qualifier": made["version"],
        "sourceArn": "arn:aws:execute-api:us-east-1:123456789012:abc/*",
    }


def provisioned(d: Deployer) -> dict[str, Any]:
    made = function(d)
    return {"functionName": made["name"], "qualifier": made["version"], "provisionedConcurrentExecutions": 1}


def live(d: Deployer) -> dict[str, Any]:
    made = function(d)
    return {"name": "live", "functionName": made["arn"], "functionVersion": made["version"]}


def queue_policy(d: Deployer) -> dict[str, Any]:
    queue = d.make("aws:sqs/queue:Queue")
    return {"queueUrl": queue["url"], "policy": open_to("sqs:SendMessage", queue["arn"])}


def open_to(action: str, resource: str, *, sid: str = "a") -> str:
    statement = {"Sid": sid, "Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}}
    whole = {**statement, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [whole]})


def lifecycle(days: int) -> str:
    selection = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days}
    return json.dumps({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})


def pull(action: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": action}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def image(d: Deployer) -> dict[str, Any]:
    inputs = d.image().inputs
    return {key: value for key, value in inputs.items() if key != "contextHash"}


METRIC = {
    "comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1, "metricName": "Errors",
    "namespace": "Quintet", "period": 60, "statistic": "Sum", "threshold": 1, "dimensions": {"service": "moderation"},
}  # fmt: skip
TABLE = {
    "billingMode": "PAY_PER_REQUEST",
    "hashKey": "decision_id",
    "attributes": [
        {"name": "decision_id", "type": "S"}, {"name": "day_shard", "type": "S"}, {"name": "decided_at", "type": "S"},
    ],
    "globalSecondaryIndexes": [
        {"name": "by-day", "hashKey": "day_shard", "rangeKey": "decided_at", "projectionType": "ALL"}
    ],
    "ttl": {"attributeName": "expires_at", "enabled": True},
    "pointInTimeRecovery": {"enabled": True},
    "serverSideEncryption": {"enabled": True},
    "tags": {"service": "moderation", "old": "1"},
}  # fmt: skip
RULES = [
    {"id": "all", "status": "Enabled", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}, "filter": {}},
    {
        "id": "some", "status": "Enabled", "expiration": {"days": 90},
        "filter": {"and": {"prefix": "a/", "tags": {"x": "y"}}},
        "noncurrentVersionExpiration": {"noncurrentDays": 30, "newerNoncurrentVersions": 3},
        "transitions": [{"days": 60, "storageClass": "GLACIER_IR"}],
    },
]  # fmt: skip
SSE = [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]
KMS = [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}, "bucketKeyEnabled": True}]
BODY = json.dumps({"widgets": [{"type": "text", "width": 6, "height": 6, "properties": {"markdown": "hello"}}]})
METRICS = {"name": "Errors", "namespace": "Quintet", "value": "1", "defaultValue": "0"}
CORS = {"allowOrigins": ["https://a.example"], "allowMethods": ["POST"], "maxAge": 60}
ACCESS_LOG = {"destinationArn": "arn:aws:logs:us-east-1:123456789012:log-group:a", "format": "$context.requestId"}
MUTABILITY = {
    "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
    "imageTagMutabilityExclusionFilters": [{"filter": "cache-*", "filterType": "WILDCARD"}],
}
PUBLIC = {"blockPublicAcls": True, "blockPublicPolicy": True, "ignorePublicAcls": True}

LIVES = [
    Life("aws:s3/bucket:Bucket", lambda d: {"tags": {"a": "1"}}, with_(tags={})),
    Life("aws:s3/bucketVersioning:BucketVersioning", lambda d: bucket(d, versioningConfiguration={"status": "Enabled"}),
         with_(versioningConfiguration={"status": "Suspended"}), outlives=True),
    Life("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
         lambda d: bucket(d, rules=SSE), with_(rules=KMS), outlives=True),
    Life("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", lambda d: bucket(d, **PUBLIC),
         with_(restrictPublicBuckets=True)),
    Life("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", lambda d: bucket(d, rules=RULES),
         with_(rules=RULES[:1])),
    Life("aws:s3/bucketLogging:BucketLogging",
         lambda d: bucket(d, targetBucket=d.bucket()["bucket"], targetPrefix="a/"), with_(targetPrefix="b/")),
    Life("aws:s3/bucketOwnershipControls:BucketOwnershipControls",
         lambda d: bucket(d, rule={"objectOwnership": "BucketOwnerEnforced"}),
         with_(rule={"objectOwnership": "BucketOwnerPreferred"})),
    Life("aws:s3/bucketPolicy:BucketPolicy",
         lambda d: (b := bucket(d)) | {"policy": open_to("s3:GetObject", f"arn:aws:s3:::{b['bucket']}/*")},
         lambda i: {**i, "policy": open_to("s3:PutObject", f"arn:aws:s3:::{i['bucket']}/*")}),
    Life("aws:s3/bucketObjectv2:BucketObjectv2",
         lambda d: bucket(d, key="a/b", content="hello", contentType="text/plain", tags={"a": "1"}),
         with_(content="other")),
    Life("aws:dynamodb/table:Table", lambda d: TABLE, with_(
        globalSecondaryIndexes=[{**TABLE["globalSecondaryIndexes"][0], "projectionType": "KEYS_ONLY"}],
        ttl={"attributeName": "gone_at", "enabled": True}, tags={"service": "moderation"},
        deletionProtectionEnabled=False, pointInTimeRecovery={"enabled": False},
        billingMode="PROVISIONED", readCapacity=2, writeCapacity=1)),
    Life("aws:iam/role:Role", lambda d: {"assumeRolePolicy": TRUST, "description": "a", "tags": {"a": "1"}},
         with_(description="b", maxSessionDuration=7200, tags={"b": "2"})),
    Life("aws:iam/rolePolicy:RolePolicy", lambda d: {"role": d.role()["name"], "policy": policy(("s3:GetObject", "*"))},
         with_(policy=policy(("s3:PutObject", "*")))),
    Life("aws:iam/rolePolicyAttachment:RolePolicyAttachment",
         lambda d: {"role": d.role()["name"], "policyArn": AWS_POLICY}),
    Life("aws:iam/policy:Policy", lambda d: {"policy": policy(("s3:GetObject", "*"))},
         with_(policy=policy(("s3:PutObject", "*")), tags={"a": "1"})),
    Life("aws:cloudwatch/logGroup:LogGroup", lambda d: {"retentionInDays": 30, "tags": {"a": "1"}},
         with_(retentionInDays=7, tags={"b": "1"})),
    Life("aws:cloudwatch/logMetricFilter:LogMetricFilter",
         lambda d: {"logGroupName": group(d), "pattern": "ERROR", "metricTransformation": METRICS},
         with_(pattern="WARN")),
    Life("aws:cloudwatch/logResourcePolicy:LogResourcePolicy",
         lambda d: {"policyDocument": open_to("logs:PutLogEvents", "*")},
         with_(policyDocument=open_to("logs:CreateLogStream", "*"))),
    Life("aws:cloudwatch/metricAlarm:MetricAlarm", lambda d: {**METRIC, "tags": {"a": "1"}},
         with_(threshold=2.5, tags={"b": "1"}, treatMissingData="notBreaching")),
    Life("aws:cloudwatch/compositeAlarm:CompositeAlarm", lambda d: {"alarmRule": f"ALARM({alarm(d)})"},
         with_(alarmDescription="both", tags={"a": "1"})),
    Life("aws:cloudwatch/dashboard:Dashboard", lambda d: {"dashboardBody": BODY},
         with_(dashboardBody=BODY.replace("hello", "bye"))),
    Life("aws:lambda/function:Function", lambda d: d.function().inputs | {"name": f"second-{next(NUMBERS)}"},
         with_(timeout=9, environment={"variables": {"AB": "1"}}, tags={"a": "1"}, reservedConcurrentExecutions=2)),
    Life("aws:lambda/alias:Alias", live, with_(description="b")),
    Life("aws:lambda/permission:Permission", permission),
    Life("aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig", provisioned,
         with_(provisionedConcurrentExecutions=2)),
    Life("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
         lambda d: {"functionName": function(d)["name"], "maximumRetryAttempts": 0}, with_(maximumRetryAttempts=1)),
    Life("aws:apigatewayv2/api:Api", lambda d: {"protocolType": "HTTP", "corsConfiguration": CORS, "tags": {"a": "1"}},
         lambda i: {"protocolType": "HTTP", "description": "b", "tags": {"b": "1"}}),
    Life("aws:apigatewayv2/integration:Integration",
         lambda d: api(d, integrationType="AWS_PROXY", integrationUri=function(d)["invokeArn"],
                       payloadFormatVersion="2.0", integrationMethod="POST", timeoutMilliseconds=29000),
         with_(timeoutMilliseconds=9000, description="b")),
    Life("aws:apigatewayv2/route:Route", lambda d: api(d, routeKey="POST /v1/a", target="integrations/x"),
         with_(routeKey="ANY /{path+}")),
    Life("aws:apigatewayv2/stage:Stage", lambda d: api(d, name="$default", autoDeploy=True, tags={"a": "1"}),
         with_(defaultRouteSettings={"throttlingBurstLimit": 10, "throttlingRateLimit": 5},
               accessLogSettings=ACCESS_LOG)),
    Life("aws:apigatewayv2/authorizer:Authorizer",
         lambda d: api(d, authorizerType="JWT", identitySources=["$request.header.Authorization"], jwtConfiguration={
             "audiences": ["a"], "issuer": "https://issuer.example"}),
         with_(jwtConfiguration={"audiences": ["b"], "issuer": "https://issuer.example"})),
    Life("aws:apigatewayv2/domainName:DomainName", domain, with_(tags={"a": "1"})),
    Life("aws:apigatewayv2/apiMapping:ApiMapping", mapping, with_(apiMappingKey="v1")),
    Life("aws:ecr/repository:Repository",
         lambda d: {"forceDelete": True, **MUTABILITY, "encryptionConfigurations": [{"encryptionType": "AES256"}]},
         with_(imageScanningConfiguration={"scanOnPush": True}, tags={"a": "1"})),
    Life("aws:ecr/repositoryPolicy:RepositoryPolicy",
         lambda d: {"repository": d.make("aws:ecr/repository:Repository")["name"], "policy": pull("ecr:BatchGetImage")},
         with_(policy=pull("ecr:GetDownloadUrlForLayer"))),
    Life("aws:ecr/lifecyclePolicy:LifecyclePolicy",
         lambda d: {"repository": d.make("aws:ecr/repository:Repository")["name"], "policy": lifecycle(7)},
         with_(policy=lifecycle(8))),
    Life("aws:sns/topic:Topic", lambda d: {"displayName": "a", "tags": {"a": "1"}},
         with_(displayName="b", kmsMasterKeyId="alias/aws/sns", tags={})),
    Life("aws:sns/topicPolicy:TopicPolicy", lambda d: {"arn": (arn := topic(d)), "policy": open_to("sns:Publish", arn)},
         lambda i: {**i, "policy": open_to("sns:Publish", i["arn"], sid="b")}, outlives=True),
    Life("aws:sns/topicSubscription:TopicSubscription",
         lambda d: {"topic": topic(d), "protocol": "email", "endpoint": "a@example.com"},
         with_(filterPolicy='{"a":["b"]}')),
    Life("aws:sqs/queue:Queue", lambda d: {"messageRetentionSeconds": 1209600, "sqsManagedSseEnabled": True},
         with_(visibilityTimeoutSeconds=60, tags={"a": "1"})),
    Life("aws:sqs/queuePolicy:QueuePolicy", queue_policy, lambda i: {**i, "policy": i["policy"].replace('"a"', '"b"')}),
    Life("aws:kms/key:Key", lambda d: {"enableKeyRotation": True, "rotationPeriodInDays": 90},
         with_(description="b", tags={"a": "1"})),
    Life("aws:kms/alias:Alias", lambda d: {"targetKeyId": d.make("aws:kms/key:Key").id},
         lambda i: {**i, "targetKeyId": f"arn:aws:kms:us-east-1:123456789012:key/{i['targetKeyId']}"}),
    Life("aws:secretsmanager/secret:Secret", lambda d: {"recoveryWindowInDays": 0, "tags": {"a": "1"}},
         with_(description="b", tags={"b": "1"})),
    Life("aws:secretsmanager/secretVersion:SecretVersion",
         lambda d: {"secretId": d.make("aws:secretsmanager/secret:Secret").id, "secretString": "s"}, outlives=True),
    Life("docker-build:index:Image", image, with_(buildArgs={"A": "b"}, target="0")),
    Life("random:index/randomPassword:RandomPassword", lambda d: {"length": 32}, outlives=True),
    Life("random:index/randomId:RandomId", lambda d: {"byteLength": 8}, outlives=True),
    *NETWORK_LIVES,
    *CACHE_LIVES,
]  # fmt: skip
OF_THE_CLUSTER = ("kubernetes:", "aws:eks/")
"""What the cluster realises: tried with a cluster, in tests/quintet/kubernetes."""


@pytest.mark.parametrize("life", LIVES, ids=str)
def test_a_resource_is_made_read_changed_and_deleted(deploy: Deployer, life: Life) -> None:
    made = deploy.make(life.token, **life.made(deploy))
    assert made.read() is not None
    assert made.outputs.keys() <= output_names(life.token)

    if life.changed:
        changed = life.changed(dict(made.inputs))
        made.update({key: value for key, value in changed.items() if key != "contextHash"})
        assert made.read() is not None

    made.delete()
    assert (made.read() is not None) is life.outlives
    made.delete()
    assert KINDS[life.token].consumed <= made.asked, "named as consumed, and never looked at"


def test_every_kind_has_a_life_in_this_test() -> None:
    assert {life.token for life in LIVES} == {token for token in KINDS if not token.startswith(OF_THE_CLUSTER)}


def test_every_kind_that_can_be_updated_is_updated_in_this_test() -> None:
    updated = {life.token for life in LIVES if life.changed}

    here = {token: kind for token, kind in KINDS.items() if not token.startswith(OF_THE_CLUSTER)}
    assert updated == {token for token, kind in here.items() if kind.updates_in_place()}
