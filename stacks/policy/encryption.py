"""Encrypted where it lies."""

from collections.abc import Callable, Iterator, Mapping

from stacks.policy.declared import UNKNOWN, Declared, Finding, Rule, Stack
from stacks.policy.exposure import BUCKETS

_BUCKET_ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"

Check = Callable[[Declared, Stack], Iterator[Finding]]


def _at_rest(resource: Declared, stack: Stack) -> Iterator[Finding]:
    check = _STORES.get(resource.type)
    if check:
        yield from check(resource, stack)


def _bucket_at_rest(bucket: Declared, stack: Stack) -> Iterator[Finding]:
    if not stack.about(bucket, _BUCKET_ENCRYPTION, "bucket", bucket.props.get("bucket")):
        fix = "Declare a BucketServerSideEncryptionConfiguration for it, as the component Bucket does"
        yield Finding("does not say how it is encrypted", fix)


def _topic(topic: Declared, _: Stack) -> Iterator[Finding]:
    key = topic.props.get("kmsMasterKeyId")
    if not key:
        yield Finding("keeps messages unencrypted", "Set `kmsMasterKeyId` to a key whose policy admits its publishers")
    elif key == "alias/aws/sns":
        # That key admits no service: alarms would be dropped in silence.
        yield Finding("is encrypted by alias/aws/sns, which admits no alarm", "Give it a key of its own (AlarmTopic)")


def _queue(queue: Declared, _: Stack) -> Iterator[Finding]:
    if not (queue.props.get("kmsMasterKeyId") or queue.props.get("sqsManagedSseEnabled")):
        yield Finding("keeps messages unencrypted", "Set `sqsManagedSseEnabled` to true, or give `kmsMasterKeyId`")


def _key(key: Declared, _: Stack) -> Iterator[Finding]:
    # KMS rotates symmetric keys only; an HMAC or signing key that changed would not match what it made before.
    symmetric = key.props.get("customerMasterKeySpec") in {None, "SYMMETRIC_DEFAULT", UNKNOWN}
    encrypts = key.props.get("keyUsage") in {None, "ENCRYPT_DECRYPT", UNKNOWN}
    if symmetric and encrypts and not key.props.get("enableKeyRotation"):
        yield Finding("is never rotated", "Set `enableKeyRotation` to true; what it encrypted stays readable")


def _cluster(cluster: Declared, _: Stack) -> Iterator[Finding]:
    encrypted = cluster.get("encryptionConfig.resources")
    if encrypted is not UNKNOWN and "secrets" not in (encrypted or []):
        fix = "Set `encryptionConfig` to a key and [secrets]; it cannot be taken back, and needs no new cluster"
        yield Finding("keeps Secrets without a key of one's own", fix)


def _flag(name: str) -> Check:
    def check(resource: Declared, _: Stack) -> Iterator[Finding]:
        if not resource.props.get(name):
            yield Finding(f"is not encrypted: `{name}` is not true", f"Set `{name}` to true; later it needs a copy")

    return check


_STORES: Mapping[str, Check] = {
    **dict.fromkeys(BUCKETS, _bucket_at_rest),
    "aws:ebs/volume:Volume": _flag("encrypted"),
    "aws:efs/fileSystem:FileSystem": _flag("encrypted"),
    "aws:eks/cluster:Cluster": _cluster,
    "aws:elasticache/replicationGroup:ReplicationGroup": _flag("atRestEncryptionEnabled"),
    "aws:kms/key:Key": _key,
    "aws:rds/cluster:Cluster": _flag("storageEncrypted"),
    "aws:rds/instance:Instance": _flag("storageEncrypted"),
    "aws:sns/topic:Topic": _topic,
    "aws:sqs/queue:Queue": _queue,
}
"""What is not encrypted unless one asks, or not as it should be. DynamoDB, ECR, logs and secrets always are."""

RULE = Rule(
    name="encrypted-at-rest",
    why="Whoever gets hold of a disk or a backup reads nothing.",
    check=_at_rest,
    whole=True,
)
