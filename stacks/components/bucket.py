"""S3 buckets: private, encrypted, reached over TLS only."""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from stacks.components.arguments import checked_name, matching, refuse, within
from stacks.components.uses import Statement, Use, decrypt


@dataclass(frozen=True, kw_only=True)
class LogBucketArgs:
    """What a bucket for access logs needs.

    Attributes:
        account: The account's id; only logs of its own buckets are taken.
        expiry_days: How long logs are kept, in days.
        protected: The bucket is neither deleted by Pulumi nor while it holds logs.
    """

    account: str
    expiry_days: int = 90
    protected: bool = True

    def __post_init__(self) -> None:
        refuse(
            "LogBucketArgs",
            matching("account", self.account, r"\d{12}", "an account id of 12 digits"),
            within("expiry_days", self.expiry_days, 1, 3650, "days"),
        )


class LogBucket(pulumi.ComponentResource):
    """Takes the access logs of other buckets. Encrypted by S3's own key: log delivery cannot use another.

    Attributes:
        bucket_name: The physical name.
        ready: What must exist before a bucket may log here.
    """

    bucket_name: pulumi.Output[str]
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: LogBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("quintet:storage:LogBucket", checked_name(name), None, opts)
        bucket = aws.s3.Bucket(
            f"{name}-bucket",
            force_destroy=not args.protected,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protected),
        )
        child = pulumi.ResourceOptions(parent=self)
        self.bucket_name = bucket.bucket
        delivery = bucket.arn.apply(lambda arn: _log_delivery(arn, args.account))
        self.ready = [*_private(name, bucket, child, delivery), _encrypted(name, bucket, None, child)]
        _lifecycle(name, bucket, self.ready, child, expiry_days=args.expiry_days, noncurrent_days=None)
        self.register_outputs({"bucketName": self.bucket_name})


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    """What a bucket needs.

    Attributes:
        logs: Where who read what is written down; absent: nowhere.
        versioned: An overwritten or deleted object can be brought back.
        noncurrent_days: How long it can, in days.
        expiry_days: After how many days an object is deleted; absent: never.
        kms_key_arn: A key of the owner's; absent: S3's own (SSE-S3).
        protected: The bucket is neither deleted by Pulumi nor while it holds objects.
    """

    logs: LogBucket | None = None
    versioned: bool = True
    noncurrent_days: int = 90
    expiry_days: int | None = None
    kms_key_arn: str | None = None
    protected: bool = True

    def __post_init__(self) -> None:
        refuse(
            "BucketArgs",
            within("noncurrent_days", self.noncurrent_days, 1, 3650, "days"),
            within("expiry_days", self.expiry_days, 1, 3650, "days"),
            matching("kms_key_arn", self.kms_key_arn, r"arn:aws:kms:[^:]+:\d{12}:key/.+", "the ARN of a KMS key"),
        )


class Bucket(pulumi.ComponentResource):
    """A private bucket.

    Attributes:
        bucket_name: The physical name.
        arn: The bucket's ARN.
        ready: What must exist before an object is put: the bucket's policy, encryption and versioning.
    """

    bucket_name: pulumi.Output[str]
    arn: pulumi.Output[str]
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: BucketArgs | None = None, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("quintet:storage:Bucket", checked_name(name), None, opts)
        self._args = args or BucketArgs()
        bucket = aws.s3.Bucket(
            f"{name}-bucket",
            force_destroy=not self._args.protected,
            opts=pulumi.ResourceOptions(parent=self, protect=self._args.protected),
        )
        child = pulumi.ResourceOptions(parent=self)
        self.bucket_name, self.arn = bucket.bucket, bucket.arn
        self.ready = [*_private(name, bucket, child), _encrypted(name, bucket, self._args.kms_key_arn, child)]
        self._keep_versions(name, bucket, child)
        if self._args.logs:
            _logged(name, bucket, self._args.logs, child)
        self.register_outputs({"bucketName": self.bucket_name, "arn": self.arn})

    def read(self, prefix: str = "") -> Use:
        """Get objects under a prefix; the identifier is the bucket's name."""
        objects = Statement(
            actions=("s3:GetObject",),
            resources=(pulumi.Output.concat(self.arn, "/", prefix, "*"),),
            reason=f"Objects under {prefix or 'the bucket'} are named by what wrote them",
        )
        return Use(self.bucket_name, (objects, *decrypt(self._args.kms_key_arn)))

    def _keep_versions(self, name: str, bucket: aws.s3.Bucket, child: pulumi.ResourceOptions) -> None:
        args = self._args
        if args.versioned:
            versioning: aws.s3.BucketVersioningVersioningConfigurationArgsDict = {"status": "Enabled"}
            self.ready.append(
                aws.s3.BucketVersioning(
                    f"{name}-versioning", bucket=bucket.bucket, versioning_configuration=versioning, opts=child
                )
            )
        noncurrent_days = args.noncurrent_days if args.versioned else None
        _lifecycle(name, bucket, self.ready, child, expiry_days=args.expiry_days, noncurrent_days=noncurrent_days)


