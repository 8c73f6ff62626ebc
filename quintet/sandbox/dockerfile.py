"""Reads a Dockerfile for what a process of this machine needs: which files, which environment, which command.

Nothing is executed: RUN is skipped, as installed packages come from the virtual environment. So what a service needs
and its Dockerfile does not COPY is missing in the sandbox as it would be in the image.
"""

import io
import json
import logging
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dockerfile_parse import DockerfileParser  # type: ignore[import-untyped]  # carries no types

from quintet.sandbox.dockerignore import Context
from quintet.sandbox.engine.errors import SandboxError

SKIPPED = frozenset({"COMMENT", "EXPOSE", "LABEL", "RUN", "USER"})
"""Instructions that change nothing for a process of this machine."""

COPY_FLAGS = frozenset({"from", "chown", "chmod", "link"})
LAMBDA_TASK_ROOT = "/var/task"

_PLATFORM = {
    "TARGETPLATFORM": "linux/amd64",
    "TARGETOS": "linux",
    "TARGETARCH": "amd64",
    "BUILDPLATFORM": "linux/amd64",
}
_VARIABLE = re.compile(r"\\\$|\$(?:(\w+)|\{(\w+)(?:(:[-+])([^}]*))?\})")
_LAMBDA_BASE = re.compile(r"(^|/)(lambda/|aws-lambda-)(python|provided)\b")

logging.getLogger("dockerfile_parse").setLevel(logging.ERROR)


class DockerfileError(SandboxError):
    """A Dockerfile that cannot be built, or holds what the sandbox does not interpret."""


@dataclass(frozen=True)
class Plan:
    """What a stage of a Dockerfile makes, as far as the sandbox needs it.

    Attributes:
        base: The image it starts from, with its variables replaced.
        files: Files by absolute path in the image.
        environment: Its ENV; of the base image nothing is known.
        workdir: Its working directory.
        entrypoint: Its ENTRYPOINT.
        command: Its CMD.
    """

    base: str
    files: dict[str, Path] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    @property
    def code_root(self) -> str:
        """Where the code lies: the task root of a Lambda base image, or what the image says, or where it works."""
        on_lambda = LAMBDA_TASK_ROOT if _LAMBDA_BASE.search(self.base) else self.workdir
        return self.environment.get("LAMBDA_TASK_ROOT", on_lambda)


def interpret(
    dockerfile: Path, context: Path, *, arguments: Mapping[str, str], target: str | None = None, text: str | None = None
) -> Plan:
    """Read a Dockerfile against a build context.

    Args:
        dockerfile: Its path; its ignore file lies beside it.
        context: The folder that COPY takes files from.
        arguments: Build arguments.
        target: The stage to build; the last one when absent.
        text: Its content, where that is not the file's.

    Raises:
        DockerfileError: It does not exist, copies what is not in the context, or holds an instruction that is not
            interpreted; the message names file and line.
    """
    if text is None:
        if not dockerfile.is_file():
            raise DockerfileError(f"there is no Dockerfile {dockerfile}")
        text = dockerfile.read_text(encoding="utf-8")
    if not context.is_dir():
        raise DockerfileError(f"the build context {context} of {dockerfile} is not a folder")
    return _Interpreter(dockerfile.name, Context(context, dockerfile), arguments).run(text, target)


