"""A function in its container, held as Lambda holds it, with the sandbox's own Runtime API on the other side."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quintet.sandbox.functions import Credentials, FunctionSpec
from quintet.sandbox.functions.answers import Answer, Invocation, exit_reason, failure
from quintet.sandbox.functions.environment import function_environment
from quintet.sandbox.functions.runtime_api import RuntimeApi
from tests.containers.engine import Engine

INIT_SECONDS = 10.0
"""Longer, and Lambda ends the init phase and begins anew on the caller's time."""

USER, GROUP = 993, 990
"""Lambda chooses the user, whatever the image says; these are the numbers that its own processes have shown."""

_MB_OF_ONE_CPU = 1769
_DESCRIPTORS, _PROCESSES, _SCRATCH_MB = 1024, 1024, 512
"""Lambda's quotas: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


class Loop:
    """An event loop in a thread, for servers that live longer than one test."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any], *, seconds: float = 90) -> Any:
        """The result of a coroutine."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def close(self) -> None:
        """Ends the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image and how Lambda would start it."""

    tag: str
    environment: Mapping[str, str]

    @classmethod
    def inspect(cls, engine: Engine, tag: str) -> "Image":
        config = json.loads(engine.run("image", "inspect", tag))[0]["Config"]
        return cls(tag=tag, environment=dict(each.split("=", 1) for each in config["Env"]))


class LambdaContainer:
    """One container of a function; what it told as runtime, and what became of it.

    Attributes:
        init_seconds: From the start of the container to its first request for an event.
        failed: Why there is no function, in Lambda's words; empty while it is well.
    """

    def __init__(
        self,
        engine: Engine,
        image: Image,
        spec: FunctionSpec,
        credentials: Credentials,
        *,
        endpoint_url: str,
        folder: Path,
    ) -> None:
        """Describes it; `start` starts it.

        Args:
            engine: What runs it.
            image: What it runs.
            spec: The function as it is deployed; its memory is the container's limit.
            credentials: Of the function's role.
            endpoint_url: The emulated AWS.
            folder: An empty one of its own.
        """
        self.spec = replace(spec, code_root=Path("/var/task"), image_environment=image.environment)
        self.init_seconds, self.failed = 0.0, ""
        self._engine, self._image, self._credentials = engine, image, credentials
        self._endpoint_url, self._folder = endpoint_url, folder
        self._id = ""
        self._waiting: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._outcome: asyncio.Future[Answer | None]
        self.api = RuntimeApi(self.spec, self, accept=lambda invocation, answer: invocation.resolve(answer))

    async def start(self) -> None:
        """Starts it and waits until it is ready or has failed."""
        self._outcome = asyncio.get_running_loop().create_future()
        await self.api.start()
        create = ("create", *self._options(), self._image.tag, self.spec.handler)
        self._id = (await asyncio.to_thread(self._engine.run, *create)).strip()
        began = time.monotonic()
        await asyncio.to_thread(self._engine.run, "start", self._id)
        self._waiting = asyncio.create_task(self._wait_for_the_end())
        await self._settle(INIT_SECONDS)
        self.init_seconds = time.monotonic() - began

    async def stop(self) -> None:
        """Removes it."""
        if self._id:
            await asyncio.to_thread(self._engine.run, "kill", self._id, check=False)
        if self._waiting:
            await self._waiting
        if self._id:
            await asyncio.to_thread(self._engine.run, "rm", "--force", self._id)
        await self.api.stop()

    async def invoke(self, invocation: Invocation) -> None:
        """Has an invocation answered; returns when the runtime and its extensions ask for the next one."""
        async with self._one_at_a_time:
            if self.failed:
                invocation.resolve(failure("Runtime.ExitError", self.failed))
                return
            self._outcome = asyncio.get_running_loop().create_future()
            invocation.deadline_ms = int((time.time() + self.spec.timeout_seconds) * 1000)
            self.api.deliver(invocation)
            await self._settle(self.spec.timeout_seconds)
            invocation.resolve(failure("Runtime.ExitError", self.failed or "no answer"))

    async def call(self, event: Any) -> Any:
        """The answer to one event."""
        invocation = Invocation(json.dumps(event).encode(), self.spec.arn)
        await self.invoke(invocation)
        return json.loads((await invocation.answer).body)

    def settled(self) -> None:
        """Runtime and extensions wait."""
        self._finish(None)

    def init_failed(self, answer: Answer) -> None:
        """The runtime cannot load the handler."""
        self._finish(answer)

    def extension_failed(self, kind: str, error_type: str) -> None:
        """An extension gave up."""
        self._finish(failure(kind, f"an extension reported {error_type}"))

    @property
    def extensions(self) -> list[str]:
        """The names of those that registered."""
        return [extension.name for extension in self.api._extensions._extensions.values()]

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
        """Files of the image that it changed."""
        return self._engine.run("diff", self._id).splitlines()

    def _options(self) -> list[str]:
        no_processors = self._folder / "no-processors"
        no_processors.mkdir()
        cpus = min(self.spec.memory_mb / _MB_OF_ONE_CPU, os.cpu_count() or 1)
        return [
            # Nothing to write to but /tmp. Here it takes of the function's memory, which Lambda's does not.
            *("--read-only", f"--tmpfs=/tmp:rw,nosuid,nodev,size={_SCRATCH_MB}m,mode=1777"),
            *("--cap-drop=ALL", "--security-opt=no-new-privileges", f"--user={USER}:{GROUP}"),
            *(f"--memory={self.spec.memory_mb}m", f"--memory-swap={self.spec.memory_mb}m", f"--cpus={cpus:.3f}"),
            *(f"--ulimit=nofile={_DESCRIPTORS}", f"--pids-limit={_PROCESSES}"),
            # No /dev/shm, so no semaphores of multiprocessing.
            "--ipc=none",
            # What cpuinfo libraries read is not there, as on Lambda (onnxruntime issue 10038).
            f"--mount=type=bind,src={no_processors},dst=/sys/devices/system/cpu,readonly",
            *("--network=host", f"--env-file={self._environment_file()}"),
        ]

    def _environment_file(self) -> Path:
        """What Lambda sets; a file, as arguments can be read by everybody on this machine."""
        variables = function_environment(
            self.spec,
            self._credentials,
            runtime_api=self.api.address,
            log_stream="2026/01/01/[1]container",
            endpoint_url=self._endpoint_url,
            temporary=Path("/tmp"),
        )
        # Stand-ins that a process of the sandbox needs and a container does not.
        for name in ("PYTHONPATH", "TMPDIR"):
            del variables[name]
        path = self._folder / "environment"
        path.touch(0o600)
        path.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
        return path

    async def _settle(self, seconds: float) -> None:
        try:
            outcome = await asyncio.wait_for(asyncio.shield(self._outcome), seconds)
        except TimeoutError:
            outcome = failure("Sandbox.Timedout", f"Task timed out after {seconds:.2f} seconds")
        if outcome:
            self.failed = f"{outcome.error_type}: {outcome.body.decode()}"

    async def _wait_for_the_end(self) -> None:
        """Says why the container ended, when it did."""
        code = int(await asyncio.to_thread(self._engine.run, "wait", self._id, seconds=None))
        state = (await asyncio.to_thread(self.inspected))["State"] if code else {}
        # Docker gives the number of a signal as the shell does, 128 added to it.
        reason = exit_reason(128 - code if code > 128 else code)
        kind = "Runtime.OutOfMemory" if state.get("OOMKilled") else "Runtime.ExitError"
        self._finish(failure(kind, reason))

    def _finish(self, outcome: Answer | None) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)
