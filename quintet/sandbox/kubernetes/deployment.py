"""The Deployment controller: a set of pods for each version of the template, moved over as the strategy declares."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from quintet.sandbox.kubernetes.deployment_spec import ALPHABET, DeploymentSpec
from quintet.sandbox.kubernetes.errors import KubernetesError, RolloutError
from quintet.sandbox.kubernetes.objects import Object
from quintet.sandbox.kubernetes.pod import Node, Pod
from quintet.sandbox.kubernetes.pod_spec import PodSpec
from quintet.sandbox.kubernetes.quantities import share

_TICK_SECONDS = 0.25


@dataclass(eq=False)
class ReplicaSet:
    """The pods of one version."""

    template: str
    spec: PodSpec
    pods: list[Pod] = field(default_factory=list)

    def in_order_of_deletion(self) -> list[Pod]:
        """Those that serve nobody first, then the youngest, as a ReplicaSet deletes them."""
        youngest_first = self.pods[::-1]
        return sorted(youngest_first, key=lambda pod: (pod.ready, -(pod.ready_since or 0)))


class DeploymentRun:
    """Keeps one Deployment as it is declared, until it is removed."""

    def __init__(self, namespace: str, name: str, node: Node, on_change: Callable[[], None]) -> None:
        """Describes it; nothing runs before `apply`."""
        self.namespace, self.name = namespace, name
        self._node, self._on_change = node, on_change
        self._sets: dict[str, ReplicaSet] = {}
        self._spec: DeploymentSpec
        self._scaled: int | None = None
        self._wake = asyncio.Event()
        self._settled: asyncio.Condition = asyncio.Condition()
        self._progressed = time.monotonic()
        self._best = (0, 0, 0)
        self._replacing = False
        self._loop: asyncio.Task[None] | None = None
        self._leaving: dict[Pod, asyncio.Task[None]] = {}
        self._problem = ""

    @property
    def pods(self) -> list[Pod]:
        """All that have not been told to end."""
        return [pod for every in self._sets.values() for pod in every.pods]

    @property
    def every_pod(self) -> list[Pod]:
        """Those that are on their way out as well."""
        return [*self.pods, *self._leaving]

    @property
    def desired(self) -> int:
        """How many pods there should be: as declared, else what the autoscaler's least is, else one."""
        if self._spec.replicas is not None:
            return self._spec.replicas
        return 1 if self._scaled is None else self._scaled

    @property
    def status(self) -> Object:
        """`status` as an API server would tell it."""
        new = self._new.pods
        return {
            "replicas": len(self.pods),
            "updatedReplicas": len(new),
            "readyReplicas": sum(pod.ready for pod in self.pods),
            "availableReplicas": sum(map(self._is_available, self.pods)),
            "conditions": [self._condition()],
        }

    def apply(self, spec: DeploymentSpec) -> None:
        """Declares what it should be; a version that is known is rolled back to.

        Whoever declares again what has failed waits for it again.
        """
        changed = not hasattr(self, "_spec") or self._spec != spec
        if changed:
            self._replacing = any(every.pods for version, every in self._sets.items() if version != spec.template)
        self._spec = spec
        self._sets.setdefault(spec.template, ReplicaSet(spec.template, spec.pod))
        if changed or not self._complete:
            self._begin_anew()
        if self._loop is None:
            self._loop = asyncio.create_task(self._run())
        self._wake.set()

    def scale(self, least: int | None) -> None:
        """Takes the least number of pods of an autoscaler; None when there is none any more."""
        if self._scaled != least:
            self._scaled = least
            self._begin_anew()
            self._wake.set()

    def look(self) -> None:
        """Something it depends on has changed."""
        self._wake.set()

    async def rolled_out(self) -> None:
        """Waits until all pods are of the declared version and available, and none of another is left.

        Raises:
            RolloutError: It does not get there; the message has the reason and what the pod said last.
        """
        version = self._spec.template
        async with self._settled:
            await self._settled.wait_for(lambda: self._complete or self._failure or self._spec.template != version)
        if self._spec.template != version:
            raise RolloutError(f"the Deployment {self.name} was changed while it was rolled out")
        if not self._complete:
            raise RolloutError(self._failure)

    async def remove(self, *, at_most_seconds: float | None = None) -> None:
        """Ends its pods without their notice, as nobody is sent to them any more; within their grace, or less."""
        await self._end_loop()
        for pod in self.pods:
            self._leave(pod)
        self._sets = {}
        leaving = dict(self._leaving)
        await asyncio.gather(*(pod.hurry(at_most_seconds) for pod in leaving))
        await asyncio.gather(*leaving.values(), return_exceptions=True)

    # The controller.

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            self._reconcile()
            async with self._settled:
                self._settled.notify_all()
            try:
                async with asyncio.timeout(_TICK_SECONDS):  # minReadySeconds and deadlines pass without an event
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _reconcile(self) -> None:
        try:
            if self._spec.recreates:
                self._recreate()
            else:
                self._roll()
        except KubernetesError as error:
            self._problem = str(error)
        self._forget_empty_sets()
        self._note_progress()

    def _roll(self) -> None:
        """One step of a rolling update, as the deployment controller of Kubernetes takes it."""
        desired, new = self.desired, self._new
        most = desired + share(self._spec.surge, desired, up=True)
        for _ in range(min(desired - len(new.pods), most - len(self.pods))):
            self._add(new)
        self._remove_from(new, len(new.pods) - desired)
        unavailable = share(self._spec.unavailable, desired, up=False)
        if unavailable == 0 and share(self._spec.surge, desired, up=True) == 0:
            unavailable = 1  # a percentage of few replicas; Kubernetes does the same
        self._remove_old(desired - unavailable)

    def _remove_old(self, least: int) -> None:
        """Takes old pods away: those that serve nobody first, then as many as the least number allows."""
        new_unavailable = sum(not self._is_available(pod) for pod in self._new.pods)
        for old in self._old:
            broken = [pod for pod in old.pods if not self._is_available(pod)]
            for pod in broken[: max(0, len(self.pods) - least - new_unavailable)]:
                self._discard(old, pod)
        for old in self._old:
            spare = sum(map(self._is_available, self.pods)) - least
            self._remove_from(old, min(spare, len(old.pods)))

    def _recreate(self) -> None:
        for old in self._old:
            self._remove_from(old, len(old.pods))
        if not self._leaving:
            new = self._new
            for _ in range(self.desired - len(new.pods)):
                self._add(new)
            self._remove_from(new, len(new.pods) - self.desired)

    def _add(self, to: ReplicaSet) -> None:
        unique = "".join(secrets.choice(ALPHABET) for _ in range(5))
        pod = Pod(
            f"{self.name}-{to.template}-{unique}",
            namespace=self.namespace,
            owner=self.name,
            spec=to.spec,
            node=self._node,
            on_change=self._changed,
        )
        to.pods.append(pod)
        pod.start()

    def _remove_from(self, replicas: ReplicaSet, count: int) -> None:
        for pod in replicas.in_order_of_deletion()[: max(0, count)]:
            self._discard(replicas, pod)

    def _discard(self, replicas: ReplicaSet, pod: Pod) -> None:
        replicas.pods.remove(pod)
        self._leave(pod)

    def _leave(self, pod: Pod) -> None:
        task = self._leaving[pod] = asyncio.create_task(pod.terminate())
        task.add_done_callback(lambda _: self._left(pod))

    def _left(self, pod: Pod) -> None:
        self._leaving.pop(pod, None)
        self._wake.set()

    def _changed(self) -> None:
        self._wake.set()
        self._on_change()

    def _is_available(self, pod: Pod) -> bool:
        """Ready, and where it replaces another version for as long as `minReadySeconds` says.

        Where there is no other version nobody could take its place, so nobody waits for it to prove itself.
        """
        replaces = self._replacing or any(old.pods for old in self._old)
        return pod.available(self._spec.min_ready_seconds if replaces else 0)

    def _forget_empty_sets(self) -> None:
        self._sets = {
            version: every for version, every in self._sets.items() if every.pods or version == self._spec.template
        }

    async def _end_loop(self) -> None:
        if self._loop:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
            self._loop = None

    # What is told of it.

    @property
    def _new(self) -> ReplicaSet:
        return self._sets.setdefault(self._spec.template, ReplicaSet(self._spec.template, self._spec.pod))

    @property
    def _old(self) -> list[ReplicaSet]:
        return [every for version, every in self._sets.items() if version != self._spec.template]

    @property
    def _complete(self) -> bool:
        available = sum(map(self._is_available, self._new.pods))
        return available == self.desired == len(self.pods)

    @property
    def _failure(self) -> str:
        """Why the rollout is given up; empty while there is hope."""
        if self._complete:
            return ""
        timing, now = self._node.timing, time.monotonic()
        deadline = min(self._spec.deadline_seconds, timing.deadline_most)
        if now - self._progressed > deadline:
            declared = (
                f" (declared: {self._spec.deadline_seconds:g} s)" if deadline < self._spec.deadline_seconds else ""
            )
            return self._told(f"exceeded its progress deadline of {deadline:g} s{declared}")
        for pod in self._new.pods:
            if pod.restarts >= timing.give_up_restarts and not pod.ready:
                return self._told(f"has a container that was restarted {pod.restarts} times", pod)
            if pod.waiting_since is not None and now - pod.waiting_since > timing.give_up_waiting:
                return self._told("has a container that cannot be made", pod)
        return self._told("cannot make its pods") if self._problem and not self._new.pods else ""

    def _told(self, what: str, pod: Pod | None = None) -> str:
        bad = pod or next((each for each in self._new.pods if not each.ready), None)
        lines = "".join(f"\n    {line}" for line in bad.last_lines) if bad else ""
        of_pod = f": pod {bad.name}: {bad.problem}" if bad else f": {self._problem}" if self._problem else ""
        said = f"\n  It said last:{lines}" if lines else ""
        return f"the Deployment {self.namespace}/{self.name} {what}{of_pod}{said}"

    def _condition(self) -> Object:
        if self._complete:
            return {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
        failure = self._failure
        if failure:
            return {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": failure}
        return {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}

    def _begin_anew(self) -> None:
        self._progressed, self._best, self._problem = time.monotonic(), (0, 0, 0), ""

    def _note_progress(self) -> None:
        """Progress is more new pods, more of them ready, or more available; what is complete waits for nothing."""
        new = self._new.pods
        now = len(new), sum(pod.ready for pod in new), sum(map(self._is_available, new))
        if self._complete or any(current > best for current, best in zip(now, self._best, strict=True)):
            self._progressed = time.monotonic()
            self._best = now
