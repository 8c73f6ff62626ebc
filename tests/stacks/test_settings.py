import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi import runtime

from quintet.project import Project
from stacks.settings import NAME_LIMITS, Common, Moderation, Platform, Sentiment, Settings, SettingsError
from tests.stacks.declaring import ACCOUNT, KEY, STACKS

CERTIFICATE = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/1"


@pytest.fixture
def load(repository: Path, model_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Settings of a stack, as the Pulumi runtime hands them over, with some in place of its file's."""

    def run(stack: str = "dev", *, named: str | None = None, **given: Any) -> Settings:
        monkeypatch.setattr(pulumi, "get_stack", lambda: named or stack)
        monkeypatch.setattr(pulumi, "get_project", lambda: "quintet")
        models = {"moderationModel": str(model_directory), "sentimentModel": str(model_directory)}
        config, _ = Project.load(repository).stack_config(stack, models)
        changes = {
            f"quintet:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in given.items()
        }
        runtime.set_all_config({**config, **changes})
        return Settings.load(pulumi.Config("quintet"))

    return run


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_of_the_repository_is_right(load: Any, stack: str) -> None:
    settings = load(stack)

    assert settings.common.region == "us-east-1"
    assert settings.moderation is not None


def test_the_sandbox_has_every_service_on(load: Any) -> None:
    settings = load("sandbox")

    services = [field.name for field in fields(settings) if field.name != "common"]
    assert services
    assert all(getattr(settings, name) for name in services)


def test_every_key_is_declared_with_type_default_and_description_and_read(repository: Path) -> None:
    declared = yaml.safe_load((repository / "Pulumi.yaml").read_text())["config"]
    declared.pop("pulumi:autonaming")

    read = {field.alias for section in (Common, Platform) for field in section.model_fields.values()}
    for name, section in {"moderation": Moderation, "sentiment": Sentiment}.items():
        read |= {name} | {f"{name}{field.alias[0].upper()}{field.alias[1:]}" for field in section.model_fields.values()}
    assert declared.keys() == read
    assert all({"type", "default", "description"} <= item.keys() for item in declared.values())


def test_a_service_can_be_switched_off(load: Any) -> None:
    assert load(moderation="false").moderation is None


def test_what_is_set_for_a_service_that_is_off_is_not_looked_at(load: Any) -> None:
    assert load(moderation="false", moderationMemory=1).moderation is None


def test_lists_and_objects_are_read(load: Any) -> None:
    settings = load(alarmEmails=["a@example.com"], tags={"team": "ml"}, moderationCorsOrigins=["https://a.example"])

    assert settings.common.alarm_emails == ("a@example.com",)
    assert settings.common.tags == {"team": "ml"}
    assert settings.moderation.cors_origins == ("https://a.example",)


def test_an_empty_text_means_not_set(load: Any) -> None:
    settings = load(permissionsBoundary="", moderationDomain="")

    assert settings.common.permissions_boundary is None
    assert settings.moderation.domain is None


WRONG = [
    ("region", "mars", "region = 'mars'"),
    ("region", "cn-north-1", "region = 'cn-north-1'"),
    ("protected", "perhaps", "protected = 'perhaps'"),
    ("alarmEmails", ["nobody"], "alarmEmails[0] = 'nobody'"),
    ("alarmEmails", "nobody", "alarmEmails = 'nobody'"),
    ("logRetentionDays", 2, "logRetentionDays = '2': allowed are 1, 3, 5, 7, 14, 30"),
    ("tags", {"project": "mine"}, "project: set by the program or by AWS"),
    ("tags", {"aws:mine": "x"}, "aws:mine: set by the program or by AWS"),
    ("permissionsBoundary", "boundary", "permissionsBoundary = 'boundary'"),
    ("kmsKey", "alias/mine", "kmsKey = 'alias/mine'"),
    ("images", "guess", "images = 'guess': input should be 'build' or 'promote'"),
    ("imagesFrom", "Dev", "imagesFrom = 'Dev'"),
    ("moderation", "maybe", "moderation = 'maybe': allowed are true and false"),
    ("moderationMemory", 64, "moderationMemory = '64': input should be greater than or equal to 128"),
    ("moderationMemory", 4096, "less than or equal to 3008"),
    ("moderationTimeout", 30, "moderationTimeout = '30': input should be less than 30"),
    ("moderationReservedConcurrency", -2, "moderationReservedConcurrency = '-2'"),
    ("moderationArchitecture", "riscv", "input should be 'x86_64' or 'arm64'"),
    ("moderationThrottleRate", 0, "moderationThrottleRate = '0'"),
    ("moderationThrottleBurst", 9999, "moderationThrottleBurst = '9999'"),
    ("moderationCorsOrigins", ["*"], "moderationCorsOrigins[0] = '*'"),
    ("moderationAuthorization", "basic", "input should be 'none', 'jwt' or 'iam'"),
    ("moderationJwtIssuer", "https://a.example", "goes with authorization jwt, not none"),
    ("moderationDomain", "https://a.example", "moderationDomain = 'https://a.example'"),
    ("moderationCertificate", CERTIFICATE, "goes with a domain, and none is set"),
    ("moderationZone", "Z1", "goes with a domain, and none is set"),
    ("moderationDecisionTtlDays", 0, "moderationDecisionTtlDays = '0'"),
    ("moderationModel", "models/nothing", "there is no manifest.json in this directory"),
    ("moderationLogLevel", "LOUD", "moderationLogLevel = 'LOUD'"),
]


@pytest.mark.parametrize(("key", "value", "told"), WRONG, ids=[f"{key}={value}" for key, value, _ in WRONG])
def test_nonsense_is_refused_with_key_value_and_what_is_allowed(load: Any, key: str, value: Any, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(**{key: value})

    assert told in str(refused.value)
    assert "The stack dev was not touched: 1 setting is wrong." in str(refused.value)
    assert "Pulumi.dev.yaml" in str(refused.value)


TOGETHER = [
    ({"images": "promote"}, "imagesFrom = '': images are promoted: name the stack that builds them"),
    ({"moderationDomain": "a.example.com"}, "moderationCertificate = '': a domain needs an issued certificate"),
    ({"moderationReservedConcurrency": 1, "moderationProvisionedConcurrency": 2}, "no more than the 1 reserved"),
]


@pytest.mark.parametrize(("given", "told"), TOGETHER)
def test_settings_that_do_not_go_together_are_refused(load: Any, given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(**given)

    assert told in str(refused.value)


def test_tokens_need_an_issuer_and_an_audience(load: Any) -> None:
    with pytest.raises(SettingsError) as refused:
        load(moderationAuthorization="jwt")

    assert "moderationJwtIssuer = ''" in str(refused.value)
    assert "moderationJwtAudiences = '[]'" in str(refused.value)


def test_what_goes_together_is_taken(load: Any) -> None:
    moderation = load(
        kmsKey=KEY,
        moderationDomain="a.example.com",
        moderationCertificate=CERTIFICATE,
        moderationZone="Z1",
        moderationAuthorization="jwt",
        moderationJwtIssuer="https://issuer.example",
        moderationJwtAudiences=["quintet"],
    ).moderation

    assert (moderation.zone, moderation.jwt_audiences) == ("Z1", ("quintet",))


def test_all_mistakes_are_told_at_once(load: Any) -> None:
    with pytest.raises(SettingsError) as refused:
        load(region="mars", moderationMemory=1, moderationJwtIssuer="https://a.example", named="Test")

    told = str(refused.value)
    assert "4 settings are wrong" in told
    assert all(key in told for key in ("region", "moderationMemory", "moderationJwtIssuer", "the stack's name 'Test'"))


def test_a_key_that_is_not_set_is_told(load: Any) -> None:
    runtime.set_all_config({})

    with pytest.raises(SettingsError, match="region is not set"):
        Settings.load(pulumi.Config("quintet"))


@pytest.mark.parametrize("stack", ["Dev", "dev_1", "dev--1", "1dev", "dev.eu"])
def test_a_stack_whose_name_aws_would_refuse_is_refused(load: Any, stack: str) -> None:
    with pytest.raises(SettingsError, match="allowed are lower-case letters, digits and single hyphens"):
        load(named=stack)


def room() -> int:
    return min(limit - len(f"quintet--{name}-12345678") for _, limit, name in NAME_LIMITS)


def test_the_longest_stack_name_that_fits_is_taken_and_the_next_is_not(load: Any) -> None:
    assert load(named="s" * room())

    with pytest.raises(SettingsError, match=f"has {room() + 1} characters: allowed are {room()}"):
        load(named="s" * (room() + 1))