class _Interpreter:
    def __init__(self, name: str, context: Context, arguments: Mapping[str, str]) -> None:
        self._name = name
        self._context = context
        self._given = {**_PLATFORM, **arguments}
        self._global: dict[str, str] = {}
        self._declared: dict[str, str] = {}
        self._stages: dict[str, Plan] = {}
        self._names: tuple[str, ...] = ()
        self._count = 0
        self._plan: Plan | None = None
        self._line = 0

    def run(self, text: str, target: str | None) -> Plan:
        for statement in DockerfileParser(fileobj=io.BytesIO(text.encode())).structure:
            self._line = statement["startline"] + 1
            self._step(statement["instruction"], statement["value"])
        if target is not None:
            return self._stage(target, f"the target {target!r} is not a stage of it")
        if self._plan is None:
            raise self._error("it has no FROM")
        return self._plan

    def _step(self, instruction: str, value: str) -> None:
        if "<<" in value and instruction in {"RUN", "COPY"}:
            raise self._error(f"{instruction} with a here-document is not interpreted by the sandbox")
        if instruction in SKIPPED:
            return
        handler = getattr(self, f"_{instruction.lower()}", None)
        if instruction not in {"FROM", "ARG", "ENV", "WORKDIR", "COPY", "CMD", "ENTRYPOINT"} or handler is None:
            raise self._error(
                f"{instruction} is not interpreted by the sandbox; it knows FROM, ARG, ENV, WORKDIR, COPY, CMD and "
                f"ENTRYPOINT, and skips {', '.join(sorted(SKIPPED - {'COMMENT'}))}"
            )
        handler(value)

    def _from(self, value: str) -> None:
        words = [word for word in shlex.split(self._filled(value, self._global)) if not word.startswith("--")]
        if not words:
            raise self._error("FROM names no image")
        name = words[2] if len(words) > 2 and words[1].upper() == "AS" else ""  # noqa: PLR2004  image AS name
        below = self._stages.get(words[0])
        on_lambda = LAMBDA_TASK_ROOT if _LAMBDA_BASE.search(words[0]) else "/"
        self._declared = {}
        self._plan = replace(below, files=dict(below.files)) if below else Plan(base=words[0], workdir=on_lambda)
        self._keep(name)

    def _keep(self, name: str) -> None:
        self._names = tuple(filter(None, (str(self._count), name)))
        self._count += 1
        self._change()

    def _change(self, **changes: Any) -> None:  # noqa: ANN401  fields of Plan
        self._plan = replace(self._current, **changes)
        self._stages |= dict.fromkeys(self._names, self._plan)

    def _arg(self, value: str) -> None:
        for word in shlex.split(self._filled(value)):
            name, has_default, default = word.partition("=")
            if self._plan is None:
                self._global[name] = self._given.get(name, default)
            elif name in self._given:
                self._declared[name] = self._given[name]
            elif has_default or name in self._global:
                self._declared[name] = default if has_default else self._global[name]

    def _env(self, value: str) -> None:
        first, _, rest = value.partition(" ")
        words = shlex.split(self._filled(value)) if "=" in first else [f"{first}={self._filled(rest.strip())}"]
        if broken := [word for word in words if "=" not in word]:
            raise self._error(f"ENV {broken[0]!r} has no value; write NAME=value")
        pairs = dict(word.split("=", 1) for word in words)
        self._change(environment={**self._current.environment, **pairs})

    def _workdir(self, value: str) -> None:
        self._change(workdir=posixpath.normpath(posixpath.join(self._current.workdir, self._filled(value.strip()))))

    def _cmd(self, value: str) -> None:
        self._change(command=_argv(value))

    def _entrypoint(self, value: str) -> None:
        self._change(entrypoint=_argv(value), command=())

    def _copy(self, value: str) -> None:
        flags, words = self._copy_words(value)
        if len(words) < 2:  # noqa: PLR2004  a source and a destination
            raise self._error("COPY needs a source and a destination")
        *sources, destination = words
        absolute = posixpath.join(self._current.workdir, destination)
        into_folder = destination.endswith("/") or destination in {".", ".."} or len(sources) > 1
        files = self._from_stage(flags["from"], sources) if "from" in flags else self._from_context(sources)
        folders = {posixpath.dirname(path) for path in self._current.files}
        into_folder = into_folder or any(f"{folder}/".startswith(f"{absolute}/") for folder in folders)
        placed = {_place(absolute, relative, name, into_folder=into_folder): path for relative, name, path in files}
        self._change(files={**self._current.files, **placed})

    def _copy_words(self, value: str) -> tuple[dict[str, str], list[str]]:
        filled = self._filled(value)
        words = shlex.split(filled)
        flags = dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))
        if unknown := sorted(flags.keys() - COPY_FLAGS):
            raise self._error(f"COPY --{unknown[0]} is not interpreted by the sandbox")
        rest = [word for word in words if not word.startswith("--")]
        bracket = filled.find("[")
        return flags, (json.loads(filled[bracket:]) if rest and rest[0].startswith("[") else rest)

    def _from_context(self, sources: list[str]) -> Iterator[tuple[str, str, Path]]:
        """`(path below the source, the source's name, the file)`; a file's path below itself is empty."""
        for source in sources:
            found = False
            for match in self._matches(source):
                for file in self._context.files(match):
                    found = True
                    below = posixpath.relpath(file, match) if file != match else ""
                    yield below, posixpath.basename(match), self._context.root / file
            if not found:
                raise self._error(
                    f"COPY {source}: there is no such file in the build context {self._context.root}, or its "
                    ".dockerignore excludes it"
                )

    def _matches(self, source: str) -> list[str]:
        cleaned = posixpath.normpath(source.lstrip("/"))
        if cleaned.startswith(".."):
            raise self._error(f"COPY {source}: lies outside the build context")
        if cleaned == ".":
            return [""]
        if not any(character in cleaned for character in "*?["):
            return [cleaned]
        root = self._context.root
        return sorted(path.relative_to(root).as_posix() for path in root.glob(cleaned))

    def _from_stage(self, name: str, sources: list[str]) -> Iterator[tuple[str, str, Path]]:
        """What an earlier stage has copied; what its RUN made there (installed packages) comes from the environment."""
        stage = self._stages.get(name)
        if stage is None:
            raise self._error(
                f"COPY --from={name}: the sandbox does not have the content of other images, only of the stages above"
            )
        for source in sources:
            absolute = posixpath.normpath(posixpath.join("/", source))
            for path, origin in stage.files.items():
                if path == absolute or path.startswith(f"{absolute.rstrip('/')}/"):
                    below = posixpath.relpath(path, absolute) if path != absolute else ""
                    yield below, posixpath.basename(absolute), origin

    def _stage(self, name: str, problem: str) -> Plan:
        if name not in self._stages:
            raise self._error(problem)
        return self._stages[name]

    @property
    def _current(self) -> Plan:
        if self._plan is None:
            raise self._error("an instruction stands before FROM")
        return self._plan

    def _filled(self, value: str, variables: Mapping[str, str] | None = None) -> str:
        """The value with `$X`, `${X}`, `${X:-default}` and `${X:+other}` replaced, as Docker does."""
        known = variables if variables is not None else self._variables()

        def fill(match: re.Match[str]) -> str:
            if match[0] == r"\$":
                return "$"
            current, operator = known.get(match[1] or match[2], ""), match[3]
            if operator == ":+":
                return match[4] if current else ""
            return current or (match[4] if operator else "") or ""

        return _VARIABLE.sub(fill, value)

    def _variables(self) -> dict[str, str]:
        if self._plan is None:
            return self._global
        on_lambda = {"LAMBDA_TASK_ROOT": LAMBDA_TASK_ROOT} if _LAMBDA_BASE.search(self._plan.base) else {}
        return {**on_lambda, **self._declared, **self._plan.environment}

    def _error(self, message: str) -> DockerfileError:
        return DockerfileError(f"{self._name}, line {self._line}: {message}")


def _argv(value: str) -> tuple[str, ...]:
    try:
        words = json.loads(value)
    except ValueError:
        return ("/bin/sh", "-c", value)
    return tuple(str(word) for word in words)


def _place(destination: str, below: str, name: str, *, into_folder: bool) -> str:
    """Where Docker puts a file: a folder's content goes into the destination, a file gets its own name in a folder."""
    if below:
        return posixpath.normpath(posixpath.join(destination, below))
    return posixpath.normpath(posixpath.join(destination, name) if into_folder else destination)
