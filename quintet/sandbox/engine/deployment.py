"""One operation on one stack: run, refresh or destroy, with or without touching anything."""

import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from quintet.project import Project
from quintet.sandbox.engine.cloud import Cloud
from quintet.sandbox.engine.codec import Decoded
from quintet.sandbox.engine.monitor import Monitor
from quintet.sandbox.engine.outcome import OnEvent, Outcome, ResourceEvent
from quintet.sandbox.engine.program import run_program
from quintet.sandbox.engine.progress import Progress
from quintet.sandbox.engine.realise import Realiser
from quintet.sandbox.engine.removal import Remover
from quintet.sandbox.engine.state import Resource, State

ORGANIZATION = "sandbox"
_READERS = 16


def _unheard(_event: ResourceEvent) -> None:
    """For a deployment that nobody watches."""


class Deployment:
    """A deployment of a project's stack on a cloud. Its methods block; `cancel` may be called from another thread."""

    def __init__(
        self,
        cloud: Cloud,
        state: State,
        project: Project,
        stack: str,
        *,
        preview: bool = False,
        on_event: OnEvent = _unheard,
        overrides: Mapping[str, Any] | None = None,
        repeatable_names: bool = False,
    ) -> None:
        """Prepare a deployment.

        Args:
            cloud: What it is realised on.
            state: What exists; a preview works on a copy.
            project: The project to run.
            stack: The stack whose configuration it gets.
            preview: Tell what would happen, call nothing but the cloud's pure methods, save nothing.
            on_event: Told of each step, from several threads.
            overrides: Configuration in place of the stack's file.
            repeatable_names: Derive the random part of names from the URN, so that two recordings are equal.
        """
        self._cloud, self._project, self._stack, self._preview = cloud, project, stack, preview
        self._state = state.in_memory() if preview else state
        self._overrides = overrides or {}
        self._source_of_names = random.Random if repeatable_names else _unpredictable
        self._progress = Progress(on_event)

    def run(self) -> Outcome:
        """Make the stack what the program declares; what it no longer declares is deleted at the end.

        Raises:
            SandboxError: The first failure. Nothing new was begun after it, and the state holds what was finished.
            ProjectError: The stack's configuration is wrong.
        """
        config, secret_keys = self._project.stack_config(self._stack, self._overrides)
        before = dict(self._state.resources)
        monitor = self._monitor()
        run_program(monitor, config, secret_keys, ORGANIZATION)
        declared = monitor.registered
        gone = [resource for urn, resource in self._state.resources.items() if urn not in declared]
        self._remover().remove([*gone, *self._state.pending_deletes], before | dict(self._state.resources))
        self._state.set_outputs(monitor.outputs.values, monitor.outputs.secrets)
        return self._outcome(monitor.outputs, declared)

    def refresh(self) -> Outcome:
        """Drop from the state what the cloud no longer has, so that the next run makes it again.

        Raises:
            ResourceFailedError: The cloud could not be asked about a resource.
        """
        realised = [item for item in self._state.resources.values() if item.custom and not item.declared_only]
        with ThreadPoolExecutor(_READERS) as readers:
            for _ in readers.map(self._read, realised):
                self._progress.may_begin()
        return self._outcome(Decoded(self._state.outputs, self._state.secret_outputs), self._state.resources)

    def destroy(self) -> Outcome:
        """Delete everything, dependants first.

        Raises:
            SandboxError: A resource is protected (nothing is deleted then), or could not be deleted.
        """
        everything = dict(self._state.resources)
        self._remover().remove([*everything.values(), *self._state.pending_deletes], everything)
        self._state.set_outputs({}, frozenset())
        return self._outcome(Decoded({}, frozenset()), {})

    def cancel(self) -> None:
        """Begin nothing new; what has begun is finished and saved."""
        self._progress.cancel()

    def _read(self, resource: Resource) -> None:
        self._progress.may_begin()
        with self._progress.step("read", resource, announced=False):
            if self._cloud.read(resource.type, resource.id, resource.outputs) is None:
                self._state.forget(resource)

    def _monitor(self) -> Monitor:
        return Monitor(
            cloud=self._cloud,
            state=self._state,
            progress=self._progress,
            realiser=Realiser(self._cloud, self._state, self._progress, self._preview),
            project=self._project.name,
            stack=self._stack,
            program=self._project.program,
            autonaming=self._project.autonaming(self._stack),
            source_of_names=self._source_of_names,
            preview=self._preview,
        )

    def _remover(self) -> Remover:
        return Remover(self._cloud, self._state, self._progress, self._preview)

    def _outcome(self, outputs: Decoded, resources: Mapping[str, Resource]) -> Outcome:
        declared_only = {resource.type for resource in resources.values() if resource.declared_only}
        return Outcome(
            outputs=outputs.values,
            secret_outputs=outputs.secrets,
            counts=dict(self._progress.counts),
            declared_only=tuple(sorted(declared_only)),
            resources=dict(resources),
        )


def _unpredictable(_urn: str) -> random.Random:
    return random.SystemRandom()
