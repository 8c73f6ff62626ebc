"""What runs as processes in a sandbox: the functions and the pods. Both hold credentials of one emulated AWS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from quintet.checkout import Checkout
from quintet.sandbox.functions import Functions
from quintet.sandbox.images import Image, ImageNotFoundError
from quintet.sandbox.kinds.ecr import pushed_digest
from quintet.sandbox.kubernetes.cluster import Cluster
from quintet.sandbox.logs import concerns
from quintet.sandbox.ports import Ports
from quintet.sandbox.world import World


class Workloads:
    """The functions and the cluster of one sandbox; belongs to one event loop."""

    def __init__(self, checkout: Checkout, world: World, ports: Ports) -> None:
        """Nothing runs before `start`."""
        self._checkout, self._world, self._ports = checkout, world, ports

    async def start(self) -> None:
        """Starts both; anew with a new emulator, as that one knows no credentials of the old one.

        Raises:
            QuintetError: The port of the functions is taken.
        """
        await self.stop()
        functions = Functions(
            describe=self._world.describe_function,
            credentials=self._world.credentials,
            endpoint_url=self._world.url,
            scratch=self._checkout.home / "scratch",
            logs=self._checkout.logs,
            metrics=self._world.client("cloudwatch"),
        )
        await functions.start(self._ports.functions)
        self._world.functions = functions
        cluster = Cluster(
            images=self._image,
            assume=self._world.credentials,
            endpoint_url=self._world.url,
            region=self._world.region,
            scratch=self._checkout.home / "scratch",
            logs=self._checkout.logs,
            secrets=self._checkout.home / "emulator" / "secrets.json",
            trust=self._trust,
        )
        await cluster.start()
        self._world.kubernetes = cluster

    def interrupt(self) -> None:
        """Lets no deployment wait for pods any longer."""
        if self._world.kubernetes:
            self._world.kubernetes.interrupt()

    async def stop(self) -> None:
        """Ends every process."""
        cluster, self._world.kubernetes = self._world.kubernetes, None
        if cluster:
            await cluster.stop()
        functions, self._world.functions = self._world.functions, None
        if functions:
            await functions.stop()

    @property
    def working(self) -> bool:
        """Whether a function is at work."""
        instances = self._world.functions.snapshot() if self._world.functions else []
        return any(instance.state in {"starting", "busy"} for instance in instances)

    def pods(self, services: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """Pods by service, whose name is one of the parts of their namespace's; those without any are left out."""
        every = self._world.kubernetes.snapshot() if self._world.kubernetes else []
        found = {name: [asdict(pod) for pod in every if concerns(pod.namespace, name)] for name in services}
        return {name: pods for name, pods in found.items() if pods}

    def _trust(self) -> Mapping[str, str]:
        return self._world.caches.trust()

    def _image(self, reference: str) -> Image:
        """What a pod's image was built from; ECR has to have it, as a kubelet pulls it from there.

        Raises:
            ImageNotFoundError: It was not built here, or ECR does not have it.
        """
        digest = pushed_digest(self._world, reference)
        if digest is None:
            raise ImageNotFoundError(f"there is no image {reference} in ECR; push it, and name it by its digest")
        return self._world.images.get(digest)
