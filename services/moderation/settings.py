"""What the environment of the function sets: exactly these variables, which stacks/moderation.py declares."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_Name = Annotated[str, Field(min_length=1)]


class Settings(BaseSettings):
    """Read once, from upper-case variables; none has a default, so a forgotten one fails the start and not a request.

    Attributes:
        models_bucket: The bucket of the model artifacts.
        model_prefix: What the keys of this model's version begin with: "moderation/2026-11-20/".
        decisions_table: The table of the decision log.
        decision_ttl_days: How long a decision is kept, in days.
        hash_key_id: The KMS key (HMAC_256) from which the key that hashes texts is derived.
        environment: The stack's name, a dimension of every metric.
        log_level: Of this service's own lines.
    """

    # A message about a wrong value must not quote the environment.
    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    models_bucket: _Name
    model_prefix: _Name
    decisions_table: _Name
    decision_ttl_days: Annotated[int, Field(ge=1, le=3650)]
    hash_key_id: _Name
    environment: _Name
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
