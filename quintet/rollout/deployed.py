"""A rollout of a stack that the Pulumi CLI deploys: settings in `Pulumi.STACK.yaml`, `pulumi up` for each step."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from quintet.errors import Exit, QuintetError
from quintet.on_path import require
from quintet.project import Project
from quintet.rollout.config import encoded
from quintet.rollout.target import Target, target
from quintet.smoke.deployed import outputs

_CONFIG_SECONDS = 60


@dataclass(frozen=True)
class StackDeployer:
    """Deploys a stack.

    Attributes:
        project: Whose.
        stack: Its name.
        pulumi: The CLI.
    """

    project: Project
    stack: str
    pulumi: str

    @classmethod
    def find(cls, project: Project, stack: str) -> StackDeployer:
        """With the CLI on PATH.

        Raises:
            QuintetError: There is none, or the project has no such stack.
        """
        pulumi = require(
            "pulumi",
            f"The stack {stack} is deployed with the Pulumi CLI, and `pulumi` is not on PATH.",
            advice="Install it and log in to the stack's backend (`pulumi login`), then run this again.",
        )
        if stack not in project.stacks:
            raise QuintetError(
                f"There is no stack {stack}; there are {', '.join(project.stacks)}.", exit_code=Exit.USAGE
            )
        return cls(project, stack, pulumi)

    def target(self, service: str) -> Target:
        """What the program said of a service the last time it ran; see `Deployer`."""
        return target(outputs(self.project.root, self.stack), service)

    def settings(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values in the stack's file."""
        given = self._given()
        return {key: given.get(self.project.namespaced(key)) for key in keys}

    def set(self, changes: Mapping[str, Any]) -> None:
        """Writes values into the stack's file and takes others out; no other key is touched.

        Raises:
            QuintetError: A key holds a secret, or the CLI refuses.
        """
        given = self._given()
        named = {self.project.namespaced(key): value for key, value in changes.items()}
        if hidden := [name for name in named if _secret(given.get(name))]:
            raise QuintetError(f"{', '.join(hidden)} is a secret of the stack {self.stack}: a rollout leaves it alone.")
        values = {name: self._entry(name, value) for name, value in named.items() if value is not None}
        gone = [name for name, value in named.items() if value is None and name in given]
        if values:
            self._config("set-all", "--json", json.dumps(values))
        if gone:
            self._config("rm-all", *gone)

    def up(self) -> None:
        """Runs the program; what the CLI says goes to standard error, so that the result can be read from the output.

        Raises:
            QuintetError: It fails.
        """
        options = ["--yes", "--refresh", "--skip-preview", "--non-interactive", "--stack", self.stack]
        # Ctrl-C reaches it, too, as it is in the same group of processes: it saves what it has done and ends.
        with subprocess.Popen(  # noqa: S603 - the CLI that was found, arguments of our own
            [self.pulumi, "up", *options], cwd=self.project.root, stdin=subprocess.DEVNULL, stdout=sys.stderr
        ) as process:
            try:
                code = process.wait()
            except KeyboardInterrupt:
                process.wait()
                raise
        if code:
            raise QuintetError(f"`pulumi up` of the stack {self.stack} failed; what it said is above.")

    def _given(self) -> dict[str, Any]:
        content = yaml.safe_load(self._file.read_text(encoding="utf-8")) or {}
        return {self.project.namespaced(key): value for key, value in (content.get("config") or {}).items()}

    @property
    def _file(self) -> Path:
        return self.project.root / f"Pulumi.{self.stack}.yaml"

    def _entry(self, key: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - a setting has any of JSON's types
        """As `pulumi config --json` prints one."""
        told = encoded(self.project, key, value)
        text = told if isinstance(told, str) else json.dumps(told)
        structure = {"objectValue": told} if isinstance(told, Mapping | Sequence) and not isinstance(told, str) else {}
        return {"value": text, **structure, "secret": False}

    def _config(self, *words: str) -> None:
        command = [self.pulumi, "config", *words, "--stack", self.stack, "--non-interactive"]
        done = subprocess.run(  # noqa: S603 - as above
            command, cwd=self.project.root, capture_output=True, text=True, timeout=_CONFIG_SECONDS, check=False
        )
        if done.returncode:
            raise QuintetError(f"`pulumi config {words[0]}` of the stack {self.stack} failed: {done.stderr.strip()}")


def _secret(value: Any) -> bool:  # noqa: ANN401 - as above
    if isinstance(value, Mapping):
        return set(value) == {"secure"} or any(_secret(item) for item in value.values())
    return isinstance(value, list) and any(_secret(item) for item in value)
