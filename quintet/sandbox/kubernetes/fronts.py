"""Pods that run nginx: their configuration written for this machine, and again whenever the pods behind them change."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quintet.sandbox.kubernetes.errors import KubernetesError
from quintet.sandbox.kubernetes.nginx import Endpoints, Place, translate
from quintet.sandbox.kubernetes.programs import Program

if TYPE_CHECKING:
    from quintet.sandbox.kubernetes.pod import Pod
    from quintet.sandbox.kubernetes.pod_spec import Container

_SBIN = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/sbin:/bin"
"""Where nginx lies; sbin is in no ordinary user's PATH."""

_POLL_SECONDS = 0.05
_CODE = str(Path(__file__).resolve().parents[3])
_PROXY = f"import sys; sys.path[0] = {_CODE!r}; from quintet.sandbox.kubernetes.proxy import main; main(sys.argv[1])"
"""In a container's environment nothing says where this package lies."""

_STAND_IN = "this machine has no nginx: the sandbox's own proxy plays its part"
Lookup = Callable[[str, str, int], list[tuple[str, int]]]
"""The pods of a Service, by namespace, name and port."""


def machine_nginx() -> str | None:
    """The nginx of this machine, or None."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:{_SBIN}")


@dataclass(eq=False)
class _Front:
    pod: Pod
    declared: Path
    written: Path
    pid_file: Path
    text: str
    local: Callable[[str], str]


class Fronts:
    """All nginx of the cluster; `prepare` may be called from any thread, the rest belongs to the event loop."""

    def __init__(self, lookup: Lookup, balancer: str) -> None:
        """Asks `lookup` for the pods of Services."""
        self._lookup, self._balancer = lookup, balancer
        self._fronts: dict[str, _Front] = {}
        self._reloads: dict[str, asyncio.Task[None]] = {}

    def prepare(self, pod: Pod, container: Container, program: Program) -> Program:
        """Write a pod's configuration and say what to run.

        Raises:
            KubernetesError: The command names no configuration, or one that cannot be read.
        """
        declared = _configuration(program.command)
        front = _Front(
            pod,
            declared,
            pod.folders.root / "nginx.conf",
            pod.folders.root / "nginx.pid",
            "",
            lambda text: pod.folders.local_text(container, text),
        )
        front.pid_file.unlink(missing_ok=True)
        front.text = self._translated(front)
        front.written.write_text(front.text)
        self._fronts[pod.name] = front
        return _here(program, front)

    def look(self) -> None:
        """The pods of some Service have changed: writes and loads anew what that changes."""
        for name, front in list(self._fronts.items()):
            text = self._translated(front)
            if text == front.text:
                continue
            front.text = text
            front.written.write_text(text)
            if name not in self._reloads:
                self._reloads[name] = asyncio.create_task(self._reload(name, front))

    def forget(self, pod: str) -> None:
        """The pod is gone."""
        self._fronts.pop(pod, None)
        if task := self._reloads.pop(pod, None):
            task.cancel()

    async def stop(self) -> None:
        """Loads nothing any more."""
        tasks = list(self._reloads.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._fronts = {}

    async def _reload(self, name: str, front: _Front) -> None:
        """Tells nginx to load its configuration, once it listens to signals: it writes its number after that."""
        while not _number(front.pid_file):  # noqa: ASYNC110  a file has no event
            await asyncio.sleep(_POLL_SECONDS)
        for container in front.pod.containers:
            container.tell(signal.SIGHUP)
        self._reloads.pop(name, None)

    def _translated(self, front: _Front) -> str:
        place = Place(
            address=front.pod.address,
            balancer=self._balancer,
            pid_file=str(front.pid_file),
            local=front.local,
            endpoints=self._endpoints(front.pod.namespace),
            as_root=os.geteuid() == 0,
        )
        try:
            return translate(front.declared.read_text(), place)
        except OSError as error:
            raise KubernetesError(f"nginx's configuration {front.declared}: {error.strerror}") from None

    def _endpoints(self, namespace: str) -> Endpoints:
        """By a name of the cluster's DNS: `service`, `service.namespace`, or with `.svc.cluster.local`."""

        def find(host: str, port: int) -> list[tuple[str, int]]:
            parts = host.split(".")
            return self._lookup(parts[1] if len(parts) > 1 else namespace, parts[0], port)

        return find


def _configuration(command: tuple[str, ...]) -> Path:
    words = list(command)
    if "-c" not in words[:-1]:
        raise KubernetesError(
            "nginx is started without `-c FILE`: the sandbox does not have the configuration that the image brings"
        )
    return Path(words[words.index("-c") + 1])


def _here(program: Program, front: _Front) -> Program:
    binary = machine_nginx()
    if binary is None:
        command = (sys.executable, "-c", _PROXY, str(front.written))
        return Program(command=command, is_nginx=True, note=_STAND_IN)
    words = list(program.command[1:])
    words[words.index("-c") + 1] = str(front.written)
    # Without -e, nginx first opens the log that it was built with, which is root's.
    return Program(
        command=(binary, "-p", str(front.pod.folders.root), "-e", "stderr", *words),
        stop_signal=program.stop_signal,
        is_nginx=True,
    )


def _number(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""
