"""What an environment may set: read once, checked as a whole before anything is made, and told in one message."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

import pulumi
from pydantic import Field, ValidationInfo, field_validator

from stacks.components.function import RETENTION_DAYS
from stacks.components.http_api import LONGEST_WAIT_SECONDS
from stacks.components.image import Architecture
from stacks.http_api_settings import BehindHttpApi
from stacks.platform_settings import Platform
from stacks.sections import (
    REGION,
    ROOT,
    Absent,
    Email,
    KeyArn,
    Listed,
    PolicyArn,
    Section,
    StackName,
    Text,
    read,
    switched_on,
)
from stacks.sentiment_settings import Sentiment

__all__ = ["ROOT", "Common", "Moderation", "Platform", "Sentiment", "Settings", "SettingsError"]


class SettingsError(pulumi.RunError):
    """The settings of a stack make no sense; the message lists every mistake."""


class Common(Section):
    """What holds for every service.

    Attributes:
        region: Where everything is made.
        protected: What holds data is neither deleted nor replaced, and AWS refuses to delete it.
        alarm_emails: Who gets a mail.
        log_retention_days: How long logs are kept, in days.
        tags: On everything, beside those of Quintet's own.
        permissions_boundary: A policy that every role is bounded by.
        kms_key: A key of the owner's for buckets, tables, images and logs.
        images: `build` makes images, `promote` deploys those that another stack built.
        images_from: The stack whose images are promoted.
        images_also: Services that are off here and whose images are built all the same, for stacks that promote them.
    """

    region: Annotated[str, Field(pattern=REGION)]
    protected: bool
    alarm_emails: Annotated[tuple[Email, ...], Listed]
    log_retention_days: int
    tags: Annotated[dict[str, Text], Listed]
    permissions_boundary: Annotated[PolicyArn | None, Absent]
    kms_key: Annotated[KeyArn | None, Absent]
    images: Literal["build", "promote"]
    images_from: Annotated[StackName | None, Absent]
    images_also: Annotated[tuple[Literal["sentiment"], ...], Listed]

    @field_validator("log_retention_days")
    @classmethod
    def _a_period_of_cloudwatch(cls, days: int) -> int:
        if days not in RETENTION_DAYS:
            raise ValueError(f"allowed are {', '.join(map(str, RETENTION_DAYS))}")
        return days

    @field_validator("tags")
    @classmethod
    def _not_the_programs_own(cls, tags: dict[str, str]) -> dict[str, str]:
        if taken := sorted(
            key for key in tags if key in {"project", "environment", "managed-by"} or key.startswith("aws:")
        ):
            raise ValueError(f"{', '.join(taken)}: set by the program or by AWS")
        return tags

    @field_validator("images_from")
    @classmethod
    def _another_stack(cls, stack: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("images") == "promote" and not stack:
            raise ValueError("images are promoted: name the stack that builds them")
        return stack

    @field_validator("images_also")
    @classmethod
    def _where_images_are_built(cls, services: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if services and info.data.get("images") == "promote":
            raise ValueError("goes with images build; this stack promotes what another built")
        return services


class Moderation(BehindHttpApi):
    """Settings of the moderation service; each key begins with `moderation`.

    Attributes:
        memory: Of the function, in MB. 1769 is one vCPU; new accounts stop at 3008.
        timeout: Of a call, in seconds; an HTTP API waits no longer than 30.
        reserved_concurrency: At most so many calls at a time; -1: the account's quota.
        provisioned_concurrency: So many kept warm, paid by the hour.
        architecture: What the function runs on.
        authorization: Who may call.
        decision_ttl_days: How long a decision is kept, in days.
    """

    memory: Annotated[int, Field(ge=128, le=3008)]
    timeout: Annotated[int, Field(ge=3, lt=LONGEST_WAIT_SECONDS)]
    reserved_concurrency: Annotated[int, Field(ge=-1, le=10_000)]
    provisioned_concurrency: Annotated[int, Field(ge=0, le=1_000)]
    architecture: Architecture
    authorization: Literal["none", "jwt", "iam"]
    decision_ttl_days: Annotated[int, Field(ge=1, le=3650)]

    @field_validator("provisioned_concurrency")
    @classmethod
    def _no_more_than_reserved(cls, warm: int, info: ValidationInfo) -> int:
        reserved = info.data.get("reserved_concurrency", -1)
        if 0 <= reserved < warm:
            raise ValueError(f"no more than the {reserved} reserved can be kept warm")
        return warm


@dataclass(frozen=True)
class Settings:
    """Everything an environment sets.

    Attributes:
        common: What holds for every service.
        moderation: None when it is switched off.
        sentiment: None when it is switched off.
        platform: The network and the cluster; None when no service that is on needs them.
    """

    common: Common
    moderation: Moderation | None
    sentiment: Sentiment | None
    platform: Platform | None

    @classmethod
    def load(cls, config: pulumi.Config | None = None) -> "Settings":
        """Read and check the stack's settings.

        Raises:
            SettingsError: With every mistake: the key, its value, what is allowed.
        """
        source = config or pulumi.Config()
        mistakes = _bad_names(pulumi.get_project(), pulumi.get_stack())
        common = read(Common, "", source, mistakes)
        moderation = (
            read(Moderation, "moderation", source, mistakes) if switched_on("moderation", source, mistakes) else None
        )
        with_sentiment = switched_on("sentiment", source, mistakes)
        sentiment = read(Sentiment, "sentiment", source, mistakes) if with_sentiment else None
        platform = read(Platform, "", source, mistakes) if with_sentiment else None
        mistakes += _together(sentiment, platform)
        if mistakes or common is None:
            raise SettingsError(_message(pulumi.get_stack(), mistakes))
        return cls(common, moderation, sentiment, platform)


def _together(sentiment: Sentiment | None, platform: Platform | None) -> list[str]:
    """Complaints about settings of different sections."""
    if sentiment and platform and sentiment.authorization == "jwt" and platform.network_egress == "none":
        reads = "the pods read the issuer's keys over the internet, and networkEgress is 'none'"
        return [f"sentimentAuthorization = 'jwt': {reads}; take nat or public_ip, or authorization iam or api_key"]
    return []


def _message(stack: str, mistakes: list[str]) -> str:
    count = "1 setting is" if len(mistakes) == 1 else f"{len(mistakes)} settings are"
    lines = "\n".join(f"  {mistake}" for mistake in mistakes)
    return (
        f"The stack {stack} was not touched: {count} wrong.\n{lines}\n"
        f"Change them in Pulumi.{stack}.yaml, where each key is `quintet:` and its name."
    )


# The longest logical names of what AWS limits most, in characters: (what, limit, longest logical name).
NAME_LIMITS = (
    ("bucket", 63, "moderation-models-bucket"),
    ("role", 64, "network-flow-role"),
    ("function", 64, "moderation-function"),
)
_RANDOM = len("-12345678")


def _bad_names(project: str, stack: str) -> list[str]:
    """Complaints about a stack whose name AWS would not take within physical names."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", stack):
        return [f"the stack's name {stack!r}: allowed are lower-case letters, digits and single hyphens between them"]
    room = min(limit - len(f"{project}--{name}") - _RANDOM for _, limit, name in NAME_LIMITS)
    if len(stack) > room:
        return [
            f"the stack's name {stack!r} has {len(stack)} characters: allowed are {room}, or bucket names get too long"
        ]
    return []
