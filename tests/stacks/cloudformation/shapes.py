"""How a resource of Pulumi's AWS provider is written in CloudFormation, type by type.

Most inputs are the property's name in camelCase. Here is what is called otherwise, holds otherwise, or has no place. An
input that is in none of these lists and is no property of the schema fails the test, so nothing is left unchecked.
"""

import json
from collections.abc import Mapping
from typing import Any

from tests.stacks.cloudformation.cluster_shapes import CLUSTER_SHAPES
from tests.stacks.cloudformation.network_shapes import NETWORK_SHAPES
from tests.stacks.cloudformation.shape import TAGS, Shape, alone, pairs, pascal, renamed, same


def key_schema(hash_key: str | None, range_key: str | None) -> list[dict[str, str]]:
    kinds = {"HASH": hash_key, "RANGE": range_key}
    return [{"AttributeName": name, "KeyType": kind} for kind, name in kinds.items() if name]


def index(given: dict[str, Any]) -> dict[str, Any]:
    rest = {key: item for key, item in given.items() if key not in {"name", "hashKey", "rangeKey", "projectionType"}}
    keys = key_schema(given.get("hashKey"), given.get("rangeKey"))
    own = {"IndexName": given["name"], "KeySchema": keys, "Projection": {"ProjectionType": given["projectionType"]}}
    return own | pascal(rest)


def encryption(given: list[dict[str, Any]]) -> list[Any]:
    by_default = renamed(sseAlgorithm="SSEAlgorithm", kmsMasterKeyId="KMSMasterKeyID")

    def rule(item: dict[str, Any]) -> dict[str, Any]:
        default = by_default(item["applyServerSideEncryptionByDefault"])
        return {"ServerSideEncryptionByDefault": default, "BucketKeyEnabled": item["bucketKeyEnabled"]}

    return [rule(item) for item in given]


def table_encryption(given: dict[str, Any]) -> dict[str, Any]:
    key = {"KMSMasterKeyId": given["kmsKeyArn"], "SSEType": "KMS"} if given.get("kmsKeyArn") else {}
    return {"SSEEnabled": given["enabled"]} | key


def lifecycle(given: list[dict[str, Any]]) -> list[Any]:
    def rule(item: dict[str, Any]) -> dict[str, Any]:
        rest = {key: value for key, value in item.items() if key not in {"filter", "expiration"}}
        days = {"ExpirationInDays": item["expiration"]["days"]} if item.get("expiration") else {}
        return pascal(rest) | pascal(item.get("filter") or {}) | days

    return [rule(item) for item in given]


BUCKET = ("aws:s3/bucket:Bucket", {"bucket": "bucket"})
REPOSITORY = ("aws:ecr/repository:Repository", {"repository": "name"})
BY_ENGINE = "Pulumi's own: what it does when it deletes, not what AWS is told"

