"""The cluster: objects in, processes out. Its handle for other threads is `World.kubernetes`."""

from __future__ import annotations

import asyncio
import shutil
import threading
import uuid
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from quintet.sandbox.functions.interpreter import image_interpreter
from quintet.sandbox.kubernetes.addresses import Addresses
from quintet.sandbox.kubernetes.backoff import Timing
from quintet.sandbox.kubernetes.bindings import Bindings
from quintet.sandbox.kubernetes.checks import check_object
from quintet.sandbox.kubernetes.credentials import Association, Assume, PodIdentity
from quintet.sandbox.kubernetes.deployment import DeploymentRun
from quintet.sandbox.kubernetes.deployment_spec import read_deployment
from quintet.sandbox.kubernetes.errors import KubernetesError, RolloutError
from quintet.sandbox.kubernetes.fronts import Fronts
from quintet.sandbox.kubernetes.load_balancer import LoadBalancers
from quintet.sandbox.kubernetes.node import Images, LocalNode, Surroundings
from quintet.sandbox.kubernetes.objects import Key, Object, ObjectStore, key_of
from quintet.sandbox.kubernetes.pod import Pod, PodStatus
from quintet.sandbox.kubernetes.services import ServiceView, view
from quintet.sandbox.kubernetes.targets import Target, TargetGroup, group_of
from quintet.sandbox.kubernetes.watch import Watchdog

_T = TypeVar("_T")
_MARK_DIGITS = 12
_STOP_SECONDS = 1.0
"""What pods get at the end of the sandbox: nobody sends them anything any more."""


