"""The settings are exactly what the stack sets, and a wrong one fails the start."""

import pytest
from pydantic import ValidationError

from services.moderation.settings import Settings

VARIABLES = {
    "MODELS_BUCKET": "models",
    "MODEL_PREFIX": "moderation/1/",
    "DECISIONS_TABLE": "decisions",
    "DECISION_TTL_DAYS": "30",
    "HASH_KEY_ID": "arn:aws:kms:us-east-1:123456789012:key/1",
    "ENVIRONMENT": "dev",
    "LOG_LEVEL": "INFO",
}


@pytest.fixture
def environment(monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_fields_are_the_variables(environment):
    assert {name.upper() for name in Settings.model_fields} == set(VARIABLES)
    assert Settings().decision_ttl_days == 30


@pytest.mark.parametrize("name", VARIABLES)
def test_a_forgotten_variable_is_named(environment, name):
    environment.delenv(name)

    with pytest.raises(ValidationError, match=f"{name.lower()}\n *Field required"):
        Settings()


@pytest.mark.parametrize("name", VARIABLES)
def test_an_empty_variable_is_refused(environment, name):
    environment.setenv(name, "")

    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"), [("DECISION_TTL_DAYS", "0"), ("DECISION_TTL_DAYS", "x"), ("LOG_LEVEL", "loud")]
)
def test_a_wrong_value_is_refused_without_being_quoted(environment, name, value):
    environment.setenv(name, value)

    with pytest.raises(ValidationError) as raised:
        Settings()

    assert name.lower() in str(raised.value)
    assert f"input_value={value!r}" not in str(raised.value)
