"""Bucket policies and objects."""

import base64
from collections.abc import Mapping
from typing import Any, ClassVar

from quintet.sandbox.engine.assets import asset_bytes, is_asset
from quintet.sandbox.kinds.base import Kind, Properties, kind
from quintet.sandbox.kinds.calls import ONE_REGION, RefusedError, absent, chosen, document, present
from quintet.sandbox.kinds.s3 import BucketSetting, delete_versions


@kind
class BucketPolicy(BucketSetting):
    """Who may do what with a bucket; the emulator enforces it."""

    token = "aws:s3/bucketPolicy:BucketPolicy"
    consumed = frozenset({"policy"})
    get_call = "get_bucket_policy"
    delete_call = "delete_bucket_policy"

    def put(self, inputs: Properties) -> None:
        """Put it."""
        policy = document(inputs["policy"], "the bucket policy")
        self._s3.put_bucket_policy(Bucket=inputs["bucket"], Policy=policy)


@kind
class BucketObjectv2(Kind):
    """An object made from a file of the checkout or from a text."""

    token = "aws:s3/bucketObjectv2:BucketObjectv2"
    replace_on = frozenset({"bucket", "key"})
    volatile = frozenset({"etag", "versionId"})
    consumed = frozenset(
        {"cacheControl", "content", "contentBase64", "contentDisposition", "contentEncoding", "contentLanguage",
         "contentType", "metadata", "serverSideEncryption", "kmsKeyId", "source", "storageClass",
         "tags"}
    )  # fmt: skip
    ignored: ClassVar[Mapping[str, str]] = {
        **ONE_REGION,
        "sourceHash": "a change of it alone puts the object again, as every change does",
        "etag": "a change of it alone puts the object again, as every change does",
        "checksumAlgorithm": "the connection is this machine's own",
        "forceDestroy": "no object here is under a lock that it would override",
        "bucketKeyEnabled": "saves calls to KMS, which cost nothing here",
    }

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Put it."""
        bucket, key = inputs["bucket"], inputs["key"]
        return f"{bucket}/{key}", {"arn": f"arn:aws:s3:::{bucket}/{key}", **self._put(inputs)}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Put it anew: a new version where the bucket keeps versions."""
        return self._put(inputs)

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it with all its versions."""
        absent(lambda: delete_versions(self._s3, outputs["bucket"], outputs["key"]))

    def read(self, id_: str, outputs: Properties) -> Properties | None:  # noqa: ARG002  Kind's signature
        """Whether it is there, with its present ETag."""
        head = present(lambda: self._s3.head_object(Bucket=outputs["bucket"], Key=outputs["key"]))
        return None if head is None else {**outputs, **_versions(head)}

    def _put(self, inputs: Properties) -> Properties:
        names = {"kmsKeyId": "SSEKMSKeyId"}
        settings = chosen(
            inputs, "cacheControl", "contentDisposition", "contentEncoding", "contentLanguage", "contentType",
            "serverSideEncryption", "kmsKeyId", "storageClass", renamed=names,
        )  # fmt: skip
        if metadata := inputs.get("metadata"):
            settings["Metadata"] = metadata
        answer = self._s3.put_object(Bucket=inputs["bucket"], Key=inputs["key"], Body=_body(inputs), **settings)
        tags = inputs.get("tags") or {}
        if tags:
            tagging = {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}
            self._s3.put_object_tagging(Bucket=inputs["bucket"], Key=inputs["key"], Tagging=tagging)
        return {**_versions(answer), "tagsAll": tags}

    @property
    def _s3(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("s3")


def _versions(answer: Properties) -> Properties:
    return {"etag": answer["ETag"].strip('"'), "versionId": answer.get("VersionId", "")}


def _body(inputs: Properties) -> bytes:
    given = [name for name in ("source", "content", "contentBase64") if inputs.get(name) is not None]
    if len(given) > 1:
        raise RefusedError(f"an object has one content, not {' and '.join(f'`{name}`' for name in given)}")
    if not given:
        return b""
    value = inputs[given[0]]
    if given[0] == "source":
        if not is_asset(value):
            raise RefusedError("`source` of an object is one file: pulumi.FileAsset or pulumi.StringAsset")
        return asset_bytes(value)
    return base64.b64decode(value) if given[0] == "contentBase64" else str(value).encode()
