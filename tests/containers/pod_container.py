"""A container of a pod, held by the engine as its Deployment declares it and asked as a kubelet asks."""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from quintet.sandbox.kubernetes.addresses import Addresses
from quintet.sandbox.kubernetes.quantities import quantity
from tests.containers.declared_cluster import DeclaredPod
from tests.containers.engine import Engine

_TOKEN_AT = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token"
_PERIOD_SECONDS = 0.1
_ADDRESSES = Addresses()

Translate = Callable[[str, str], str]
"""The text of a mounted file for the pod's address."""


class PodContainer:
    """One container.

    Attributes:
        address: The pod's own, where it listens.
        given: The variables that the place gives beside those that are declared.
        ready_seconds: From its start until its startup probe held.
        failed: Why it never held; empty when it did.
    """

    def __init__(
        self,
        engine: Engine,
        image: str,
        pod: DeclaredPod,
        folder: Path,
        *,
        place: Mapping[str, str],
        **changes: str | None,
    ) -> None:
        """Describes it; `start` starts it.

        Args:
            engine: What runs it.
            image: What it runs, in place of the declared one.
            pod: What is declared.
            folder: An empty one of its own.
            place: What a pod with a role is told of AWS, beside where it gets its credentials.
            changes: Variables in place of those that are declared; None takes one away.
        """
        self.pod, self.address = pod, _ADDRESSES.take(pod.spec.numbers)
        changed = {**pod.environment(self.address), **changes}
        self.declared = {name: value for name, value in changed.items() if value is not None}
        self.given: dict[str, str] = {}
        self.ready_seconds, self.failed = 0.0, ""
        self._engine, self._image, self._folder, self._place = engine, image, folder, place
        self._container: dict[str, Any] = pod.template["containers"][0]
        self._id = ""

    def start(
        self, translate: Translate = lambda text, _: text, *, patience_seconds: float = 60, enough: str = ""
    ) -> None:
        """Starts it and waits until its startup probe holds or it has failed.

        Args:
            translate: What becomes of the files that it mounts.
            patience_seconds: Until then; what the startup probe allows is more.
            enough: What an answer may say, after which nobody need wait for a better one.
        """
        command = [str(word) for word in self._container.get("command") or ()]
        entry = [f"--entrypoint={command[0]}"] if command else []
        given = ("create", *self._rights(), *self._limits(), *self._mounts(translate), *self._variables(), *entry)
        self._id = self._engine.run(*given, self._image, *command[1:]).strip()
        began = time.monotonic()
        self._engine.run("start", self._id)
        self.failed = self._until_started(began + patience_seconds, enough)
        self.ready_seconds = time.monotonic() - began

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://{self.address}:{self.pod.spec.numbers[0]}{path}"

    def ask(self, path: str) -> httpx.Response:
        """Its answer to a GET."""
        return httpx.get(self.url(path), timeout=10, trust_env=False)

    def post(self, path: str, body: Any) -> httpx.Response:
        """Its answer to a POST."""
        return httpx.post(self.url(path), json=body, timeout=30, trust_env=False)

    def printed(self) -> str:
        """Its log so far."""
        return self._engine.logs(self._id)

    def python(self, program: str) -> str:
        """What a program prints that is run in the container, as its user."""
        return self._engine.run("exec", self._id, "python", "-c", program)

    def inspected(self) -> dict[str, Any]:
        """What the engine knows of it."""
        return json.loads(self._engine.run("inspect", self._id))[0]

    def changed_files(self) -> list[str]:
        """Files of the image that it changed; places to mount at are no change."""
        mounted = {"/tmp", *(mount.path for mount in self.pod.spec.containers[0].mounts), _TOKEN_AT}
        places = {str(folder) for path in mounted for folder in (Path(path), *Path(path).parents)}
        changed = self._engine.run("diff", self._id).splitlines()
        return [line for line in changed if line.split(" ", 1)[1] not in places]

    def process(self) -> dict[str, str]:
        """The kernel's /proc/<pid>/status of its first process."""
        lines = Path(f"/proc/{self.inspected()['State']['Pid']}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    def tell(self, signal: str) -> None:
        """Sends it a signal."""
        self._engine.run("kill", "--signal", signal, self._id)

    def stop(self, seconds: float) -> tuple[int, float]:
        """Asks it to end as a kubelet does and kills it after so many seconds; its exit code and how long it took."""
        began = time.monotonic()
        self._engine.run("stop", "--time", str(int(seconds)), self._id)
        return self.inspected()["State"]["ExitCode"], time.monotonic() - began

    def ended(self, seconds: float) -> tuple[int, float]:
        """Waits until it has ended; its exit code and how long that took.

        Raises:
            TimeoutExpired: It runs on.
        """
        began = time.monotonic()
        code = int(self._engine.run("wait", self._id, seconds=seconds))
        return code, time.monotonic() - began

    def remove(self) -> None:
        """Removes it."""
        if self._id:
            self._engine.run("rm", "--force", self._id)

    @property
    def stopping_seconds(self) -> float:
        """What its grace leaves after the notice."""
        hook = self.pod.spec.containers[0].pre_stop
        return self.pod.spec.grace_seconds - (hook.sleep_seconds if hook else 0)

    def _rights(self) -> list[str]:
        """What the declaration takes away; what it does not is left, and a test that looks will find it."""
        pod, container = self.pod.template["securityContext"], self._container["securityContext"]
        dropped = container.get("capabilities", {}).get("drop", [])
        return [
            *([f"--user={pod['runAsUser']}:{pod['runAsGroup']}"] if "runAsUser" in pod else []),
            *(f"--cap-drop={name}" for name in dropped),
            *(["--read-only"] if container.get("readOnlyRootFilesystem") else []),
            *(["--security-opt=no-new-privileges"] if container.get("allowPrivilegeEscalation") is False else []),
            "--network=host",
        ]

    def _limits(self) -> list[str]:
        limits = self.pod.spec.containers[0].limits
        memory = int(quantity(limits["memory"]))
        cpus = min(float(quantity(limits["cpu"])), os.cpu_count() or 1)
        return [f"--memory={memory}", f"--memory-swap={memory}", f"--cpus={cpus:.3f}"]

    def _mounts(self, translate: Translate) -> list[str]:
        made = []
        for mount in self.pod.spec.containers[0].mounts:
            volume, folder = self.pod.spec.volumes[mount.volume], self._folder / mount.volume
            folder.mkdir()
            files = volume.get("configMap")
            if files:
                for name, data in self.pod.cluster.files(self.pod.namespace, files["name"]).items():
                    (folder / name).write_text(translate(data.decode(), self.address))
                    (folder / name).chmod(0o444)
            # An emptyDir is a folder of the node that everybody may write to.
            folder.chmod(0o755 if files else 0o1777)
            made.append(f"--mount=type=bind,src={folder},dst={mount.path}{',readonly' if files else ''}")
        return made

    def _variables(self) -> list[str]:
        """What is declared, and what EKS gives to a pod with a role."""
        mounts = []
        if found := self.pod.identity(self._folder.name, self._folder):
            url, token = found
            self.given = {
                **self._place,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": url,
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": _TOKEN_AT,
                "AWS_STS_REGIONAL_ENDPOINTS": "regional",
            }
            mounts.append(f"--mount=type=bind,src={token},dst={_TOKEN_AT},readonly")
        # A file, as arguments can be read by everybody on this machine.
        path = self._folder / "environment"
        path.touch(0o600)
        path.write_text("".join(f"{name}={value}\n" for name, value in (self.declared | self.given).items()))
        return [*mounts, f"--env-file={path}"]

    def _until_started(self, deadline: float, enough: str) -> str:
        probe = self.pod.spec.containers[0].startup
        assert probe, f"the Deployment {self.pod.name} declares no startup probe"
        told = ""
        while time.monotonic() < deadline and not (enough and enough in told):
            state = self.inspected()["State"]
            if not state["Running"]:
                return f"ended with exit code {state['ExitCode']}\n{self.printed()}"
            try:
                answer = self.ask(probe.path)
                if answer.status_code == 200:
                    return ""
                told = f"{answer.status_code} {answer.text}"
            except httpx.HTTPError as error:
                told = str(error)
            time.sleep(_PERIOD_SECONDS)
        return f"not started: {told}\n{self.printed()}"
