"""Log source -> policy of the bucket, or the group, that takes its logs."""

from collections.abc import Iterator
from typing import Any

from quintet.sandbox.engine.recording import ACCOUNT
from quintet.sandbox.engine.state import Resource
from tests.stacks.edges.graph import Caller, Graph, name, statements, unmet

BUCKET, GROUP = "aws:s3/bucket:Bucket", "aws:cloudwatch/logGroup:LogGroup"
_ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
_VENDED = "/aws/vendedlogs/"


def of_buckets_arrive(graph: Graph) -> Iterator[str]:
    for logging in graph.of("aws:s3/bucketLogging:BucketLogging"):
        source = graph.first(BUCKET, "bucket", logging.outputs["bucket"])
        caller = Caller("logging.s3.amazonaws.com", source.outputs["arn"] if source else "arn:aws:s3:::unknown")
        key = f"{logging.outputs.get('targetPrefix') or ''}2026-01-01-00-00-00-0123456789ABCDEF"
        yield from _put(graph, logging, logging.outputs["targetBucket"], caller, key)
        yield from _sse_s3(graph, logging, logging.outputs["targetBucket"])


def of_balancers_arrive(graph: Graph) -> Iterator[str]:
    for balancer in graph.of("aws:lb/loadBalancer:LoadBalancer"):
        target = balancer.outputs.get("accessLogs") or {}
        if not target.get("enabled"):
            continue
        caller = Caller("logdelivery.elasticloadbalancing.amazonaws.com", balancer.outputs["arn"])
        key = f"{_folder(target.get('prefix'))}AWSLogs/{ACCOUNT}/elasticloadbalancing/x.log.gz"
        yield from _put(graph, balancer, target["bucket"], caller, key)
        yield from _sse_s3(graph, balancer, target["bucket"])


def of_trails_arrive(graph: Graph) -> Iterator[str]:
    for trail in graph.of("aws:cloudtrail/trail:Trail"):
        arn = trail.outputs["arn"]
        keys = {"s3:x-amz-acl": "bucket-owner-full-control", "kms:encryptioncontext:aws:cloudtrail:arn": arn}
        caller = Caller("cloudtrail.amazonaws.com", arn, keys=keys)
        key = f"{_folder(trail.outputs.get('s3KeyPrefix'))}AWSLogs/{ACCOUNT}/CloudTrail/x.json.gz"
        yield from _put(graph, trail, trail.outputs["s3BucketName"], caller, key)
        bucket = graph.first(BUCKET, "bucket", trail.outputs["s3BucketName"])
        if bucket:
            where = f"{name(trail)}: the policy of {name(bucket)}"
            policy = graph.policies("aws:s3/bucketPolicy:BucketPolicy", "bucket", bucket.outputs["bucket"])
            yield from unmet(policy, caller, ("s3:GetBucketAcl",), bucket.outputs["arn"], where=where)
        yield from _encrypted_by(graph, trail, caller)


def of_apis_arrive(graph: Graph) -> Iterator[str]:
    for stage in graph.of("aws:apigatewayv2/stage:Stage"):
        arn = (stage.outputs.get("accessLogSettings") or {}).get("destinationArn")
        if not arn:
            continue
        group = graph.first(GROUP, "arn", arn)
        if group is None:
            yield f"{name(stage)}: its access logs go to {arn}, which is no declared log group. Use the `arn` of one"
        elif not group.outputs["name"].startswith(_VENDED):
            # API Gateway would write a resource policy of its own, of which an account has room for ten.
            yield from unmet(
                _resource_policies(graph),
                Caller("delivery.logs.amazonaws.com", arn),
                ("logs:CreateLogStream", "logs:PutLogEvents"),
                f"{arn}:log-stream:any",
                where=f"{name(stage)}: {name(group)} is not under {_VENDED}, and the account's policy of log groups",
            )


def _resource_policies(graph: Graph) -> list[dict[str, Any]]:
    declared = graph.of("aws:cloudwatch/logResourcePolicy:LogResourcePolicy")
    return [item for policy in declared for item in statements(policy.outputs["policyDocument"])]


def _put(graph: Graph, source: Resource, bucket_name: str, caller: Caller, key: str) -> Iterator[str]:
    bucket = graph.first(BUCKET, "bucket", bucket_name)
    if bucket is None:
        yield f"{name(source)}: its logs go to {bucket_name}, which is no declared bucket. Use the name of one"
        return
    policy = graph.policies("aws:s3/bucketPolicy:BucketPolicy", "bucket", bucket_name)
    where = f"{name(source)}: the policy of {name(bucket)}"
    yield from unmet(policy, caller, ("s3:PutObject",), f"{bucket.outputs['arn']}/{key}", where=where)


def _encrypted_by(graph: Graph, trail: Resource, caller: Caller) -> Iterator[str]:
    key = graph.key(trail.outputs.get("kmsKeyId"))
    if key:
        where = f"{name(trail)}: the policy of {name(key)}"
        policy = statements(key.outputs.get("policy"))
        yield from unmet(policy, caller, ("kms:GenerateDataKey",), key.outputs["arn"], where=where)


def _folder(prefix: str | None) -> str:
    return f"{prefix}/" if prefix else ""


def _sse_s3(graph: Graph, source: Resource, bucket_name: str) -> Iterator[str]:
    for encryption in graph.where(_ENCRYPTION, "bucket", bucket_name):
        default = encryption.outputs["rules"][0]["applyServerSideEncryptionByDefault"]
        if default["sseAlgorithm"] != "AES256":
            yield (
                f"{name(source)}: its logs cannot be delivered into a bucket under a KMS key ({name(encryption)}). "
                "Encrypt the bucket of the logs by S3's own key, AES256"
            )
