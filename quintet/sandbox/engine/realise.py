"""Carries out the plan for one resource on a cloud and remembers what came of it."""

from dataclasses import dataclass, replace

from quintet.sandbox.engine.added import added, foreseen, merged
from quintet.sandbox.engine.cloud import Cloud
from quintet.sandbox.engine.errors import SandboxError
from quintet.sandbox.engine.plan import Plan
from quintet.sandbox.engine.progress import Progress
from quintet.sandbox.engine.registration import Registration
from quintet.sandbox.engine.state import Resource, State


@dataclass(frozen=True)
class Realiser:
    """Makes, changes and keeps resources; in a preview it only says what would come."""

    cloud: Cloud
    state: State
    progress: Progress
    preview: bool

    def realise(self, declared: Registration, plan: Plan, old: Resource | None) -> Resource:
        """Carry out a plan; the resource as it is then.

        Raises:
            ResourceFailedError: The cloud refused, or the old resource is protected.
        """
        resource = replace(
            declared.as_resource(),
            inputs=plan.inputs,
            outputs=plan.inputs,
            autoname=plan.autoname,
            declared_only=not self.cloud.realises(declared.type),
        )
        if plan.operation == "replace" and old is not None and old.options.protect:
            with self.progress.step("replace", resource, plan.changed):
                _refuse_protected(plan.changed)
        if self.preview:
            return self._foresee(resource, plan, old)
        if old is None:
            return self._create(resource)
        if plan.operation == "same":
            return self._keep(resource, old)
        if plan.operation == "update":
            return self._update(resource, plan, old)
        return self._replace(resource, plan, old)

    def _foresee(self, resource: Resource, plan: Plan, old: Resource | None) -> Resource:
        """What a preview shows: a new resource has its inputs only, and no id."""
        if old is not None and plan.operation == "same":
            resource = replace(resource, id=old.id, outputs=old.outputs)
        elif old is not None and plan.operation == "update":
            planned = self.cloud.planned(resource.type, added(old.outputs, old.inputs), resource.inputs)
            resource = replace(resource, id=old.id, outputs=planned)
        else:
            resource = replace(resource, outputs=foreseen(resource.type, resource.inputs))
        self.progress.tell(plan.operation, resource, plan.changed)
        self.state.put(resource)
        return resource

    def _create(self, resource: Resource) -> Resource:
        with self.progress.step("create", resource):
            made = self._made(resource)
            self.state.put(made)
        return made

    def _keep(self, resource: Resource, old: Resource) -> Resource:
        kept = replace(resource, id=old.id, outputs=old.outputs)
        with self.progress.step("same", kept, announced=False):
            self.cloud.resume(kept.type, kept.id, kept.outputs)
            self.state.put(kept)
        return kept

    def _update(self, resource: Resource, plan: Plan, old: Resource) -> Resource:
        with self.progress.step("update", resource, plan.changed):
            outputs = self.cloud.update(resource.type, old.id, old.outputs, resource.inputs)
            kept = merged(added(old.outputs, old.inputs), resource.inputs)
            updated = replace(resource, id=old.id, outputs=kept | outputs)
            self.state.put(updated)
        return updated

    def _replace(self, resource: Resource, plan: Plan, old: Resource) -> Resource:
        keeps_old = old.options.retain_on_delete
        with self.progress.step("replace", resource, plan.changed):
            if plan.delete_first and not keeps_old:
                self.cloud.delete(old.type, old.id, old.outputs)
                self.state.forget(old)
            made = self._made(resource)
            if plan.delete_first or keeps_old:
                self.state.put(made)
            else:
                self.state.supersede(made, old)
        return made

    def _made(self, resource: Resource) -> Resource:
        id_, outputs = self.cloud.create(resource.type, resource.inputs)
        return replace(resource, id=id_, outputs=resource.inputs | outputs)


def _refuse_protected(changed: tuple[str, ...]) -> None:
    raise SandboxError(
        f"it is protected, and a change of {', '.join(changed)} needs a new one; "
        "remove `protect` from the program, run `up`, then make the change"
    )
