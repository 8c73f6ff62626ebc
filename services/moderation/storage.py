"""The decision log in DynamoDB, with its hashing key from KMS. Imports boto3: import this module after the answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from boto3.dynamodb.types import TypeSerializer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from services.common.errors import TextFreeError
from services.moderation.decisions import Decision, item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient

HASH_KEY_MESSAGE = b"quintet moderation decision log: hashing key 1"
"""Its MAC under the KMS key is the hashing key: the same in every instance, and stored nowhere."""

MAX_BATCH_ITEMS = 25
"""Limit of one BatchWriteItem call."""

WRITE_SECONDS = 6.0
"""After this long no further attempt is begun: Lambda keeps an instance from other requests while it writes."""

FAILURES_BEFORE_PAUSE = 3
PAUSE_SECONDS = 30.0

_CONFIG = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})


class DecisionLogUnavailable(TextFreeError):  # noqa: N818 - says what is the case
    """Decisions could not be written; the message says how many and why, without their content."""


class DecisionLog:
    """Writes decisions. Not safe for several threads: one worker owns it."""

    def __init__(
        self,
        *,
        table: str,
        hash_key_id: str,
        ttl_days: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        session = botocore.session.Session()
        self._dynamodb = cast("DynamoDBClient", session.create_client("dynamodb", config=_CONFIG))
        self._kms = cast("KMSClient", session.create_client("kms", config=_CONFIG))
        self._table = table
        self._hash_key_id = hash_key_id
        self._hash_key: bytes | None = None
        self._ttl_days = ttl_days
        self._clock = clock
        self._sleep = sleep
        self._failures = 0
        self._paused_until = 0.0

    def write(self, decisions: Sequence[Decision]) -> None:
        """Writes all of them, in calls of up to 25, repeating what DynamoDB did not take.

        After three failures in a row nothing is tried for 30 s: a log that is down must not use up the function's
        concurrency with waiting, and so take moderation down with it.

        Raises:
            DecisionLogUnavailable: Some may not have been written.
        """
        if self._clock() < self._paused_until:
            raise DecisionLogUnavailable(f"{len(decisions)} not written: the log failed lately and is given a pause.")
        try:
            self._write_all(decisions)
        except (BotoCoreError, ClientError, DecisionLogUnavailable) as error:
            self._failures += 1
            if self._failures >= FAILURES_BEFORE_PAUSE:
                self._paused_until = self._clock() + PAUSE_SECONDS
            raise DecisionLogUnavailable(f"{len(decisions)} may not be written: {_reason(error)}") from error
        self._failures = 0

    def _write_all(self, decisions: Sequence[Decision]) -> None:
        key = self._derive_hash_key()
        serialize = TypeSerializer().serialize
        rows = [item(decision, hash_key=key, ttl_days=self._ttl_days) for decision in decisions]
        requests = [{"PutRequest": {"Item": {name: serialize(value) for name, value in row.items()}}} for row in rows]
        deadline = self._clock() + WRITE_SECONDS
        for start in range(0, len(requests), MAX_BATCH_ITEMS):
            self._write_batch(requests[start : start + MAX_BATCH_ITEMS], deadline)

    def _write_batch(self, requests: list[dict[str, Any]], deadline: float) -> None:
        waits = _backoff()
        unprocessed: Any = {self._table: requests}
        while unprocessed := self._dynamodb.batch_write_item(RequestItems=unprocessed).get("UnprocessedItems"):
            wait = next(waits)
            if self._clock() + wait > deadline:
                raise DecisionLogUnavailable(f"throttled, {len(unprocessed[self._table])} left over.")
            self._sleep(wait)

    def _derive_hash_key(self) -> bytes:
        if self._hash_key is None:
            answer = self._kms.generate_mac(
                KeyId=self._hash_key_id, Message=HASH_KEY_MESSAGE, MacAlgorithm="HMAC_SHA_256"
            )
            self._hash_key = answer["Mac"]
        return self._hash_key


def _backoff() -> Iterator[float]:
    """Seconds to wait before each further attempt: 50 ms doubled up to 1.6 s, each with full jitter from half on."""
    base = 0.05
    while True:
        yield base * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing
        base = min(1.6, base * 2)


def _reason(error: Exception) -> str:
    if isinstance(error, ClientError):
        operation, code = error.operation_name, error.response["Error"].get("Code", "unknown")
        return f"{operation}: {code}."
    return str(error) if isinstance(error, DecisionLogUnavailable) else f"{type(error).__name__}."
