"""The Pulumi project of a checkout: its name, its program, and what each stack's configuration says.

Reads `Pulumi.yaml` and `Pulumi.<stack>.yaml` by the rules of the real engine
(https://www.pulumi.com/docs/iac/concepts/projects/project-file/), and is stricter in one point: a key that the
project does not declare is refused, so a misspelt setting cannot be silently without effect.
"""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quintet.autonaming import Autonaming

Value = Any
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


class ProjectError(Exception):
    """The project or a stack's configuration is wrong; the message lists every fault and what is allowed."""


class _Declaration(BaseModel):
    """One key under `config:` of Pulumi.yaml."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["string", "integer", "boolean", "array", "object"] | None = None
    description: str = ""
    default: Value = None
    value: Value = None
    secret: bool = False
    items: dict[str, Any] | None = None


class _ProjectFile(BaseModel):
    """The parts of Pulumi.yaml that the sandbox reads; the others belong to the Pulumi CLI."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")
    main: str = "."
    config: dict[str, Any] = {}


class _StackFile(BaseModel):
    """The parts of Pulumi.<stack>.yaml that the sandbox reads."""

    config: dict[str, Any] | None = None


_File = TypeVar("_File", bound=BaseModel)


@dataclass(frozen=True)
class Project:
    """A loaded project.

    Attributes:
        root: The folder with Pulumi.yaml.
        name: The project's name, the namespace of its configuration keys.
        program: The folder whose `__main__.py` is the program.
        declared: Every declared key with its namespace, as `quintet:moderationMemory`.
    """

    root: Path
    name: str
    program: Path
    declared: Mapping[str, _Declaration] = field(repr=False)

    @classmethod
    def load(cls, root: Path) -> "Project":
        """Read Pulumi.yaml.

        Raises:
            ProjectError: The file is missing or wrong.
        """
        content = _read(root / "Pulumi.yaml", _ProjectFile)
        declared = {_namespaced(key, content.name): _declaration(key, raw) for key, raw in content.config.items()}
        return cls(root.resolve(), content.name, (root / content.main).resolve(), declared)

    @classmethod
    def find(cls, start: Path) -> "Project":
        """Load the project of a folder or of the nearest one above it that has a Pulumi.yaml."""
        for folder in (start.resolve(), *start.resolve().parents):
            if (folder / "Pulumi.yaml").is_file():
                return cls.load(folder)
        raise ProjectError(f"no Pulumi.yaml in {start} or above; run this inside the checkout")

    @property
    def stacks(self) -> tuple[str, ...]:
        """Names of the stacks that have a file, sorted."""
        return tuple(sorted(path.name.split(".", 2)[1] for path in self.root.glob("Pulumi.*.yaml")))

    def stack_config(
        self, stack: str, overrides: Mapping[str, Value] | None = None
    ) -> tuple[dict[str, str], frozenset[str]]:
        """What the program of a stack finds in its configuration, and which keys are secret.

        Values are strings as the Pulumi runtime has them: `true`, `512`, JSON for arrays and objects.

        Args:
            stack: The stack's name.
            overrides: Values in place of those in the stack's file, checked like them; None drops a key.

        Raises:
            ProjectError: The stack has no file, a key is unknown or missing, a value is encrypted or of a wrong type.
        """
        given = self._given(stack, overrides or {})
        problems = [problem for key, value in given.items() for problem in self._problems(key, value)]
        values = {key: item for key, item in self._defaults().items() if key not in given} | given
        problems += [
            f"`{key}` has no value: {declaration.description or 'it is declared without a default'}"
            for key, declaration in self.declared.items()
            if key not in values
        ]
        if problems:
            raise ProjectError(f"Pulumi.{stack}.yaml: " + "; ".join(problems))
        values.pop("pulumi:autonaming", None)
        secrets = frozenset(key for key, declaration in self.declared.items() if declaration.secret)
        return {key: _as_text(value) for key, value in values.items()}, secrets

    def refuse_undeclared(self, stack: str) -> None:
        """Raise about keys that the real engine, which checks all else itself, would pass over in silence.

        Raises:
            ProjectError: A key of the project is not declared, or the stack has no file.
        """
        given = self._given(stack, {})
        mine = [key for key in given if key.partition(":")[0] == self.name and key not in self.declared]
        if mine:
            problems = [problem for key in mine for problem in self._problems(key, given[key])]
            raise ProjectError(f"Pulumi.{stack}.yaml: " + "; ".join(problems))

    def check(self, values: Mapping[str, Value]) -> None:
        """Raise about settings that are not declared or of another type.

        Raises:
            ProjectError: Names each of them, and what is allowed.
        """
        given = {_namespaced(key, self.name): value for key, value in values.items()}
        if problems := [problem for key, value in given.items() for problem in self._problems(key, value)]:
            raise ProjectError("; ".join(problems))

    def namespaced(self, key: str) -> str:
        """A key with its namespace, which is the project's name where it has none."""
        return _namespaced(key, self.name)

    def autonaming(self, stack: str) -> Autonaming:
        """How physical names are proposed in a stack: its own `pulumi:autonaming`, else the project's."""
        setting = self._given(stack, {}).get("pulumi:autonaming", self._defaults().get("pulumi:autonaming"))
        try:
            return Autonaming.parse(setting, project=self.name, stack=stack)
        except ValueError as error:
            raise ProjectError(f"pulumi:autonaming: {error}") from error

    def _given(self, stack: str, overrides: Mapping[str, Value]) -> dict[str, Value]:
        path = self.root / f"Pulumi.{stack}.yaml"
        if not path.is_file():
            raise ProjectError(f"no stack `{stack}`: {path.name} does not exist; there are {', '.join(self.stacks)}")
        given = {_namespaced(key, self.name): value for key, value in (_read(path, _StackFile).config or {}).items()}
        for key, value in overrides.items():
            given[_namespaced(key, self.name)] = value
        return {key: value for key, value in given.items() if value is not None}

    def _defaults(self) -> dict[str, Value]:
        pairs = {key: item.value if item.default is None else item.default for key, item in self.declared.items()}
        return {key: value for key, value in pairs.items() if value is not None}

    def _problems(self, key: str, value: Value) -> list[str]:
        if key.partition(":")[0] != self.name:
            return []  # a provider's or the engine's own key: theirs to check
        if (declaration := self.declared.get(key)) is None:
            return [f"`{key}` is not declared in Pulumi.yaml{_nearest(key, self.declared)}"]
        if _encrypted(value):
            return [f"`{key}` is encrypted, which only the real engine can read; use `--engine pulumi`"]
        shown = "what is given" if declaration.secret else repr(value)
        return [] if _fits(value, declaration) else [f"`{key}` must be of type {declaration.type}, not {shown}"]