def _private(
    name: str, bucket: aws.s3.Bucket, child: pulumi.ResourceOptions, *more: pulumi.Output[dict[str, Any]]
) -> list[pulumi.Resource]:
    """Nobody but this account's roles, and nobody without TLS; `more` are further statements of the policy."""
    block = aws.s3.BucketPublicAccessBlock(
        f"{name}-public-access",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=child,
    )
    policy = aws.s3.BucketPolicy(
        f"{name}-policy",
        bucket=bucket.bucket,
        policy=pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [bucket.arn.apply(_tls_only), *more]}),
        # S3 refuses two changes of a bucket's access at a time.
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[block])),
    )
    return [block, policy]


def _tls_only(arn: str) -> dict[str, Any]:
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _log_delivery(arn: str, account: str) -> dict[str, Any]:
    return {
        "Sid": "AccessLogsOfThisAccount",
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"{arn}/*",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }


def _encrypted(
    name: str, bucket: aws.s3.Bucket, kms_key_arn: str | None, child: pulumi.ResourceOptions
) -> pulumi.Resource:
    by_key: aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgsDict = {
        "sse_algorithm": "aws:kms",
        "kms_master_key_id": kms_key_arn,
    }
    rule: aws.s3.BucketServerSideEncryptionConfigurationRuleArgsDict = {
        "apply_server_side_encryption_by_default": by_key if kms_key_arn else {"sse_algorithm": "AES256"},
        # One call to KMS for many objects.
        "bucket_key_enabled": kms_key_arn is not None,
    }
    return aws.s3.BucketServerSideEncryptionConfiguration(
        f"{name}-encryption", bucket=bucket.bucket, rules=[rule], opts=child
    )


def _lifecycle(
    name: str,
    bucket: aws.s3.Bucket,
    after: list[pulumi.Resource],
    child: pulumi.ResourceOptions,
    *,
    expiry_days: int | None,
    noncurrent_days: int | None,
) -> None:
    rule: aws.s3.BucketLifecycleConfigurationRuleArgsDict = {
        "id": "tidy",
        "status": "Enabled",
        "filter": {"prefix": ""},
        # Parts of a broken upload are invisible and cost as objects do.
        "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
    }
    if expiry_days:
        rule["expiration"] = {"days": expiry_days}
    if noncurrent_days:
        rule["noncurrent_version_expiration"] = {"noncurrent_days": noncurrent_days}
    # S3 refuses a rule about versions before versioning is on.
    options = pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=after))
    aws.s3.BucketLifecycleConfiguration(f"{name}-lifecycle", bucket=bucket.bucket, rules=[rule], opts=options)


def _logged(name: str, bucket: aws.s3.Bucket, logs: LogBucket, child: pulumi.ResourceOptions) -> None:
    aws.s3.BucketLogging(
        f"{name}-logging",
        bucket=bucket.bucket,
        target_bucket=logs.bucket_name,
        target_prefix=f"{name}/",
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=logs.ready)),
    )
