"""Starting a server as a process, waiting until it answers, and ending it with what it started."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks.serving.load import Target

START_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Server:
    """One way to serve the model.

    Attributes:
        name: For the table.
        command: Starts it.
        environment: What it is told, beside PATH and HOME.
        target: How it is asked.
        ready: A path that answers 200 once it serves, or None where only a first request tells.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    target: Target
    ready: str | None


@contextmanager
def running(server: Server, folder: Path) -> Iterator[psutil.Process]:
    """The server's process, while it serves; it and its children are ended after.

    Raises:
        RuntimeError: It ended, or did not answer in time; says its last lines.
    """
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with tempfile.TemporaryFile("w+") as log:
        process = psutil.Popen(
            server.command, cwd=folder, env={**plain, **server.environment}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            try:
                _await(server, process)
            except RuntimeError as error:
                log.seek(0)
                raise RuntimeError(f"{error}:\n{log.read()[-3000:]}") from None
            yield process
        finally:
            _end(process)


def memory_mb(process: psutil.Process) -> float:
    """Memory that the server and its children hold and share with nobody else, in MiB."""
    family = [process, *process.children(recursive=True)]
    return sum(member.memory_full_info().uss for member in family) / 2**20


def _await(server: Server, process: psutil.Process) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{server.name} ended with {process.returncode}")
        if _answers(server):
            return
        time.sleep(0.2)
    raise RuntimeError(f"{server.name} did not answer within {START_SECONDS} s")


def _answers(server: Server) -> bool:
    try:
        if server.ready:
            return httpx.get(server.target.url + server.ready, timeout=5).is_success
        body = server.target.body.replace("%s", '"are you there"')
        headers = {"Content-Type": "application/json"}
        return httpx.post(server.target.url + server.target.path, content=body, headers=headers, timeout=20).is_success
    except httpx.HTTPError:
        return False


def _end(process: psutil.Popen) -> None:
    family = process.children(recursive=True)
    process.terminate()
    _, alive = psutil.wait_procs([process, *family], timeout=10)
    for member in alive:
        member.kill()
    psutil.wait_procs(alive, timeout=5)
