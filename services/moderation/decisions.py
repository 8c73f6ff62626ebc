"""What is remembered of a decision. The text itself is not: a keyed hash and its length are."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ulid import ULID

from services.moderation.policy import Judgement

DAY_SHARDS = 10
"""Partitions of a day in the index by time: one alone would take every write of that day (1000 a second at most)."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One judged text. Holds the text until it is hashed; never printed, as its repr leaves the text out."""

    decision_id: str
    decided_at: datetime
    text: str
    judgement: Judgement
    model_version: str
    policy_version: str
    request_id: str

    def __repr__(self) -> str:
        return f"Decision({self.decision_id})"


def new_decision_id() -> str:
    """A ULID: sorts by time, 26 characters."""
    return str(ULID())


def item(decision: Decision, *, hash_key: bytes, ttl_days: int) -> dict[str, Any]:
    """The row of the decisions table.

    Args:
        decision: What to remember.
        hash_key: 32 secret bytes; without them, hashes of guessed texts could be compared.
        ttl_days: Days until DynamoDB may remove the row.
    """
    at = decision.decided_at.astimezone(UTC)
    text = decision.text.encode()
    return {
        "decision_id": decision.decision_id,
        "day_shard": f"{at:%Y-%m-%d}#{ULID.from_str(decision.decision_id).bytes[-1] % DAY_SHARDS}",
        "decided_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "expires_at": int((at + timedelta(days=ttl_days)).timestamp()),
        "text_hash": hmac.digest(hash_key, text, hashlib.sha256).hex(),
        "text_length": len(decision.text),
        "is_toxic": decision.judgement.is_toxic,
        "flagged": list(decision.judgement.flagged),
        # DynamoDB knows no floats; the text form of a rounded float is the number that was answered.
        "scores": {label: Decimal(str(score)) for label, score in decision.judgement.scores.items()},
        "model_version": decision.model_version,
        "policy_version": decision.policy_version,
        "request_id": decision.request_id,
    }
