"""No secret stands in a definition: who may read a function's settings or an image would have it."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from stacks.policy.declared import Declared, Finding, Rule, Stack

_KNOWN = {
    "an access key of AWS": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a private key": re.compile(r"-----BEGIN ([A-Z]+ )*PRIVATE KEY-----"),
    "a token of GitHub": re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,})"),
    "a token of Hugging Face": re.compile(r"\bhf_[A-Za-z0-9]{30,}\b"),
    "a key of Slack": re.compile(r"\bxox[abposr]-[A-Za-z0-9-]{20,}"),
    "a key of Stripe or OpenAI": re.compile(r"\b[sr]k[-_](live_|test_|proj-)?[A-Za-z0-9_-]{20,}"),
    "a signed token": re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    "an address with a password": re.compile(r"\b[a-z][a-z0-9+]*://[^/\s:@]+:[^/\s:@]+@"),
}
_SECRET_NAME = re.compile(
    r"(^|[_-])(password|passwd|passphrase|secret|token|credentials?|api_?key|access_?key|private_?key)$", re.IGNORECASE
)
# What is no secret under such a name: where it is kept, or a switch.
_REFERENCE = re.compile(r"(arn:|/|ssm:|\$\{|true$|false$|none$|$)", re.IGNORECASE)

_MADE_FOR_SECRETS = {
    "aws:secretsmanager/secretVersion:SecretVersion": ("secretString", "secretBinary"),
    "aws:ssm/parameter:Parameter": ("value",),
    "docker-build:index:Image": ("registries",),
    "kubernetes:core/v1:Secret": ("data", "stringData"),
}
"""Where a secret belongs; Pulumi keeps these encrypted."""

_NAMED_VALUES = ("environment", "buildArgs", "containerDefinitions", "variables", "spec", "env")
_FIX = "Keep it in Secrets Manager and give the code its ARN, or let ECS put it into `secrets`; then revoke this one"


def _literals(resource: Declared, _: Stack) -> Iterator[Finding]:
    if resource.type.startswith("pulumi:"):
        return
    hidden = _MADE_FOR_SECRETS.get(resource.type, ())
    for key, value in resource.props.items():
        if key in hidden:
            continue
        # The finding never repeats the value: what Pulumi prints ends up in a log.
        for path, text in _texts(key, value):
            for kind, pattern in _KNOWN.items():
                if pattern.search(text):
                    yield Finding(f"holds {kind} in `{path}`", _FIX)
        if key in _NAMED_VALUES:
            for name, text in _variables(_parsed(value)):
                if _SECRET_NAME.search(name) and not _REFERENCE.match(text):
                    yield Finding(f"holds the value of {name} in `{key}`", _FIX)


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401  any JSON
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(f"{path}.{key}", item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(f"{path}[{number}]", item)


def _variables(value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401  any JSON
    """Names and values, whether a mapping or a list of {name, value} holds them, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from _variables(item)
    elif isinstance(value, Mapping):
        if isinstance(value.get("name"), str) and isinstance(value.get("value"), str):
            yield value["name"], value["value"]
        for name, item in value.items():
            if isinstance(item, str):
                yield name, item
            else:
                yield from _variables(item)


def _parsed(value: Any) -> Any:  # noqa: ANN401  any JSON
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None


RULE = Rule(
    name="no-secret-literal",
    why="A definition is read in consoles, states, logs and repositories; a secret in it is public among them.",
    check=_literals,
)
