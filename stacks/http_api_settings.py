"""What an environment may set about a service behind an HTTP API, whichever it is."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from stacks.sections import Absent, CertificateArn, HostName, Listed, Section, Site, Text, Url, ZoneId, model_directory


class BehindHttpApi(Section):
    """Settings that every service behind an HTTP API has; a service narrows `authorization` to what it knows.

    Attributes:
        model: The directory of the model, from the repository's root.
        authorization: Who may call.
        jwt_issuer: Whose tokens are taken.
        jwt_audiences: For whom they must be.
        cors_origins: Sites whose pages may call.
        throttle_rate: Requests a second, sustained.
        throttle_burst: Requests at once.
        domain: An address of one's own.
        certificate: Of an issued ACM certificate for it.
        zone: The Route 53 zone that gets the record.
        log_level: Of the service's own lines.
    """

    model: Path
    authorization: str
    jwt_issuer: Annotated[Url | None, Absent]
    jwt_audiences: Annotated[tuple[Text, ...], Listed]
    cors_origins: Annotated[tuple[Site, ...], Listed]
    throttle_rate: Annotated[int, Field(ge=1, le=10_000)]
    throttle_burst: Annotated[int, Field(ge=1, le=5_000)]
    domain: Annotated[HostName | None, Absent]
    certificate: Annotated[CertificateArn | None, Absent]
    zone: Annotated[ZoneId | None, Absent]
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]

    @field_validator("model")
    @classmethod
    def _in_the_repository(cls, model: Path) -> Path:
        return model_directory(model)

    @field_validator("jwt_issuer", "jwt_audiences")
    @classmethod
    def _with_jwt_only(cls, value: object, info: ValidationInfo) -> object:
        if "authorization" not in info.data:  # it is wrong itself, and told
            return value
        authorization = info.data["authorization"]
        if authorization == "jwt" and not value:
            raise ValueError("authorization by jwt needs it")
        if authorization != "jwt" and value:
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
