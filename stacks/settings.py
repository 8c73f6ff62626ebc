"""What an environment may set: read once, checked as a whole before anything is made, and told in one message."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import pulumi
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from stacks.components.function import RETENTION_DAYS
from stacks.components.http_api import LONGEST_WAIT_SECONDS
from stacks.components.image import Architecture

ROOT = Path(__file__).resolve().parent.parent


class SettingsError(pulumi.RunError):
    """The settings of a stack make no sense; the message lists every mistake."""


def _listed(value: object) -> object:
    """Pulumi hands lists and objects over as JSON texts."""
    return json.loads(value) if isinstance(value, str) else value


def _absent(value: object) -> object:
    """An empty text means: not set. Every key has a default in Pulumi.yaml, and a default cannot be null there."""
    return None if value == "" else value


# Of the partition `aws`: GovCloud and China have other ARNs and fewer services.
_REGION = r"^(af|ap|ca|eu|il|me|mx|sa|us)-(north|south|east|west|central|northeast|northwest|southeast|southwest)-\d$"
Absent = BeforeValidator(_absent)
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Site = Annotated[str, Field(pattern=r"^https?://[^/*\s]+$")]
Url = Annotated[str, Field(pattern=r"^https://\S+$")]
KeyArn = Annotated[str, Field(pattern=r"^arn:aws:kms:[a-z0-9-]+:\d{12}:key/.+$")]
PolicyArn = Annotated[str, Field(pattern=r"^arn:aws:iam::(\d{12}|aws):policy/.+$")]
CertificateArn = Annotated[str, Field(pattern=r"^arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/.+$")]
HostName = Annotated[str, Field(pattern=r"^([a-z0-9-]+\.)+[a-z]{2,}$")]
ZoneId = Annotated[str, Field(pattern=r"^Z[A-Z0-9]+$")]
StackName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")]
Text = Annotated[str, Field(min_length=1)]


class _Section(BaseModel):
    """Settings whose keys in Pulumi.yaml are their names in camelCase."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


_S = TypeVar("_S", bound=_Section)


