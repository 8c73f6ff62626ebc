"""What a stack consists of, remembered between deployments.

The file is replaced as a whole after every finished resource, so that a process killed at any moment leaves the state
of the last finished one. It is readable by its owner only: it holds secrets.
"""

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from quintet.sandbox.engine.cloud import Properties
from quintet.sandbox.engine.errors import StateError

FORMAT = 1
"""Raised by one whenever an older Quintet could not read the file."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The resource options that the engine obeys."""

    protect: bool = False
    retain_on_delete: bool = False
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    delete_before_replace: bool | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of a stack.

    Attributes:
        urn: Its name within all stacks.
        type: The type token.
        name: The logical name.
        custom: Made by a cloud, in contrast to a component, which only groups.
        id: What the cloud calls it; empty for a component and for what a preview would make.
        inputs: Checked inputs.
        outputs: Inputs and what the cloud added.
        secrets: Keys of inputs and outputs that hold a secret.
        parent: URN of the parent, or empty.
        dependencies: URNs of the resources that must be there first, sorted.
        property_dependencies: For each input the URNs that its value comes from.
        provider: URN of the explicit provider, or empty for the default one.
        options: Resource options.
        autoname: The physical name that the pattern proposed when it was made.
        declared_only: The cloud does not realise its type.
    """

    urn: str
    type: str
    name: str
    custom: bool = True
    id: str = ""
    inputs: Properties = field(default_factory=dict, repr=False)
    outputs: Properties = field(default_factory=dict, repr=False)
    secrets: frozenset[str] = frozenset()
    parent: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    provider: str = ""
    options: Options = Options()
    autoname: str = ""
    declared_only: bool = False


@dataclass(kw_only=True)
class _Document:
    """The file's content."""

    version: int = FORMAT
    resources: list[Resource] = field(default_factory=list)
    pending_deletes: list[Resource] = field(default_factory=list)
    outputs: Properties = field(default_factory=dict)
    secret_outputs: frozenset[str] = frozenset()


_DOCUMENT: TypeAdapter[_Document] = TypeAdapter(_Document)


class State:
    """The resources of one stack by URN; every change is on disk when its method returns.

    Attributes:
        resources: What exists.
        pending_deletes: What was replaced and still has to be deleted.
        outputs: The stack's outputs after the last deployment that succeeded.
        secret_outputs: Keys of outputs that are secret.
    """

    def __init__(self, path: Path | None = None) -> None:
        """An empty state; without a path it lives in memory only."""
        self._path = path
        self._lock = threading.Lock()
        self.resources: dict[str, Resource] = {}
        self.pending_deletes: list[Resource] = []
        self.outputs: Properties = {}
        self.secret_outputs: frozenset[str] = frozenset()

    @classmethod
    def load(cls, path: Path) -> "State":
        """Read a state; a file that does not exist is an empty one.

        Raises:
            StateError: The file is damaged, or a newer Quintet wrote it.
        """
        state = cls(path)
        if path.exists():
            state._fill(_parse(path))
        return state

    def in_memory(self) -> "State":
        """A copy that is never saved, for a preview."""
        copy = State()
        copy._fill(self._document())
        return copy

    def put(self, resource: Resource) -> None:
        """Remember a resource as it is now."""
        with self._lock:
            if self.resources.get(resource.urn) != resource:
                self.resources[resource.urn] = resource
                self._save()

    def supersede(self, resource: Resource, old: Resource) -> None:
        """Remember a resource in the place of an old one, which still has to be deleted."""
        with self._lock:
            self.resources[resource.urn] = resource
            self.pending_deletes.append(old)
            self._save()

    def forget(self, resource: Resource) -> None:
        """A resource is deleted, or given up."""
        with self._lock:
            if self.resources.get(resource.urn) == resource:
                del self.resources[resource.urn]
            else:
                self.pending_deletes.remove(resource)
            self._save()

    def rename(self, old_urn: str, urn: str) -> None:
        """A resource is declared under another name now; what refers to it follows."""

        def follow(resource: Resource) -> Resource:
            return replace(
                resource,
                urn=urn if resource.urn == old_urn else resource.urn,
                parent=urn if resource.parent == old_urn else resource.parent,
                dependencies=tuple(urn if item == old_urn else item for item in resource.dependencies),
            )

        with self._lock:
            followed = [follow(resource) for resource in self.resources.values()]
            self.resources = {resource.urn: resource for resource in followed}
            self._save()

    def set_outputs(self, outputs: Properties, secrets: frozenset[str]) -> None:
        """Remember the stack's outputs."""
        with self._lock:
            if (self.outputs, self.secret_outputs) != (outputs, secrets):
                self.outputs, self.secret_outputs = outputs, secrets
                self._save()

    def _document(self) -> _Document:
        return _Document(
            resources=list(self.resources.values()),
            pending_deletes=list(self.pending_deletes),
            outputs=self.outputs,
            secret_outputs=self.secret_outputs,
        )

    def _fill(self, document: _Document) -> None:
        self.resources = {resource.urn: resource for resource in document.resources}
        self.pending_deletes = list(document.pending_deletes)
        self.outputs, self.secret_outputs = document.outputs, document.secret_outputs

    def _save(self) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self._path.with_name(f"{self._path.name}.{os.getpid()}.tmp")
        scratch.unlink(missing_ok=True)
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123  a path cannot be opened with a mode of its own
            file.write(_DOCUMENT.dump_json(self._document()))
        scratch.replace(self._path)


def _parse(path: Path) -> _Document:
    try:
        raw: Any = json.loads(path.read_bytes())
        version = raw["version"]
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(path, "it is not the JSON that Quintet writes") from error
    if isinstance(version, int) and version > FORMAT:
        raise StateError(
            f"the state {path} has format {version}, this Quintet knows up to {FORMAT}; "
            "update Quintet, or start anew with `quintet up --fresh`"
        )
    try:
        return _DOCUMENT.validate_python(raw)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise _damaged(path, f"at {where}") from error


def _damaged(path: Path, reason: str) -> StateError:
    return StateError(f"the state {path} is damaged ({reason}); start anew with `quintet up --fresh`")
