"""What the program says about how a service is rolled out: an entry of the stack output `rollouts`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quintet.errors import Exit, QuintetError

OUTPUT = "rollouts"
_DIGITS = 12
"""Of a digest, for people."""


class Version(BaseModel):
    """What makes two deployments of a service the same one."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    image: str
    model: str

    def __str__(self) -> str:
        name, _, digest = self.image.rpartition("/")[2].partition("@sha256:")
        return f"{self.model.rstrip('/')} in {name}@{digest[:_DIGITS]}"


class Target(BaseModel):
    """How a service is rolled out.

    Attributes:
        kind: What runs it.
        namespace: Where its objects are.
        live: What is live: the program's own version, or what the stable setting holds.
        candidate: The program's own version, whether it is live or not.
        stable_setting: The setting that keeps a version live while the program's own is the candidate.
        weight_setting: The setting with the candidate's share of requests in percent.
        metrics: What the names of the service's metrics begin with.
        cluster: The cluster's name; empty for one that the program has not made.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    kind: str
    namespace: str
    live: Version
    candidate: Version
    stable_setting: str = Field(alias="stableSetting")
    weight_setting: str = Field(alias="weightSetting")
    metrics: str
    cluster: str = ""


def target(outputs: Mapping[str, Any], service: str) -> Target:
    """The entry of a service.

    Raises:
        QuintetError: The service has none, or one of another shape.
    """
    entries: Mapping[str, Any] = outputs.get(OUTPUT) or {}
    if service not in entries:
        raise QuintetError(
            f"{service} is not deployed with a gradual rollout; what is: {', '.join(sorted(entries)) or 'no service'}.",
            advice=f"`quintet up {service}` deploys it." if not entries else "",
            exit_code=Exit.USAGE,
        )
    try:
        return Target.model_validate(entries[service])
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise QuintetError(
            f"The stack output {OUTPUT}.{service} is not what a rollout needs: {wrong}.",
            advice="Deploy the stack with the program of this checkout first.",
        ) from error
