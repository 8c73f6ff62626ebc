"""What every section of settings is made of: the forms of values, and how a section is read."""

import json
from pathlib import Path
from typing import Annotated, TypeVar

import pulumi
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

ROOT = Path(__file__).resolve().parent.parent


def _listed(value: object) -> object:
    """Pulumi hands lists and objects over as JSON texts."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        # Not the parser's words: they would quote what may be a secret.
        raise ValueError("allowed is JSON") from None


def _absent(value: object) -> object:
    """An empty text means: not set. Every key has a default in Pulumi.yaml, and a default cannot be null there."""
    return None if value == "" else value


# Of the partition `aws`: GovCloud and China have other ARNs and fewer services.
REGION = r"^(af|ap|ca|eu|il|me|mx|sa|us)-(north|south|east|west|central|northeast|northwest|southeast|southwest)-\d$"
Absent = BeforeValidator(_absent)
Listed = BeforeValidator(_listed)
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


class Section(BaseModel):
    """Settings whose keys in Pulumi.yaml are their names in camelCase."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


SectionT = TypeVar("SectionT", bound=Section)


def model_directory(model: Path) -> Path:
    """Where a model of the repository is.

    Raises:
        ValueError: There is none.
    """
    directory = (ROOT / model).resolve()
    if not (directory / "manifest.json").is_file():
        raise ValueError("there is no manifest.json in this directory; get the models of the repository first")
    return directory


def switched_on(name: str, config: pulumi.Config, mistakes: list[str]) -> bool:
    """Whether a service is on, which its own key, as `moderation`, says."""
    switch = config.get(name)
    if switch not in {"true", "false"}:
        mistakes.append(f"{name} = {switch!r}: allowed are true and false")
    return switch == "true"


def read(section: type[SectionT], prefix: str, config: pulumi.Config, mistakes: list[str]) -> SectionT | None:
    """One section, or None and its mistakes."""
    given = {
        field.alias: value
        for field in section.model_fields.values()
        if field.alias and (value := config.get(_key(prefix, field.alias))) is not None
    }
    try:
        return section.model_validate(given)
    except ValidationError as error:
        mistakes.extend(_told(section, prefix, mistake) for mistake in error.errors())
        return None


def _key(prefix: str, alias: str) -> str:
    return prefix + alias[0].upper() + alias[1:] if prefix else alias


def _told(section: type[Section], prefix: str, mistake: ErrorDetails) -> str:
    alias, *inner = mistake["loc"]
    place = "".join(f"[{part}]" for part in inner)
    hidden = any(
        field.alias == alias and SecretStr in _types(field.annotation) for field in section.model_fields.values()
    )
    given = "(a secret)" if hidden else f"= {mistake['input']!r}"
    value = "is not set" if mistake["type"] == "missing" else given
    return f"{_key(prefix, str(alias))}{place} {value}: {_allowed(mistake)}"


def _types(annotation: object) -> set[object]:
    """A type and all that it is made of."""
    inner = getattr(annotation, "__args__", ())
    return {annotation, *(part for each in inner for part in _types(each))}


def _allowed(mistake: ErrorDetails) -> str:
    message = str(mistake["msg"]).removeprefix("Value error, ")
    return message[0].lower() + message[1:]
