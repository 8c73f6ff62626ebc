"""Settings as the command line gives them and as the stack's configuration takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from quintet.errors import Exit, QuintetError
from quintet.project import Project, ProjectError

_STRUCTURED = frozenset({"array", "object"})


def parsed(project: Project, stack: str, given: Sequence[str]) -> dict[str, Any]:
    """The settings of `--config KEY=VALUE`, by their keys without the project's name.

    Raises:
        QuintetError: One has no value, is not declared, is a secret, or its value is of another type.
    """
    pairs = dict(_pair(project, item) for item in given)
    for key in pairs:
        declaration = project.declared.get(project.namespaced(key))
        if declaration is not None and declaration.secret:
            raise QuintetError(
                f"{key} is a secret, which no command line should carry.",
                advice=f"Set it beforehand: `pulumi config set --secret {key} --stack {stack}`.",
                exit_code=Exit.USAGE,
            )
    values = {key: _value(project, key, text) for key, text in pairs.items()}
    try:
        project.check(values)
    except ProjectError as error:
        raise QuintetError(f"--config: {error}", exit_code=Exit.USAGE) from error
    return values


def encoded(project: Project, key: str, value: Any) -> Any:  # noqa: ANN401 - a setting has any of JSON's types
    """A value as the configuration takes it: a document that is declared as text, as JSON; None stays None."""
    declaration = project.declared.get(project.namespaced(key))
    if isinstance(value, Mapping | list) and (declaration is None or declaration.type not in _STRUCTURED):
        return json.dumps(value)
    return value


def _pair(project: Project, item: str) -> tuple[str, str]:
    key, separator, value = item.partition("=")
    if not separator or not key:
        raise QuintetError(
            f"--config takes KEY=VALUE, not {item!r}.",
            advice="For example: --config sentimentModel=models/sentiment",
            exit_code=Exit.USAGE,
        )
    return key.removeprefix(f"{project.name}:"), value


def _value(project: Project, key: str, text: str) -> Any:  # noqa: ANN401 - as above
    declaration = project.declared.get(project.namespaced(key))
    if declaration is None or declaration.type not in _STRUCTURED:
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise QuintetError(
            f"--config {key}: the setting is of type {declaration.type}, and {text!r} is not JSON.",
            exit_code=Exit.USAGE,
        ) from error
