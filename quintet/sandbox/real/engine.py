"""The real engine's side of a running sandbox: serves its providers and deploys with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from quintet.checkout import Checkout
from quintet.project import Project
from quintet.sandbox.engine.outcome import OnEvent
from quintet.sandbox.kinds.cloud import EmulatedCloud
from quintet.sandbox.overrides import kept
from quintet.sandbox.provider import Provider, ProviderServer
from quintet.sandbox.real.checkpoint import Checkpoint
from quintet.sandbox.real.deployment import RealDeployment
from quintet.sandbox.real.workspace import Workspace
from quintet.sandbox.selection import overrides
from quintet.sandbox.world import World


class RealEngine:
    """Belongs to one running sandbox; its methods block."""

    def __init__(self, checkout: Checkout, world: World, port: int, require_ready: Callable[[], None]) -> None:
        """Prepare it; nothing listens yet.

        Args:
            checkout: Where.
            world: What resources are made on.
            port: Where to answer the engine.
            require_ready: Raises SandboxError where no operation of the engine may begin.
        """
        self._checkout, self._world, self._port, self._require_ready = checkout, world, port, require_ready
        self._server: ProviderServer | None = None

    def serve(self) -> None:
        """Answer the engine, unless that is so already.

        Raises:
            QuintetError: Another process has the port.
        """
        if self._server is None:
            project = Project.load(self._checkout.root)
            provider = Provider(EmulatedCloud(self._world), project.program, self._require_ready)
            server = ProviderServer(provider, self._port)
            server.start()
            self._server = server

    def resume(self) -> None:
        """Bring back what does not outlive a restart: the engine tells a provider nothing of what is unchanged."""
        cloud = EmulatedCloud(self._world)
        for resource in Checkpoint.of(self._checkout).opened_resources():
            cloud.resume(resource["type"], resource["id"], resource.get("outputs", {}))

    def deployment(
        self,
        programs: str,
        services: Sequence[str],
        on_event: OnEvent,
        on_notice: Callable[[str], None],
        *,
        refresh: bool,
    ) -> RealDeployment:
        """A deployment of the checkout's program.

        Args:
            programs: The folder of the CLI.
            services: Names of those wanted; empty for all.
            on_event: Told of each step.
            on_notice: Told what the user should know that is no failure.
            refresh: Look first what is gone, to make it again.
        """
        project = Project.load(self._checkout.root)
        return RealDeployment(
            Workspace(self._checkout, Path(programs)),
            project,
            self._port,
            on_event=on_event,
            on_notice=on_notice,
            overrides={
                **kept(self._checkout),
                **overrides(project, services, present=Checkpoint.of(self._checkout).endpoints),
            },
            refresh=refresh,
            realises=EmulatedCloud(self._world).realises,
        )

    def declared_only(self) -> tuple[str, ...]:
        """Types of what the engine has deployed that the sandbox does not realise, sorted."""
        realises = EmulatedCloud(self._world).realises
        return tuple(sorted(type_ for type_ in Checkpoint.of(self._checkout).types if not realises(type_)))

    def stop(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.stop()
            self._server = None
