"""`--config KEY=VALUE`: typed by what Pulumi.yaml declares."""

from pathlib import Path

import pytest

from quintet.errors import Exit, QuintetError
from quintet.project import Project
from quintet.rollout.config import encoded, parsed

PROJECT = """
name: quintet
runtime: python
config:
  model: {type: string, default: ""}
  cpu: {type: integer, default: 1}
  open: {type: boolean, default: true}
  origins: {type: array, items: {type: string}, default: []}
  stable: {type: object, default: {}}
  stableText: {type: string, default: ""}
  key: {type: string, secret: true, default: ""}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    return Project.load(tmp_path)


def test_values_have_the_declared_type(project: Project):
    given = ["model=models/a=b", "quintet:cpu=500", "open=false", 'origins=["https://a.example"]']

    values = parsed(project, "dev", given)

    assert values == {"model": "models/a=b", "cpu": "500", "open": "false", "origins": ["https://a.example"]}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("model", "takes KEY=VALUE, not 'model'"),
        ("=x", "takes KEY=VALUE"),
        ("modle=x", "did you mean `quintet:model`"),
        ("cpu=many", "must be of type integer"),
        ("origins=https://a.example", "of type array"),
        ("key=abc", "key is a secret"),
    ],
)
def test_what_cannot_be_is_refused_and_the_reason_told(project: Project, given: str, told: str):
    with pytest.raises(QuintetError) as refused:
        parsed(project, "dev", [given])

    assert told in refused.value.message
    assert refused.value.exit_code is Exit.USAGE


def test_a_secrets_value_is_not_repeated(project: Project):
    with pytest.raises(QuintetError) as refused:
        parsed(project, "dev", ["key=hunter2"])

    assert "hunter2" not in refused.value.message + refused.value.advice


def test_a_document_is_text_where_text_is_declared(project: Project):
    assert encoded(project, "stable", {"a": 1}) == {"a": 1}
    assert encoded(project, "stableText", {"a": 1}) == '{"a": 1}'
    assert encoded(project, "stable", None) is None
