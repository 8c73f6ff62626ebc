"""The addresses of a stack that the Pulumi CLI has deployed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from quintet.errors import QuintetError
from quintet.on_path import require

_OUTPUTS_SECONDS = 120


def endpoints(root: Path, stack: str) -> dict[str, str]:
    """Addresses by service, from the stack output `endpoints`.

    Raises:
        QuintetError: The CLI is not installed, does not know the stack, or the stack exports no endpoints.
    """
    return parse(json.dumps(outputs(root, stack)), stack)


def outputs(root: Path, stack: str) -> dict[str, Any]:
    """All outputs of a stack.

    Raises:
        QuintetError: The CLI is not installed or does not know the stack.
    """
    pulumi = require(
        "pulumi",
        f"The outputs of the stack {stack} are read with the Pulumi CLI, and `pulumi` is not on PATH.",
        advice="Install it and log in to the stack's backend (`pulumi login`), then run this again.",
    )
    try:
        return dict(json.loads(_outputs(pulumi, root, stack)))
    except ValueError as error:
        raise QuintetError(f"`pulumi stack output` of the stack {stack} printed no JSON document.") from error


def _outputs(pulumi: str, root: Path, stack: str) -> str:
    command = [pulumi, "stack", "output", "--json", "--stack", stack, "--non-interactive"]
    try:
        done = subprocess.run(  # noqa: S603 - the CLI found on PATH, the stack name as one argument
            command, cwd=root, capture_output=True, text=True, timeout=_OUTPUTS_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise QuintetError(f"`pulumi stack output` said nothing in {_OUTPUTS_SECONDS} s.") from error
    if done.returncode:
        raise QuintetError(f"The outputs of the stack {stack} cannot be read: {done.stderr.strip()}")
    return done.stdout


def parse(outputs: str, stack: str) -> dict[str, str]:
    """Addresses by service in the JSON that `pulumi stack output --json` prints.

    Raises:
        QuintetError: There is no output `endpoints` of the shape {service: {"url": ...}}.
    """
    try:
        return {name: str(service["url"]) for name, service in json.loads(outputs)["endpoints"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise QuintetError(
            f"The stack {stack} has no output `endpoints` of the shape {{service: {{url}}}}.",
            advice=f"Deploy it with the program of this checkout: `pulumi up --stack {stack}`.",
        ) from error
