"""The one node: what every pod of this machine shares, and how a container becomes a process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quintet.sandbox.functions.output import LogFile
from quintet.sandbox.kubernetes.addresses import Addresses
from quintet.sandbox.kubernetes.backoff import Timing
from quintet.sandbox.kubernetes.container import Launch
from quintet.sandbox.kubernetes.credentials import PodIdentity
from quintet.sandbox.kubernetes.environment import PATH, Values, declared_environment, localised
from quintet.sandbox.kubernetes.errors import KubernetesError, ReferenceMissingError
from quintet.sandbox.kubernetes.fronts import Fronts
from quintet.sandbox.kubernetes.objects import ObjectStore
from quintet.sandbox.kubernetes.pod_spec import Container
from quintet.sandbox.kubernetes.programs import Program, program
from quintet.sandbox.kubernetes.watch import Watchdog

if TYPE_CHECKING:
    from quintet.sandbox.images import Image
    from quintet.sandbox.kubernetes.pod import Pod

Images = Callable[[str], "Image"]
"""The image of a reference, `repository@digest` or `repository:tag`; blocks; raises SandboxError."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the sandbox gives the node.

    Attributes:
        images: Finds what was built.
        endpoint_url: The emulated AWS.
        region: Its region.
        interpreter: The Python of the images.
        scratch: A folder of its own.
        logs: Where logs are, one file a Deployment.
        mark: By which the watchdog knows this sandbox's processes.
        timing: How fast the cluster is.
        trust: What a container needs to trust certificates of the sandbox.
    """

    images: Images
    endpoint_url: str
    region: str
    interpreter: Path
    scratch: Path
    logs: Path
    mark: str
    timing: Timing
    trust: Callable[[], Mapping[str, str]]


class LocalNode:
    """Runs pods as processes of this machine."""

    def __init__(
        self,
        around: Surroundings,
        objects: ObjectStore,
        identity: PodIdentity,
        addresses: Addresses,
        watchdog: Watchdog,
    ) -> None:
        """Everything it needs is given."""
        self.timing, self.scratch = around.timing, around.scratch / "pods"
        self._around, self._objects, self._identity = around, objects, identity
        self._addresses, self._watchdog = addresses, watchdog
        self._preparing = threading.Lock()
        self.fronts: Fronts

    def prepare(self, pod: Pod, container: Container) -> Launch:
        """Find everything that a container refers to, and write its volumes."""
        with self._preparing:
            return self._prepare(pod, container)

    def _prepare(self, pod: Pod, container: Container) -> Launch:
        values = Values(self._objects, pod.namespace)
        self._require_account(pod)
        image = self._around.images(container.image)
        pod.folders.fill(values)
        declared = declared_environment(container, pod.facts, values)
        command = (*(container.command or image.entrypoint), *self._arguments(container, image))
        if not command:
            raise KubernetesError(f"neither the container {container.name} nor its image says which command to run")
        found = self._program(pod, container, command, image.tree)
        environment = {**self._stand_ins(pod), **image.environment, **declared}
        # A path of the sandbox's own, which may itself lie below /tmp, is no path within the container.
        environment = {
            **self._credentials(pod),
            **self._around.trust(),
            **localised(environment, lambda path: pod.folders.local(container, path)),
        }
        folder = image.tree / container.working_folder.lstrip("/") if container.working_folder else image.code_root
        if not folder.is_dir():
            raise KubernetesError(f"the image has no folder {container.working_folder or '/'} to work in")
        if found.is_nginx:
            found = self.fronts.prepare(pod, container, found)
        return Launch(program=found, environment={**environment, "QUINTET_SANDBOX": self._around.mark}, folder=folder)

    def localised(self, pod: Pod, container: Container, command: tuple[str, ...]) -> Program:
        """A command beside a container, as a probe or a hook has it."""
        return self._program(pod, container, command, self._around.images(container.image).tree)

    def take_address(self, ports: list[int]) -> str:
        """A loopback address on which the ports are free."""
        return self._addresses.take(ports)

    def give_back(self, pod: Pod) -> None:
        """The pod is gone."""
        self._addresses.give_back(pod.address)
        self._identity.withdraw(pod.name)
        self.fronts.forget(pod.name)

    def log(self, name: str) -> LogFile:
        """The log of a Deployment; each line has the pod's name."""
        return LogFile(self._around.logs / f"{name}.log")

    def began(self, pid: int) -> None:
        """Told to the watchdog."""
        self._watchdog.began(pid)

    def ended(self, pid: int) -> None:
        """Told to the watchdog."""
        self._watchdog.ended(pid)

    def _arguments(self, container: Container, image: Image) -> tuple[str, ...]:
        """`args`; the image's CMD only where the container says neither command nor arguments."""
        if container.arguments or container.command:
            return container.arguments
        return image.command

    def _program(self, pod: Pod, container: Container, command: tuple[str, ...], tree: Path) -> Program:
        def local(word: str) -> str:
            return (
                pod.folders.local(container, word) if word.startswith("/") else pod.folders.local_text(container, word)
            )

        return program(command, tree=tree, interpreter=self._around.interpreter, local=local)

    def _require_account(self, pod: Pod) -> None:
        name = pod.spec.service_account
        if name != "default" and self._objects.find("ServiceAccount", pod.namespace, name) is None:
            raise ReferenceMissingError(f'serviceaccount "{name}" not found in the namespace {pod.namespace}')

    def _stand_ins(self, pod: Pod) -> dict[str, str]:
        return {
            "PATH": PATH,
            "HOME": str(pod.folders.home),
            "HOSTNAME": pod.name,
            "TMPDIR": "/tmp",  # noqa: S108  the pod's own, found by its folders
            "AWS_ENDPOINT_URL": self._around.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _credentials(self, pod: Pod) -> Mapping[str, str]:
        """What EKS Pod Identity puts into a pod whose account has a role; what the pod declares stays."""
        role = self._identity.role_of(pod.namespace, pod.spec.service_account)
        if role is None:
            return {}
        token = pod.folders.root / "token"
        if not token.exists():
            descriptor = os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(self._identity.issue(role, pod.name))
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": self._identity.url,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
            "AWS_REGION": self._around.region,
            "AWS_DEFAULT_REGION": self._around.region,
            "AWS_STS_REGIONAL_ENDPOINTS": "regional",
        }
