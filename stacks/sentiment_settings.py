"""What an environment may set about the sentiment service."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from stacks.sections import Absent, CertificateArn, HostName, Listed, Section, Site, Text, Url, ZoneId, model_directory

SHORTEST_KEY = 20
"""Characters of an API key; their hashes must not be found by trying."""


class Version(BaseModel):
    """A version of the service that is live.

    Attributes:
        image: `repository@digest`.
        model: What the keys of its model begin with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: Annotated[str, Field(pattern=r"^\S+@sha256:[0-9a-f]{64}$")]
    model: Annotated[str, Field(pattern=r"^sentiment/[A-Za-z0-9][A-Za-z0-9._-]*/$")]


class Sentiment(Section):
    """Settings of the sentiment service; each key begins with `sentiment`.

    Attributes:
        model: The directory of the model, from the repository's root.
        backend: What runs the model; `auto` takes the first that works.
        authorization: Who may call.
        api_keys: Keys by name, for authorization api_key; secret.
        jwt_issuer: Whose tokens are taken.
        jwt_audiences: For whom they must be.
        cors_origins: Sites whose pages may call.
        cpu: Of a pod, in thousandths of a CPU.
        memory: Of a pod, in MB.
        min_replicas: Pods at rest.
        max_replicas: Pods under load.
        rate_limit: Texts a minute and caller; 0 for no limit.
        target_p95: What the batching aims at, in ms.
        cache: What pods share answers and limits in.
        monitoring: Whether the cluster has the Prometheus operator.
        throttle_rate: Requests a second, sustained.
        throttle_burst: Requests at once.
        domain: An address of one's own.
        certificate: Of an issued ACM certificate for it.
        zone: The Route 53 zone that gets the record.
        log_level: Of the service's own lines.
        stable: What stays live while this program's own version is the canary.
        canary_weight: That canary's share of the callers, in percent.
    """

    model: Path
    backend: Literal["auto", "onnx", "torch", "mock"]
    authorization: Literal["none", "api_key", "jwt", "iam"]
    api_keys: Annotated[dict[Text, SecretStr], Listed]
    jwt_issuer: Annotated[Url | None, Absent]
    jwt_audiences: Annotated[tuple[Text, ...], Listed]
    cors_origins: Annotated[tuple[Site, ...], Listed]
    cpu: Annotated[int, Field(ge=250, le=16_000)]
    memory: Annotated[int, Field(ge=256, le=32_768)]
    min_replicas: Annotated[int, Field(ge=1, le=100)]
    max_replicas: Annotated[int, Field(ge=1, le=500)]
    rate_limit: Annotated[int, Field(ge=0, le=10_000_000)]
    target_p95: Annotated[int, Field(ge=5, le=10_000)]
    cache: Literal["none", "valkey"]
    monitoring: Literal["none", "operator"]
    throttle_rate: Annotated[int, Field(ge=1, le=10_000)]
    throttle_burst: Annotated[int, Field(ge=1, le=5_000)]
    domain: Annotated[HostName | None, Absent]
    certificate: Annotated[CertificateArn | None, Absent]
    zone: Annotated[ZoneId | None, Absent]
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
    stable: Annotated[Version | None, Listed, Absent]
    canary_weight: Annotated[int, Field(ge=0, le=50)]

    @field_validator("model")
    @classmethod
    def _in_the_repository(cls, model: Path) -> Path:
        return model_directory(model)

    @field_validator("api_keys")
    @classmethod
    def _long_enough(cls, keys: dict[str, SecretStr], info: ValidationInfo) -> dict[str, SecretStr]:
        authorization = info.data.get("authorization")
        if authorization == "api_key" and not keys:
            raise ValueError("authorization by api_key needs at least one, as a secret: NAME to KEY")
        if authorization in {"none", "jwt", "iam"} and keys:
            raise ValueError(f"goes with authorization api_key, not {authorization}")
        if short := sorted(name for name, key in keys.items() if len(key.get_secret_value()) < SHORTEST_KEY):
            raise ValueError(f"{', '.join(short)}: a key has {SHORTEST_KEY} characters or more")
        return keys

    @field_validator("jwt_issuer", "jwt_audiences")
    @classmethod
    def _with_jwt_only(cls, value: object, info: ValidationInfo) -> object:
        authorization = info.data.get("authorization")
        if authorization == "jwt" and not value:
            raise ValueError("authorization by jwt needs it")
        if authorization in {"none", "api_key", "iam"} and value:
            raise ValueError(f"goes with authorization jwt, not {authorization}")
        return value

    @field_validator("max_replicas")
    @classmethod
    def _no_fewer_than_at_rest(cls, most: int, info: ValidationInfo) -> int:
        least = info.data.get("min_replicas", 1)
        if most < least:
            raise ValueError(f"no fewer than the {least} of sentimentMinReplicas")
        return most

    @field_validator("certificate", "zone")
    @classmethod
    def _with_a_domain_only(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "domain" not in info.data:  # it is wrong itself, and told
            return value
        if value and not info.data["domain"]:
            raise ValueError("goes with a domain, and none is set")
        if info.field_name == "certificate" and info.data["domain"] and not value:
            raise ValueError("a domain needs an issued certificate in the same region")
        return value

    @field_validator("canary_weight")
    @classmethod
    def _beside_something_stable(cls, weight: int, info: ValidationInfo) -> int:
        if weight and not info.data.get("stable"):
            raise ValueError("a canary is beside what is live: name that in sentimentStable (`quintet rollout` does)")
        return weight
