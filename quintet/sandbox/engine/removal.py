"""Deletes what is no longer declared, dependants before what they depend on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from quintet.sandbox.engine.cloud import Cloud
from quintet.sandbox.engine.errors import ResourceFailedError, SandboxError
from quintet.sandbox.engine.progress import Progress
from quintet.sandbox.engine.state import Resource, State


@dataclass(frozen=True)
class Remover:
    """Deletes resources of a state from a cloud; in a preview it only says which."""

    cloud: Cloud
    state: State
    progress: Progress
    preview: bool

    def remove(self, doomed: list[Resource], known: Mapping[str, Resource]) -> None:
        """Delete resources, each forgotten as soon as it is gone.

        Args:
            doomed: What to delete.
            known: Everything there was, by URN: what lies between two doomed resources orders them too.

        Raises:
            SandboxError: One is protected (nothing is deleted then), could not be deleted, or nothing may begin.
        """
        for resource in doomed:
            if resource.options.protect:
                raise self._protected(resource)
        for resource in deletion_order(doomed, known):
            self.progress.may_begin()
            self._delete(resource)

    def _delete(self, resource: Resource) -> None:
        if not resource.custom:
            self.state.forget(resource)
        elif self.preview:
            self.progress.tell("delete", resource)
            self.state.forget(resource)
        else:
            # A resource that was replaced has been counted as such, also where an earlier run replaced it.
            is_leftover = self.state.resources.get(resource.urn) != resource
            with self.progress.step("delete", resource, counted=not is_leftover):
                if not resource.options.retain_on_delete:
                    self.cloud.delete(resource.type, resource.id, resource.outputs)
                self.state.forget(resource)

    def _protected(self, resource: Resource) -> ResourceFailedError:
        cause = SandboxError("it is protected; set `protect` to False in the program and run `up` before deleting it")
        failure = ResourceFailedError(resource.urn, cause)
        self.progress.fail(failure)
        return failure


def deletion_order(doomed: Iterable[Resource], known: Mapping[str, Resource]) -> list[Resource]:
    """Doomed resources so that each comes before what it depends on, later ones first where nothing binds them.

    A cycle, which only a damaged state can hold, is cut where it is met: everything is still deleted once.
    """
    order: list[Resource] = []
    by_urn: dict[str, list[Resource]] = {}
    for resource in doomed:
        by_urn.setdefault(resource.urn, []).append(resource)
    seen: set[str] = set()

    def visit(urn: str) -> None:
        stack = [(urn, False)]
        while stack:
            current, needs_are_done = stack.pop()
            if needs_are_done:
                order.extend(by_urn.get(current, ()))
            elif current not in seen:
                seen.add(current)
                stack.append((current, True))
                stack.extend((need, False) for need in _needs(current, by_urn, known))

    for urn in by_urn:
        visit(urn)
    return order[::-1]


def _needs(urn: str, by_urn: Mapping[str, list[Resource]], known: Mapping[str, Resource]) -> list[str]:
    candidates = [*by_urn.get(urn, ()), *([known[urn]] if urn in known else [])]
    return [need for item in candidates for need in (item.parent, *item.dependencies) if need]
