"""Reading model artifacts from S3. Imports botocore, which takes 0.25 s: import this module where it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from services.common.artifacts import UnreadableObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CHUNK_BYTES = 1 << 20
_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})


class BucketReader:
    """The objects of one bucket; holds `services.common.artifacts.ObjectReader`."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._client = cast("S3Client", botocore.session.Session().create_client("s3", config=_CONFIG))

    def chunks(self, key: str) -> Iterator[bytes]:
        """The object's bytes in pieces of 1 MiB; raises `UnreadableObject` with AWS's error code."""
        try:
            yield from self._client.get_object(Bucket=self._bucket, Key=key)["Body"].iter_chunks(_CHUNK_BYTES)
        except ClientError as error:
            raise UnreadableObject(_explain(error.response["Error"].get("Code", "unknown"))) from error
        except (BotoCoreError, HTTPError, OSError) as error:
            raise UnreadableObject(f"{type(error).__name__}.") from error


def _explain(code: str) -> str:
    if code in {"AccessDenied", "403"}:
        # Without s3:ListBucket, S3 answers 403 for an absent key as well.
        return "AccessDenied: the object does not exist or the role may not read it."
    return f"{code}."