class Common(_Section):
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
    """

    region: Annotated[str, Field(pattern=_REGION)]
    protected: bool
    alarm_emails: Annotated[tuple[Email, ...], BeforeValidator(_listed)]
    log_retention_days: int
    tags: Annotated[dict[str, Text], BeforeValidator(_listed)]
    permissions_boundary: Annotated[PolicyArn | None, Absent]
    kms_key: Annotated[KeyArn | None, Absent]
    images: Literal["build", "promote"]
    images_from: Annotated[StackName | None, Absent]

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


class Moderation(_Section):
    """Settings of the moderation service; each key begins with `moderation`.

    Attributes:
        memory: Of the function, in MB. 1769 is one vCPU; new accounts stop at 3008.
        timeout: Of a call, in seconds; an HTTP API waits no longer than 30.
        reserved_concurrency: At most so many calls at a time; -1: the account's quota.
        provisioned_concurrency: So many kept warm, paid by the hour.
        architecture: What the function runs on.
        throttle_rate: Requests a second, sustained.
        throttle_burst: Requests at once.
        cors_origins: Sites whose pages may call.
        authorization: Who may call.
        jwt_issuer: Whose tokens are taken.
        jwt_audiences: For whom they must be.
        domain: An address of one's own.
        certificate: Of an issued ACM certificate for it.
        zone: The Route 53 zone that gets the record.
        decision_ttl_days: How long a decision is kept, in days.
        model: The directory of the model, from the repository's root.
        log_level: Of the service's own lines.
    """

    memory: Annotated[int, Field(ge=128, le=3008)]
    timeout: Annotated[int, Field(ge=3, lt=LONGEST_WAIT_SECONDS)]
    reserved_concurrency: Annotated[int, Field(ge=-1, le=10_000)]
    provisioned_concurrency: Annotated[int, Field(ge=0, le=1_000)]
    architecture: Architecture
    throttle_rate: Annotated[int, Field(ge=1, le=10_000)]
    throttle_burst: Annotated[int, Field(ge=1, le=5_000)]
    cors_origins: Annotated[tuple[Site, ...], BeforeValidator(_listed)]
    authorization: Literal["none", "jwt", "iam"]
    jwt_issuer: Annotated[Url | None, Absent]
    jwt_audiences: Annotated[tuple[Text, ...], BeforeValidator(_listed)]
    domain: Annotated[HostName | None, Absent]
    certificate: Annotated[CertificateArn | None, Absent]
    zone: Annotated[ZoneId | None, Absent]
    decision_ttl_days: Annotated[int, Field(ge=1, le=3650)]
    model: Path
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]

    @field_validator("provisioned_concurrency")
    @classmethod
    def _no_more_than_reserved(cls, warm: int, info: ValidationInfo) -> int:
        reserved = info.data.get("reserved_concurrency", -1)
        if 0 <= reserved < warm:
            raise ValueError(f"no more than the {reserved} reserved can be kept warm")
        return warm

    @field_validator("jwt_issuer", "jwt_audiences")
    @classmethod
    def _with_jwt_only(cls, value: object, info: ValidationInfo) -> object:
        authorization = info.data.get("authorization")
        if authorization == "jwt" and not value:
            raise ValueError("authorization by jwt needs it")
        if authorization in {"none", "iam"} and value:
            raise ValueError(f"goes with authorization jwt, not {authorization}")
        return value

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

    @field_validator("model")
    @classmethod
    def _in_the_repository(cls, model: Path) -> Path:
        directory = (ROOT / model).resolve()
        if not (directory / "manifest.json").is_file():
            raise ValueError("there is no manifest.json in this directory; get the models of the repository first")
        return directory


@dataclass(frozen=True)
class Settings:
    """Everything an environment sets.

    Attributes:
        common: What holds for every service.
        moderation: None when it is switched off.
    """

    common: Common
    moderation: Moderation | None

    @classmethod
    def load(cls, config: pulumi.Config | None = None) -> "Settings":
        """Read and check the stack's settings.

        Raises:
            SettingsError: With every mistake: the key, its value, what is allowed.
        """
        source = config or pulumi.Config()
        mistakes = _bad_names(pulumi.get_project(), pulumi.get_stack())
        common = _read(Common, "", source, mistakes)
        moderation = _service(Moderation, "moderation", source, mistakes)
        if mistakes or common is None:
            raise SettingsError(_message(pulumi.get_stack(), mistakes))
        return cls(common, moderation)


def _key(service: str, alias: str) -> str:
    return service + alias[0].upper() + alias[1:] if service else alias


def _service(section: type[_S], name: str, config: pulumi.Config, mistakes: list[str]) -> _S | None:
    """A service's settings; its own key, as `moderation`, switches it on or off."""
    switch = config.get(name)
    if switch not in {"true", "false"}:
        mistakes.append(f"{name} = {switch!r}: allowed are true and false")
    return _read(section, name, config, mistakes) if switch == "true" else None


def _read(section: type[_S], service: str, config: pulumi.Config, mistakes: list[str]) -> _S | None:
    """One section, or None and its mistakes."""
    given = {
        field.alias: value
        for field in section.model_fields.values()
        if field.alias and (value := config.get(_key(service, field.alias))) is not None
    }
    try:
        return section.model_validate(given)
    except ValidationError as error:
        for mistake in error.errors():
            alias, *inner = mistake["loc"]
            place = "".join(f"[{part}]" for part in inner)
            value = "is not set" if mistake["type"] == "missing" else f"= {mistake['input']!r}"
            mistakes.append(f"{_key(service, str(alias))}{place} {value}: {_allowed(mistake)}")
        return None


def _allowed(mistake: ErrorDetails) -> str:
    message = str(mistake["msg"]).removeprefix("Value error, ")
    return message[0].lower() + message[1:]


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
    ("role", 64, "moderation-role"),
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
