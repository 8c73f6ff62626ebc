"""One run of `pulumi up` in the sandbox's process, told and ended as a deployment of the sandbox's own engine is."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any

from quintet.checkout import Checkout
from quintet.project import Project
from quintet.sandbox.engine import DeploymentCancelledError, Outcome, SandboxError
from quintet.sandbox.engine.outcome import OnEvent
from quintet.sandbox.real import locks
from quintet.sandbox.real.checkpoint import Checkpoint
from quintet.sandbox.real.engine_events import EngineEvents, plain
from quintet.sandbox.real.workspace import Workspace
from quintet.sandbox.summary import STACK


class RealEngineError(SandboxError):
    """The real engine could not deploy; the message is its own."""


class RealDeployment:
    """A deployment by the Pulumi CLI. `run` blocks; `cancel` may be called from another thread."""

    def __init__(
        self,
        workspace: Workspace,
        project: Project,
        port: int,
        *,
        on_event: OnEvent,
        on_notice: Callable[[str], None],
        overrides: Mapping[str, Any],
        refresh: bool,
        realises: Callable[[str], bool],
    ) -> None:
        """Prepare a deployment.

        Args:
            workspace: Where the CLI works.
            project: The project to run.
            port: Where the sandbox answers as a provider.
            on_event: Told of each step.
            on_notice: Told what the user should know that is no failure.
            overrides: Configuration in place of the stack's file.
            refresh: Look first what is gone, to make it again.
            realises: Whether a type of resource is really made.
        """
        self._workspace, self._project, self._port = workspace, project, port
        self._events, self._on_notice = EngineEvents(on_event), on_notice
        self._overrides, self._refresh, self._realises = overrides, refresh, realises
        self._process: subprocess.Popen[str] | None = None
        self._cancelled = False
        self._lock = threading.Lock()

    def run(self) -> Outcome:
        """Make the stack what the program declares.

        Raises:
            SandboxError: The first failure; what was finished is in the engine's state.
            ProjectError: The stack's configuration is wrong.
            QuintetError: Another `pulumi` works on the stack.
        """
        self._workspace.configure(self._project, self._overrides)
        for pid in locks.heal(self._checkout):
            self._on_notice(
                f"An earlier `pulumi` (pid {pid}) was killed and had left the stack locked: it is free again."
            )
        with tempfile.TemporaryFile("w+") as errors:
            code = self._pulumi(errors)
            errors.seek(0)
            if code:
                raise self._failure(errors.read())
        return self._outcome()

    def cancel(self) -> None:
        """Begin nothing new; the CLI finishes what it has begun and saves it."""
        with self._lock:
            self._cancelled = True
            if self._process is not None:
                self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End a CLI that did not heed `cancel`; the next deployment removes the lock that it leaves."""
        with self._lock:
            if self._process is not None:
                self._process.kill()

    @property
    def _checkout(self) -> Checkout:
        return self._workspace.checkout

    def _pulumi(self, errors: IO[str]) -> int:
        with self._lock:
            if self._cancelled:
                raise DeploymentCancelledError
            self._process = process = subprocess.Popen(  # noqa: S603 - the CLI that was found, arguments of our own
                self._command(),
                cwd=self._checkout.root,
                env=self._workspace.environment(self._port),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert process.stdout is not None  # noqa: S101  it was asked for
        with process.stdout:
            for line in process.stdout:
                self._events.read(line)
        code = process.wait()
        with self._lock:
            self._process = None
        return code

    def _command(self) -> list[str]:
        options = ["--yes", "--skip-preview", "--non-interactive", "--json", "--show-sames"]
        refresh = ["--refresh"] if self._refresh else []
        config = ["--stack", STACK, "--config-file", str(self._workspace.config)]
        return [str(self._workspace.executable), "up", *options, *refresh, *config]

    def _failure(self, printed: str) -> SandboxError:
        if self._cancelled:
            return DeploymentCancelledError()
        told = self._events.errors or [line.removeprefix("error: ") for line in plain(printed).splitlines() if line]
        return RealEngineError("\n".join(dict.fromkeys(told)) or "`pulumi up` failed and did not say why")

    def _outcome(self) -> Outcome:
        checkpoint = Checkpoint.of(self._checkout)
        return Outcome(
            outputs=checkpoint.outputs,
            secret_outputs=frozenset(),
            counts=dict(self._events.counts),
            declared_only=tuple(sorted(type_ for type_ in checkpoint.types if not self._realises(type_))),
            resources={},
        )
