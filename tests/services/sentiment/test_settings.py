"""The settings are exactly what the stack sets, and a wrong one fails the start."""

import subprocess
import sys

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsError

from services.sentiment.settings import Settings
from tests.services.conftest import ROOT
from tests.services.sentiment.conftest import VARIABLES, settings_of

DIGEST = "0" * 64
# What means "none".
MAY_BE_EMPTY = {"JWT_ISSUER", "JWKS_URL", "REDIS_URL"}


@pytest.fixture
def environment(monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_fields_are_the_variables(environment):
    assert {name.upper() for name in Settings.model_fields} == set(VARIABLES)
    assert Settings().max_batch_tokens == 2048


@pytest.mark.parametrize("name", VARIABLES)
def test_a_forgotten_variable_is_named(environment, name):
    environment.delenv(name)

    with pytest.raises(ValidationError, match=f"{name.lower()}\n *Field required"):
        Settings()


@pytest.mark.parametrize("name", sorted(VARIABLES.keys() - MAY_BE_EMPTY))
def test_an_empty_variable_is_refused(environment, name):
    environment.setenv(name, "")

    with pytest.raises((ValidationError, SettingsError), match=name.lower()):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_LEVEL", "loud"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("BACKEND", "tensorflow"),
        ("THREADS", "0"),
        ("AUTHORIZATION", "trust"),
        ("API_KEYS", '{"web": "the-key-itself"}'),
        ("JWT_ISSUER", "accounts.example.com"),
        ("JWKS_URL", "file:///etc/passwd"),
        ("REDIS_URL", "memcached://x"),
        ("RATE_LIMIT", "-1"),
        ("REQUEST_TIMEOUT_MS", "0"),
        ("DRAIN_SECONDS", "-1"),
        ("MAX_QUEUE_TOKENS", "0"),
    ],
)
def test_a_wrong_value_is_refused_without_being_quoted(environment, name, value):
    environment.setenv(name, value)

    with pytest.raises(ValidationError) as raised:
        Settings()

    assert name.lower() in str(raised.value)
    assert f"input_value={value!r}" not in str(raised.value)
    assert "the-key-itself" not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"AUTHORIZATION": "api_key"}, "API_KEYS"),
        ({"AUTHORIZATION": "jwt", "JWT_AUDIENCES": '["a"]'}, "JWT_ISSUER"),
        ({"AUTHORIZATION": "jwt", "JWT_ISSUER": "https://issuer.example"}, "JWT_AUDIENCES"),
    ],
)
def test_a_way_to_know_callers_without_what_it_needs_is_refused(changes, missing):
    with pytest.raises(ValidationError, match=missing):
        settings_of(**changes)


def test_keys_are_read_from_json():
    settings = settings_of(AUTHORIZATION="api_key", API_KEYS=f'{{"web": "{DIGEST}"}}')

    assert settings.api_keys == {"web": DIGEST}


def test_a_process_without_its_environment_says_what_is_missing_and_ends():
    found = subprocess.run(
        [sys.executable, "-m", "services.sentiment"],
        check=False,
        cwd=ROOT,
        env={name: value for name, value in VARIABLES.items() if name != "MODELS_BUCKET"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert found.returncode == 1
    assert "models_bucket" in found.stderr
    assert "Traceback" not in found.stderr
