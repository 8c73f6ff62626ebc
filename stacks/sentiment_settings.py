"""What an environment may set about the sentiment service."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from stacks.http_api_settings import BehindHttpApi
from stacks.sections import Absent, Listed, Text

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


class Sentiment(BehindHttpApi):
    """Settings of the sentiment service; each key begins with `sentiment`.

    Attributes:
        backend: What runs the model; `auto` takes the first that works.
        authorization: Who may call.
        api_keys: Keys by name, for authorization api_key; secret.
        cpu: Of a pod, in thousandths of a CPU.
        memory: Of a pod, in MB.
        min_replicas: Pods at rest.
        max_replicas: Pods under load.
        rate_limit: Texts a minute and caller; 0 for no limit.
        target_p95: What the batching aims at, in ms.
        cache: What pods share answers and limits in.
        monitoring: Whether the cluster has the Prometheus operator.
        stable: What stays live while this program's own version is the canary.
        canary_weight: That canary's share of the callers, in percent.
    """

    backend: Literal["auto", "onnx", "torch", "mock"]
    authorization: Literal["none", "api_key", "jwt", "iam"]
    api_keys: Annotated[dict[Text, SecretStr], Listed]
    cpu: Annotated[int, Field(ge=250, le=16_000)]
    memory: Annotated[int, Field(ge=256, le=32_768)]
    min_replicas: Annotated[int, Field(ge=1, le=100)]
    max_replicas: Annotated[int, Field(ge=1, le=500)]
    rate_limit: Annotated[int, Field(ge=0, le=10_000_000)]
    target_p95: Annotated[int, Field(ge=5, le=10_000)]
    cache: Literal["none", "valkey"]
    monitoring: Literal["none", "operator"]
    stable: Annotated[Version | None, Listed, Absent]
    canary_weight: Annotated[int, Field(ge=0, le=50)]

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

    @field_validator("max_replicas")
    @classmethod
    def _no_fewer_than_at_rest(cls, most: int, info: ValidationInfo) -> int:
        least = info.data.get("min_replicas", 1)
        if most < least:
            raise ValueError(f"no fewer than the {least} of sentimentMinReplicas")
        return most

    @field_validator("canary_weight")
    @classmethod
    def _beside_something_stable(cls, weight: int, info: ValidationInfo) -> int:
        if weight and not info.data.get("stable"):
            raise ValueError("a canary is beside what is live: name that in sentimentStable (`quintet rollout` does)")
        return weight