def _declaration(key: str, raw: Value) -> _Declaration:
    if not isinstance(raw, dict):
        return _Declaration(default=raw)
    try:
        declaration = _Declaration.model_validate(raw)
    except ValidationError as error:
        raise ProjectError(f"Pulumi.yaml: config `{key}`: {_faults(error)}") from error
    if declaration.default is not None and not _fits(declaration.default, declaration):
        raise ProjectError(f"Pulumi.yaml: the default of `{key}` must be of type {declaration.type}")
    return declaration


def _fits(value: Value, declaration: _Declaration) -> bool:
    """Whether a value has the declared type; as in the real engine a string may spell an integer or a boolean."""
    if declaration.type is None:
        return True
    if isinstance(value, bool) != (declaration.type == "boolean") and not isinstance(value, str):
        return False
    if isinstance(value, str) and declaration.type == "integer":
        return value.removeprefix("-").isdecimal()
    if isinstance(value, str) and declaration.type == "boolean":
        return value in {"true", "false"}
    return isinstance(value, _TYPES[declaration.type]) and _items_fit(value, declaration)


def _items_fit(value: Value, declaration: _Declaration) -> bool:
    if declaration.items is None or not isinstance(value, list):
        return True
    item = _Declaration.model_validate(declaration.items)
    return all(_fits(member, item) for member in value)


def _encrypted(value: Value) -> bool:
    if isinstance(value, dict):
        return set(value) == {"secure"} or any(_encrypted(item) for item in value.values())
    return isinstance(value, list) and any(_encrypted(item) for item in value)


def _nearest(key: str, declared: Mapping[str, _Declaration]) -> str:
    close = difflib.get_close_matches(key, declared, n=1, cutoff=0.5)
    return f"; did you mean `{close[0]}`?" if close else f"; declared are {', '.join(sorted(declared)) or 'none'}"


def _namespaced(key: str, project: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _as_text(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _read(path: Path, model: type[_File]) -> _File:
    try:
        return model.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except FileNotFoundError as error:
        raise ProjectError(f"no {path.name} in {path.parent}") from error
    except yaml.YAMLError as error:
        raise ProjectError(f"{path.name} is not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise ProjectError(f"{path.name}: {_faults(error)}") from error


def _faults(error: ValidationError) -> str:
    """What pydantic found, without the values: one of them may be a secret."""
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'the file'}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False)
    )