SHAPES: Mapping[str, Shape] = {
    **NETWORK_SHAPES,
    **CLUSTER_SHAPES,
    "aws:apigatewayv2/api:Api": Shape("AWS::ApiGatewayV2::Api", values={"tags": same}),
    "aws:apigatewayv2/apiMapping:ApiMapping": Shape("AWS::ApiGatewayV2::ApiMapping"),
    "aws:apigatewayv2/authorizer:Authorizer": Shape(
        "AWS::ApiGatewayV2::Authorizer",
        names={"identitySources": "IdentitySource"},
        values={"jwtConfiguration": renamed(audiences="Audience")},
    ),
    "aws:apigatewayv2/domainName:DomainName": Shape(
        "AWS::ApiGatewayV2::DomainName",
        names={"domainNameConfiguration": "DomainNameConfigurations"},
        values={"domainNameConfiguration": lambda given: [pascal(given)], "tags": same},
    ),
    "aws:apigatewayv2/integration:Integration": Shape(
        "AWS::ApiGatewayV2::Integration",
        names={"timeoutMilliseconds": "TimeoutInMillis"},
        values={"requestParameters": same},
    ),
    "aws:apigatewayv2/route:Route": Shape("AWS::ApiGatewayV2::Route"),
    "aws:apigatewayv2/stage:Stage": Shape(
        "AWS::ApiGatewayV2::Stage", names={"name": "StageName"}, values={"tags": same}
    ),
    "aws:cloudwatch/dashboard:Dashboard": Shape("AWS::CloudWatch::Dashboard"),
    "aws:cloudwatch/logGroup:LogGroup": Shape("AWS::Logs::LogGroup", names={"name": "LogGroupName"}, values=TAGS),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Shape(
        "AWS::CloudWatch::Alarm",
        names={
            "name": "AlarmName",
            "okActions": "OKActions",
            "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile",
        },
        values=TAGS | {"dimensions": pairs("Name", "Value")},
    ),
    "aws:dynamodb/table:Table": Shape(
        "AWS::DynamoDB::Table",
        names={
            "name": "TableName",
            "attributes": "AttributeDefinitions",
            "ttl": "TimeToLiveSpecification",
            "pointInTimeRecovery": "PointInTimeRecoverySpecification",
            "serverSideEncryption": "SSESpecification",
            "keys": "KeySchema",
        },
        values=TAGS
        | {
            "attributes": renamed(name="AttributeName", type="AttributeType"),
            "keys": same,
            "globalSecondaryIndexes": lambda given: [index(item) for item in given],
            "pointInTimeRecovery": renamed(enabled="PointInTimeRecoveryEnabled"),
            "serverSideEncryption": table_encryption,
        },
    ),
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": Shape(
        "AWS::ECR::Repository",
        names={"policy": "LifecyclePolicy.LifecyclePolicyText"},
        values={"policy": same},
        owner=REPOSITORY,
    ),
    "aws:ecr/repository:Repository": Shape(
        "AWS::ECR::Repository",
        names={
            "name": "RepositoryName",
            "forceDelete": "EmptyOnDelete",
            "encryptionConfigurations": "EncryptionConfiguration",
        },
        values=TAGS
        | {
            "encryptionConfigurations": lambda given: pascal(alone(given)),
            "imageTagMutabilityExclusionFilters": renamed(
                filter="ImageTagMutabilityExclusionFilterValue", filterType="ImageTagMutabilityExclusionFilterType"
            ),
        },
    ),
    "aws:ecr/repositoryPolicy:RepositoryPolicy": Shape(
        "AWS::ECR::Repository",
        names={"policy": "RepositoryPolicyText"},
        values={"policy": json.loads},
        owner=REPOSITORY,
    ),
    "aws:iam/role:Role": Shape(
        "AWS::IAM::Role",
        names={"name": "RoleName", "assumeRolePolicy": "AssumeRolePolicyDocument"},
        values=TAGS | {"assumeRolePolicy": json.loads},
    ),
    "aws:iam/rolePolicy:RolePolicy": Shape(
        "AWS::IAM::RolePolicy",
        names={"name": "PolicyName", "role": "RoleName", "policy": "PolicyDocument"},
        values={"policy": json.loads},
    ),
    "aws:kms/key:Key": Shape(
        "AWS::KMS::Key",
        names={
            "deletionWindowInDays": "PendingWindowInDays",
            "customerMasterKeySpec": "KeySpec",
            "policy": "KeyPolicy",
        },
        values=TAGS | {"policy": json.loads},
    ),
    "aws:lambda/alias:Alias": Shape("AWS::Lambda::Alias"),
    "aws:lambda/function:Function": Shape(
        "AWS::Lambda::Function",
        names={"name": "FunctionName", "imageUri": "Code.ImageUri"},
        values=TAGS
        | {
            "imageConfig": renamed(commands="Command", entryPoints="EntryPoint"),
            "environment": lambda given: {"Variables": given["variables"]},
        },
        left_out={"publish": "a version is a resource of its own there, AWS::Lambda::Version"},
    ),
    "aws:lambda/permission:Permission": Shape(
        "AWS::Lambda::Permission",
        names={"function": "FunctionName"},
        left_out={
            "qualifier": "part of the function's name there; the test of the routes holds it",
            "statementId": "CloudFormation gives one by itself",
        },
    ),
    "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig": Shape(
        "AWS::Lambda::Alias",
        names={"provisionedConcurrentExecutions": "ProvisionedConcurrencyConfig.ProvisionedConcurrentExecutions"},
        owner=("aws:lambda/alias:Alias", {"functionName": "functionName", "qualifier": "name"}),
    ),
    "aws:route53/record:Record": Shape(
        "AWS::Route53::RecordSet",
        names={"zoneId": "HostedZoneId", "aliases": "AliasTarget"},
        values={"aliases": lambda given: renamed(name="DNSName", zoneId="HostedZoneId")(alone(given))},
    ),
    "aws:s3/bucket:Bucket": Shape(
        "AWS::S3::Bucket", names={"bucket": "BucketName"}, values=TAGS, left_out={"forceDestroy": BY_ENGINE}
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": Shape(
        "AWS::S3::Bucket", names={"rules": "LifecycleConfiguration.Rules"}, values={"rules": lifecycle}, owner=BUCKET
    ),
    "aws:s3/bucketLogging:BucketLogging": Shape(
        "AWS::S3::Bucket",
        names={
            "targetBucket": "LoggingConfiguration.DestinationBucketName",
            "targetPrefix": "LoggingConfiguration.LogFilePrefix",
        },
        owner=BUCKET,
    ),
    "aws:s3/bucketPolicy:BucketPolicy": Shape(
        "AWS::S3::BucketPolicy", names={"policy": "PolicyDocument"}, values={"policy": json.loads}
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Shape(
        "AWS::S3::Bucket",
        names={
            key: f"PublicAccessBlockConfiguration.{key[0].upper()}{key[1:]}"
            for key in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
        },
        owner=BUCKET,
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": Shape(
        "AWS::S3::Bucket",
        names={"rules": "BucketEncryption.ServerSideEncryptionConfiguration"},
        values={"rules": encryption},
        owner=BUCKET,
    ),
    "aws:s3/bucketVersioning:BucketVersioning": Shape("AWS::S3::Bucket", owner=BUCKET),
    "aws:sns/topic:Topic": Shape("AWS::SNS::Topic", names={"name": "TopicName"}, values=TAGS),
    "aws:sns/topicPolicy:TopicPolicy": Shape(
        "AWS::SNS::TopicPolicy",
        names={"arn": "Topics", "policy": "PolicyDocument"},
        values={"arn": lambda given: [given], "policy": json.loads},
    ),
    "aws:sns/topicSubscription:TopicSubscription": Shape("AWS::SNS::Subscription", names={"topic": "TopicArn"}),
    "aws:sqs/queue:Queue": Shape(
        "AWS::SQS::Queue",
        names={"name": "QueueName", "messageRetentionSeconds": "MessageRetentionPeriod"},
        values=TAGS,
    ),
}

WITHOUT_SCHEMA: Mapping[str, str] = {
    "aws:s3/bucketObjectv2:BucketObjectv2": "CloudFormation puts no objects into buckets",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "AWS makes it with the network, and CloudFormation leaves it",
    "docker-build:index:Image": "no resource of AWS: it is built and pushed by the provider",
    "kubernetes:": "no resources of AWS: tests/stacks/manifests holds them against the schemas of Kubernetes",
    "random:": "no resources of AWS: the provider makes them up",
}
"""Types that cannot be held against a schema, or all of a package, each with the reason."""


def without_schema(type_: str) -> bool:
    """Whether no schema of a type exists, for a reason that is written above."""
    return type_ in WITHOUT_SCHEMA or f"{type_.partition(':')[0]}:" in WITHOUT_SCHEMA
