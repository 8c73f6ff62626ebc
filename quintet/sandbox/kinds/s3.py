"""Buckets, their settings, and objects."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, kind
from quintet.sandbox.kinds.calls import ONE_REGION, absent, pascal, present, require, tag_list

_NAME = re.compile(r"(?!xn--|sthree-|amzn-s3-demo-)(?!.*(-s3alias|--ol-s3|\.\.))[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_NAME_RULE = (
    "a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens, and begins and ends with neither"
)
_WEBSITE_ZONE = "Z3AQBSTGFJSTF"
"""Hosted zone of S3 websites in us-east-1 (AWS General Reference, S3 endpoints)."""


@kind
class Bucket(Kind):
    """A bucket; its settings are resources of their own."""

    token = "aws:s3/bucket:Bucket"
    name_input = "bucket"
    name_limit = 63
    consumed = frozenset({"forceDestroy", "tags"})
    ignored = ONE_REGION

    def check(self, inputs: Properties) -> Properties:
        """Hold S3's rules for names, which no service model has."""
        require(inputs, "bucket", _NAME.fullmatch, _NAME_RULE)
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its name is its id."""
        name, region = inputs["bucket"], self.world.region
        elsewhere = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self._s3.create_bucket(Bucket=name, **elsewhere)
        self._tag(name, inputs)
        return name, {
            "arn": f"arn:aws:s3:::{name}",
            "bucketDomainName": f"{name}.s3.amazonaws.com",
            "bucketRegion": region,
            "bucketRegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
            "hostedZoneId": _WEBSITE_ZONE,
            "region": region,
            "tagsAll": inputs.get("tags") or {},
        }

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Only tags change; the objects stay."""
        self._tag(id_, inputs)
        return {"tagsAll": inputs.get("tags") or {}}

    def delete(self, id_: str, outputs: Properties) -> None:
        """Delete it; one that holds objects only with `forceDestroy`."""
        if outputs.get("forceDestroy") and self.read(id_, outputs) is not None:
            delete_versions(self._s3, id_)
        absent(lambda: self._s3.delete_bucket(Bucket=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if present(lambda: self._s3.head_bucket(Bucket=id_)) is not None else None

    def _tag(self, name: str, inputs: Properties) -> None:
        if tags := inputs.get("tags"):
            self._s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(tags)})
        else:
            self._s3.delete_bucket_tagging(Bucket=name)

    @property
    def _s3(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("s3")


def delete_versions(s3: Any, bucket: str, key: str | None = None) -> None:  # noqa: ANN401  a boto3 client
    """Delete every version of a key, or of every key, and the markers of deleted ones."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, **({"Prefix": key} if key else {}))
    for page in pages:
        for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            if key in {None, entry["Key"]}:
                s3.delete_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])


_OF_OWNER = {**ONE_REGION, "expectedBucketOwner": "the sandbox has one account"}


class BucketSetting(Kind):
    """One setting of a bucket: put, read and removed by three calls of S3."""

    replace_on = frozenset({"bucket"})
    ignored: ClassVar[Mapping[str, str]] = ONE_REGION
    get_call: str
    delete_call: str | None

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Put it; the bucket's name is its id."""
        self.put(inputs)
        return inputs["bucket"], {}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Put it anew."""
        self.put(inputs)
        return {}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Remove it; gone with its bucket, it is not an error."""
        if self.delete_call:
            call = getattr(self._s3, self.delete_call)
            absent(lambda: call(Bucket=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is set."""
        call = getattr(self._s3, self.get_call)
        answer = present(lambda: call(Bucket=id_))
        return outputs if answer is not None and self.is_set(answer) else None

    def put(self, inputs: Properties) -> None:
        """Put the setting of these inputs."""
        raise NotImplementedError

    def is_set(self, answer: Properties) -> bool:  # noqa: ARG002  for those whose absence is an answer, not an error
        """Whether S3's answer tells of a setting."""
        return True

    @property
    def _s3(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("s3")


@kind
class BucketVersioning(BucketSetting):
    """Whether old versions of objects are kept; can be suspended, not removed."""

    token = "aws:s3/bucketVersioning:BucketVersioning"
    consumed = frozenset({"versioningConfiguration"})
    ignored: ClassVar[Mapping[str, str]] = {**_OF_OWNER, "mfa": "the sandbox has no MFA devices"}
    get_call = "get_bucket_versioning"
    delete_call = None

    def put(self, inputs: Properties) -> None:
        """Enable or suspend it."""
        status = inputs["versioningConfiguration"]["status"]
        if status != "Disabled":  # what a new bucket is
            self._s3.put_bucket_versioning(Bucket=inputs["bucket"], VersioningConfiguration={"Status": status})

    def is_set(self, answer: Properties) -> bool:
        """Whether it was ever enabled."""
        return "Status" in answer

    def delete(self, id_: str, outputs: Properties) -> None:
        """Suspend it, as the AWS provider does."""
        if outputs["versioningConfiguration"]["status"] == "Enabled":
            suspended = {"Status": "Suspended"}
            absent(lambda: self._s3.put_bucket_versioning(Bucket=id_, VersioningConfiguration=suspended))


@kind
class BucketServerSideEncryptionConfiguration(BucketSetting):
    """How objects are encrypted by default."""

    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    consumed = frozenset({"rules"})
    ignored: ClassVar[Mapping[str, str]] = _OF_OWNER
    get_call = "get_bucket_encryption"
    delete_call = "delete_bucket_encryption"

    def put(self, inputs: Properties) -> None:
        """Put its rules."""
        names = {"sseAlgorithm": "SSEAlgorithm", "kmsMasterKeyId": "KMSMasterKeyID"}
        configuration = {"Rules": pascal(inputs["rules"], names)}
        self._s3.put_bucket_encryption(Bucket=inputs["bucket"], ServerSideEncryptionConfiguration=configuration)


@kind
class BucketPublicAccessBlock(BucketSetting):
    """What may never become public."""

    token = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    consumed = frozenset({"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"})
    ignored: ClassVar[Mapping[str, str]] = {
        **ONE_REGION,
        "skipDestroy": "nothing of the sandbox outlives it",
    }
    get_call = "get_public_access_block"
    delete_call = "delete_public_access_block"

    def put(self, inputs: Properties) -> None:
        """Put it; what is not given is off."""
        block = {name[:1].upper() + name[1:]: bool(inputs.get(name)) for name in sorted(self.consumed)}
        self._s3.put_public_access_block(Bucket=inputs["bucket"], PublicAccessBlockConfiguration=block)


@kind
class BucketLifecycleConfiguration(BucketSetting):
    """When objects move to another class or expire."""

    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    consumed = frozenset({"rules", "transitionDefaultMinimumObjectSize"})
    ignored: ClassVar[Mapping[str, str]] = {**_OF_OWNER, "timeouts": "the sandbox is at once"}
    get_call = "get_bucket_lifecycle_configuration"
    delete_call = "delete_bucket_lifecycle"

    def put(self, inputs: Properties) -> None:
        """Put its rules."""
        size = inputs.get("transitionDefaultMinimumObjectSize")
        self._s3.put_bucket_lifecycle_configuration(
            Bucket=inputs["bucket"],
            LifecycleConfiguration={"Rules": [_lifecycle_rule(rule) for rule in inputs["rules"]]},
            **({"TransitionDefaultMinimumObjectSize": size} if size else {}),
        )


def _lifecycle_rule(rule: Properties) -> dict[str, Any]:
    given: dict[str, Any] = pascal({key: item for key, item in rule.items() if key != "filter"}, {"id": "ID"})
    within = dict(rule.get("filter") or {})
    if both := within.pop("and", None):
        both = dict(both)
        tags = {"Tags": tag_list(both.pop("tags", None))} if both.get("tags") else {}
        return {**given, "Filter": {"And": {**pascal(both), **tags}}}
    # An empty filter is every object, which S3 wants said as an empty prefix.
    return {**given, "Filter": pascal(within) or {"Prefix": ""}} if "prefix" not in rule else given


@kind
class BucketLogging(BucketSetting):
    """Where a bucket's accesses are written; the emulated S3 keeps the setting and writes none."""

    token = "aws:s3/bucketLogging:BucketLogging"
    consumed = frozenset({"targetBucket", "targetPrefix", "targetObjectKeyFormat"})
    ignored: ClassVar[Mapping[str, str]] = _OF_OWNER
    get_call = "get_bucket_logging"
    delete_call = None

    def put(self, inputs: Properties) -> None:
        """Put it."""
        enabled = {"TargetBucket": inputs["targetBucket"], "TargetPrefix": inputs["targetPrefix"]}
        if form := inputs.get("targetObjectKeyFormat"):
            enabled["TargetObjectKeyFormat"] = pascal(form)
        self._s3.put_bucket_logging(Bucket=inputs["bucket"], BucketLoggingStatus={"LoggingEnabled": enabled})

    def is_set(self, answer: Properties) -> bool:
        """Whether a target is named."""
        return "LoggingEnabled" in answer

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Put an empty one."""
        absent(lambda: self._s3.put_bucket_logging(Bucket=id_, BucketLoggingStatus={}))


@kind
class BucketOwnershipControls(BucketSetting):
    """Who owns what others put into the bucket."""

    token = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
    consumed = frozenset({"rule"})
    get_call = "get_bucket_ownership_controls"
    delete_call = "delete_bucket_ownership_controls"

    def put(self, inputs: Properties) -> None:
        """Put its one rule."""
        rules = {"Rules": [pascal(inputs["rule"])]}
        self._s3.put_bucket_ownership_controls(Bucket=inputs["bucket"], OwnershipControls=rules)
