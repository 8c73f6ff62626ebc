"""What the environment of the pod sets: exactly these variables, which stacks/sentiment.py declares."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_Name = Annotated[str, Field(min_length=1)]
_Url = Annotated[str, Field(pattern=r"^(https?://.+)?$")]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Settings(BaseSettings):
    """Read once, from upper-case variables; none has a default, so a forgotten one fails the start and not a request.

    Attributes:
        environment: The stack's name.
        log_level: Of this service's own lines; the audit lines are always written.
        host: The address to listen on, the pod's own.
        port: The port to listen on.
        models_bucket: The bucket of the model artifacts.
        model_prefix: What the keys of this model's version begin with: "sentiment/2026-11-20/".
        backend: What runs the model; `auto` takes the first that works.
        threads: Threads of one inference: the CPUs of the container's limit.
        authorization: How callers show who they are.
        api_keys: Name of a key to the SHA-256 of the key, in lower-case hex.
        jwt_issuer: Who issues tokens: their `iss`.
        jwt_audiences: For whom tokens may be issued: one of these is their `aud`.
        jwks_url: Where the issuer's keys are read; empty is the issuer's /.well-known/jwks.json.
        cors_origins: Web sites whose scripts may call; `*` is any.
        rate_limit: Texts a minute and key; 0 is no limit.
        concurrency_per_key: Requests of one key at the same time; 0 is no limit.
        max_batch_tokens: Padded tokens of one inference.
        max_queue_tokens: Tokens that may wait; beyond them a request is refused at once.
        target_p95_ms: What the batching aims at.
        request_timeout_ms: The longest that a request may take.
        cache_entries: Answers kept in memory; 0 is no cache, in Redis neither.
        cache_ttl_seconds: How long an answer is kept.
        redis_url: Where pods share answers and rate limits; empty is nowhere.
        drain_seconds: How long a pod that is told to stop still takes new requests.
    """

    # A message about a wrong value must not quote the environment.
    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    environment: _Name
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
    host: _Name
    port: Annotated[int, Field(ge=1, le=65535)]
    models_bucket: _Name
    model_prefix: _Name
    backend: Literal["auto", "onnx", "torch", "mock"]
    threads: Annotated[int, Field(ge=1, le=1024)]
    authorization: Literal["none", "api_key", "jwt"]
    api_keys: dict[_Name, _Digest]
    jwt_issuer: _Url
    jwt_audiences: list[_Name]
    jwks_url: _Url
    cors_origins: list[_Name]
    rate_limit: Annotated[int, Field(ge=0)]
    concurrency_per_key: Annotated[int, Field(ge=0)]
    max_batch_tokens: Annotated[int, Field(ge=1)]
    max_queue_tokens: Annotated[int, Field(ge=1)]
    target_p95_ms: Annotated[float, Field(gt=0)]
    request_timeout_ms: Annotated[int, Field(ge=1, le=600_000)]
    cache_entries: Annotated[int, Field(ge=0)]
    cache_ttl_seconds: Annotated[int, Field(ge=1)]
    redis_url: Annotated[str, Field(pattern=r"^(rediss?://.+)?$")]
    drain_seconds: Annotated[float, Field(ge=0, le=600)]

    @model_validator(mode="after")
    def _is_complete(self) -> Settings:
        if self.authorization == "api_key" and not self.api_keys:
            raise ValueError("AUTHORIZATION=api_key needs at least one key in API_KEYS")
        if self.authorization == "jwt" and not (self.jwt_issuer and self.jwt_audiences):
            raise ValueError("AUTHORIZATION=jwt needs JWT_ISSUER and at least one of JWT_AUDIENCES")
        return self