class Cluster:
    """One cluster. `start` and `stop` belong to its event loop; everything else may be called from any other thread."""

    def __init__(
        self,
        *,
        images: Images,
        assume: Assume,
        endpoint_url: str,
        region: str,
        scratch: Path,
        logs: Path,
        secrets: Path | None = None,
        timing: Timing | None = None,
        trust: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Describes it; nothing runs before `start`.

        Args:
            images: Finds what was built; blocks.
            assume: Gives credentials of a role; blocks.
            endpoint_url: The emulated AWS.
            region: Its region.
            scratch: A folder of this sandbox alone; `kubernetes` below it is emptied.
            logs: Where logs are.
            secrets: A file that keeps Secrets over a restart; none keeps them in memory alone.
            timing: How fast it is.
            trust: What a container's environment needs to trust certificates of the sandbox.
        """
        self._trust = trust
        self._images, self._endpoint_url, self._region = images, endpoint_url, region
        self._scratch, self._logs, self._timing = scratch / "kubernetes", logs, timing or Timing()
        self._objects = ObjectStore(secrets)
        self._addresses = Addresses()
        self._identity = PodIdentity(assume)
        self._balancers = LoadBalancers(self._addresses)
        self._bindings = Bindings(self._balancers, self._at)
        self._deployments: dict[Key, DeploymentRun] = {}
        self._removing: set[asyncio.Task[None]] = set()
        self._interrupted = asyncio.Event()
        self._changes = asyncio.Event()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop
        self._node: LocalNode
        self._watchdog: Watchdog

    async def start(self) -> None:
        """Prepares the node; there are no pods yet."""
        self._loop = asyncio.get_running_loop()
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True, mode=0o700)
        mark = uuid.uuid4().hex[:_MARK_DIGITS]
        around = Surroundings(
            images=self._images,
            endpoint_url=self._endpoint_url,
            region=self._region,
            interpreter=await asyncio.to_thread(image_interpreter, self._scratch / "python"),
            scratch=self._scratch,
            logs=self._logs,
            mark=mark,
            timing=self._timing,
            trust=self._trust,
        )
        self._watchdog = Watchdog(mark)
        self._node = LocalNode(around, self._objects, self._identity, self._addresses, self._watchdog)
        self._node.fronts = Fronts(self._at, self._balancers.source)
        await self._identity.start()

    async def stop(self) -> None:
        """Ends every pod and leaves nothing; waits for nobody's notice or drain."""
        self.interrupt()
        await self._node.fronts.stop()
        runs = list(self._deployments.values())
        self._deployments = {}
        await asyncio.gather(*(run.remove(at_most_seconds=_STOP_SECONDS) for run in runs))
        for task in self._removing:
            task.cancel()
        await asyncio.gather(*self._removing, return_exceptions=True)
        await self._balancers.stop()
        await self._identity.stop()
        await asyncio.to_thread(self._watchdog.stop)
        await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)

    def interrupt(self) -> None:
        """Lets nobody wait for a rollout any longer; from the loop's thread."""
        self._interrupted.set()
        self._changes.set()

    # What the kinds ask, from their threads.

    def apply(self, value: Object, *, wait: bool = True) -> Object:
        """Keep an object and make it so; gives it back with what a server adds, and its status.

        Args:
            value: With `apiVersion`, `kind` and `metadata.name`.
            wait: Until a Deployment is rolled out, or a Service has a pod.

        Raises:
            KubernetesError: It is refused, or does not become what it declares; the message says why.
        """
        return self._ask(self._apply(value, wait=wait))

    def delete(self, kind: str, namespace: str, name: str) -> bool:
        """Delete an object, and what a namespace holds; whether it was there. Pods end within their grace."""
        return self._ask(self._delete(Key(kind, namespace, name)))

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """An object as it is now, or None."""
        return self._ask(self._get(Key(kind, namespace, name)))

    def pods(self, namespace: str | None = None, deployment: str | None = None) -> list[PodStatus]:
        """Pods as they are now, those that are on their way out as well; of a namespace, of a Deployment, or all."""
        return self._ask(self._listed(namespace, deployment))

    def associate(self, id_: str, association: Association) -> None:
        """Make or change an association of Pod Identity."""
        self._ask(self._do(lambda: self._identity.put(id_, association)))

    def dissociate(self, id_: str) -> None:
        """Forget one."""
        self._ask(self._do(lambda: self._identity.remove(id_)))

    def add_listener(self, listener_arn: str, target_group_arn: str, health_check: dict[str, Any]) -> None:
        """Open a listener, or change where it leads and how its targets are checked; see `listeners.DataPlane`."""
        self._ask(self._put_listener(listener_arn, target_group_arn, group_of(health_check)))

    def remove_listener(self, listener_arn: str) -> None:
        """Close a listener; one that is not open is no error."""
        self._ask(self._balancers.delete_listener(listener_arn))

    def listener_address(self, listener_arn: str) -> str | None:
        """`address:port` where an open listener answers."""
        return self._balancers.address(listener_arn)

    def target_health(self, target_group_arn: str) -> list[Target]:
        """The targets of a group and what its checks say."""
        return self._balancers.targets(target_group_arn)

    def snapshot(self) -> list[PodStatus]:
        """All pods; from the loop's own thread."""
        return [pod.status for pod in self._all_pods()]

    # What is done in the loop.

    def _ask(self, question: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(question, self._loop).result()

    async def _do(self, action: Any) -> None:  # noqa: ANN401  a call without arguments
        action()

    async def _apply(self, value: Object, *, wait: bool) -> Object:
        check_object(value)
        key = key_of(value)
        spec = read_deployment(value) if key.kind == "Deployment" else None
        kept = self._objects.put(value)
        if spec is not None:
            run = self._deployments.get(key) or DeploymentRun(key.namespace, key.name, self._node, self._pods_changed)
            self._deployments[key] = run
            run.scale(self._least(key))
            run.apply(spec)
        self._objects_changed(key)
        if wait:
            await self._until_ready(key, kept)
        return self._with_status(key) or kept

    async def _until_ready(self, key: Key, value: Object) -> None:
        if key.kind == "Deployment":
            await self._unless_interrupted(self._deployments[key].rolled_out(), f"the rollout of {key}")
        elif key.kind == "Service" and _is_awaited(value):
            await self._unless_interrupted(self._has_pods(key), f"the first pod of {key}")

    async def _has_pods(self, key: Key) -> None:
        try:
            async with asyncio.timeout(self._timing.service):
                while not self._view(key.namespace, key.name).pods:
                    self._changes.clear()
                    await self._changes.wait()
        except TimeoutError:
            raise RolloutError(
                f"{key} has no ready pod after {self._timing.service:g} s, and Pulumi waits for one. Where pods come "
                'after it, say so by the annotation `pulumi.com/skipAwait: "true"`'
            ) from None

    async def _unless_interrupted(self, work: Coroutine[Any, Any, None], what: str) -> None:
        task, end = asyncio.create_task(work), asyncio.create_task(self._interrupted.wait())
        await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED)
        end.cancel()
        if not task.done():
            task.cancel()
            raise KubernetesError(f"the sandbox stops; {what} is not waited for")
        await task

    async def _delete(self, key: Key) -> bool:
        was_there = self._objects.remove(key)
        if run := self._deployments.pop(key, None):
            await run.remove()
        if key.kind == "Namespace":
            for inner in self._objects.inside(key.name):
                await self._delete(inner)
        self._bindings.remove(key)
        self._objects_changed(key)
        return was_there

    async def _get(self, key: Key) -> Object | None:
        return self._with_status(key)

    async def _listed(self, namespace: str | None, deployment: str | None) -> list[PodStatus]:
        return [
            pod.status
            for pod in self._all_pods()
            if namespace in {None, pod.namespace} and deployment in {None, pod.owner}
        ]

    async def _put_listener(self, arn: str, group_arn: str, group: TargetGroup) -> None:
        self._balancers.put_group(group_arn, group)
        await self._balancers.put_listener(arn, group_arn)

    def _with_status(self, key: Key) -> Object | None:
        if run := self._deployments.get(key):
            self._objects.set_status(key, run.status)
        return self._objects.find(*key)

    def _objects_changed(self, key: Key) -> None:
        if key.kind == "HorizontalPodAutoscaler":
            for deployment, run in self._deployments.items():
                run.scale(self._least(deployment))
        if key.kind == "TargetGroupBinding" and (value := self._objects.find(*key)):
            self._bindings.put(key, value)
        for run in self._deployments.values():
            run.look()
        self._pods_changed()

    def _least(self, deployment: Key) -> int | None:
        """The least number of pods that an autoscaler of a Deployment allows; one that says none means one."""
        for value in self._objects.all("HorizontalPodAutoscaler", deployment.namespace):
            target = value["spec"].get("scaleTargetRef") or {}
            if (target.get("kind"), target.get("name")) == ("Deployment", deployment.name):
                return int(value["spec"].get("minReplicas") or 1)
        return None

    def _pods_changed(self) -> None:
        """Brings what depends on which pods are ready up to date."""
        self._changes.set()
        self._node.fronts.look()
        self._bindings.look()

    def _all_pods(self) -> list[Pod]:
        return [pod for run in self._deployments.values() for pod in run.every_pod]

    def _view(self, namespace: str, name: str) -> ServiceView:
        value = self._objects.find("Service", namespace, name)
        if value is None:
            return ServiceView({"spec": {}, "metadata": {}}, ())
        return view(value, [pod for run in self._deployments.values() for pod in run.pods])

    def _at(self, namespace: str, name: str, port: int | str) -> list[tuple[str, int]]:
        return self._view(namespace, name).at(port)


def _is_awaited(service: Object) -> bool:
    """Whether Pulumi waits until a Service leads somewhere."""
    annotations = service["metadata"].get("annotations") or {}
    return bool(service["spec"].get("selector")) and annotations.get("pulumi.com/skipAwait") != "true"
