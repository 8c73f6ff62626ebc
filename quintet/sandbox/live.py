"""The running sandbox: the emulated AWS, the functions, and deployments of the checkout's program on them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any, TypeVar

from quintet.checkout import Checkout
from quintet.errors import Exit, QuintetError
from quintet.project import Project, ProjectError
from quintet.sandbox import summary
from quintet.sandbox.control import Emit
from quintet.sandbox.emulator import Emulator
from quintet.sandbox.endpoints import Endpoint
from quintet.sandbox.endpoints import endpoints as endpoints_of
from quintet.sandbox.engine import Deployment, Outcome, SandboxError, State
from quintet.sandbox.engine.outcome import OnEvent, ResourceEvent
from quintet.sandbox.engines import Engine, owner, refuse_another
from quintet.sandbox.events import Event, done, explain, failure, notice, phase
from quintet.sandbox.health import Health
from quintet.sandbox.kinds.cloud import EmulatedCloud
from quintet.sandbox.overrides import kept
from quintet.sandbox.ports import HOST, Ports
from quintet.sandbox.real.deployment import RealDeployment
from quintet.sandbox.real.engine import RealEngine
from quintet.sandbox.selection import overrides
from quintet.sandbox.workloads import Workloads
from quintet.sandbox.world import World

_log = logging.getLogger("quintet")
_D = TypeVar("_D", Deployment, RealDeployment)
_TOLD = (SandboxError, ProjectError)
_FINISH_SECONDS = 15.0
"""How long a deployment that was cancelled may take over what it had begun."""
_SETTLE_SECONDS = 15.0
_SETTLE_POLL_SECONDS = 0.02
_WARM_SECONDS = 30.0


class LiveSandbox:
    """Everything that runs for one checkout. Its methods belong to one event loop."""

    def __init__(self, checkout: Checkout, ports: Ports) -> None:
        """Describes it; nothing runs before the first `up`."""
        self._checkout, self._ports = checkout, ports
        self._world = World(checkout.root, checkout.home, url=f"http://{HOST}:{ports.emulator}")
        front = f"http://{HOST}:{ports.functions}"
        self._emulator = Emulator(checkout.home, ports.emulator, lambda_front=front, region=self._world.region)
        self._workloads = Workloads(checkout, self._world, ports)
        self._health = Health()
        self._real = RealEngine(checkout, self._world, ports.providers, self._require_ready)
        self._starting = asyncio.Lock()
        self._lost = False
        self._deployment: Deployment | RealDeployment | None = None
        self._finished = asyncio.Event()
        self._finished.set()
        self._stopping = False

    async def up(self, request: Event, emit: Emit) -> None:
        """Deploys the program; what happens and how it ends is told through `emit`.

        Args:
            request: `services`, the names of those wanted, empty for all; `engine`, by which; `programs`, the folder
                of the Pulumi CLI, for the real engine.
            emit: Called in this loop.
        """
        self._finished.clear()
        try:
            emit(done(*await self._up(request, emit)))
        except Exception as error:  # noqa: BLE001 - the border to the command, which tells it to the user
            _log.exception("the deployment failed")
            emit(failure(self._explain(error), error))
        finally:
            self._deployment = None
            self._finished.set()

    async def status(self) -> Event:
        """The document of `quintet status --json`."""
        endpoints = summary.endpoints(self._checkout)
        if self._emulator.alive:
            await self._health.look(endpoints)
        return self._document(endpoints, await asyncio.to_thread(self._declared_only))

    async def serve(self) -> bool:
        """Answers the real engine, whoever runs it, and starts what that needs.

        Returns:
            Whether the emulated AWS may have lost resources, so that the engine should refresh.

        Raises:
            QuintetError: The emulated AWS does not start, or the port is taken.
        """
        try:
            await self._start()
            await asyncio.to_thread(self._real.serve)
        except Exception as error:
            _log.exception("the real engine cannot be served")
            raise self._explain(error) from error
        return self._lost

    @property
    def endpoint_url(self) -> str:
        """The emulated AWS; empty while it does not run."""
        return self._world.url if self._emulator.alive else ""

    async def settle(self) -> None:
        """Waits until no function works any more, at most a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_SECONDS):
                while self._workloads.working:  # noqa: ASYNC110 - the functions tell their state and no event
                    await asyncio.sleep(_SETTLE_POLL_SECONDS)

    async def stop(self) -> None:
        """Ends everything; a deployment finishes what it has begun."""
        self._stopping = True
        self._workloads.interrupt()
        if self._deployment:
            self._deployment.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FINISH_SECONDS):
                await self._finished.wait()
        if isinstance(self._deployment, RealDeployment):
            self._deployment.kill()
        await asyncio.to_thread(self._real.stop)
        await self._health.stop()
        await self._workloads.stop()
        await asyncio.to_thread(self._world.close)
        saved = await asyncio.to_thread(self._emulator.stop)
        _log.info("the emulated AWS %s its state", "saved" if saved else "did not save")

    async def _up(self, request: Event, emit: Emit) -> tuple[dict[str, int], Event]:
        if not self._emulator.alive:
            emit(phase("Starting the emulated AWS"))
        await self._start()
        if self._lost:
            emit(notice("The emulated AWS ended without saving its state: what is gone is made again."))
        emit(phase("Deploying"))
        outcome = await asyncio.to_thread(self._deploy, request, _from_any_thread(emit))
        self._lost = False
        endpoints = endpoints_of(outcome.outputs)
        await self._health.look(endpoints, patience_seconds=_WARM_SECONDS)
        document = self._document(endpoints, outcome.declared_only)
        summary.keep(self._checkout, document)
        return dict(outcome.counts), document

    async def _start(self) -> None:
        """Starts what does not run, and notes whether the emulator has lost resources that a state knows."""
        async with self._starting:
            if self._emulator.alive:
                return
            await self._workloads.start()
            await asyncio.to_thread(self._emulator.start)
            self._lost = self._emulator.unclean
            if owner(self._checkout) is Engine.PULUMI:
                await asyncio.to_thread(self._real.resume)

    def _deploy(self, request: Event, emit: Emit) -> Outcome:
        def tell(event: ResourceEvent) -> None:
            emit({"event": "resource", **asdict(event)})

        services: Sequence[str] = request["services"]
        if request["engine"] == Engine.PULUMI:
            self._real.serve()
            real = self._real.deployment(
                request["programs"], services, tell, lambda text: emit(notice(text)), refresh=self._lost
            )
            return self._begun(real).run()
        deployment = self._begun(self._own_deployment(services, tell))
        if self._lost:
            deployment.refresh()
        return deployment.run()

    def _own_deployment(self, services: Sequence[str], on_event: OnEvent) -> Deployment:
        project = Project.load(self._checkout.root)
        state = State.load(self._checkout.state)
        wanted = {**kept(self._checkout), **overrides(project, services, present=state.outputs.get("endpoints", {}))}
        cloud = EmulatedCloud(self._world)
        return Deployment(cloud, state, project, summary.STACK, on_event=on_event, overrides=wanted)

    def _begun(self, deployment: _D) -> _D:
        self._deployment = deployment
        if self._stopping:
            deployment.cancel()
        return deployment

    def _require_ready(self) -> None:
        """Whether an operation of the real engine may begin.

        Raises:
            SandboxError: It may not; the message says what to do.
        """
        if not self._emulator.alive:
            raise SandboxError("the emulated AWS does not run; `quintet up --engine pulumi` starts it")
        if isinstance(self._deployment, Deployment):
            raise SandboxError("`quintet up` deploys with the sandbox's own engine; wait for it")
        try:
            refuse_another(self._checkout, Engine.PULUMI)
        except QuintetError as error:
            raise SandboxError(f"{error.message} {error.advice}") from error

    def _declared_only(self) -> Sequence[str]:
        if owner(self._checkout) is Engine.PULUMI:
            return self._real.declared_only()
        last: Sequence[str] = (summary.kept(self._checkout) or {}).get("declared_only", ())
        return last

    def _document(self, endpoints: dict[str, Endpoint], declared_only: Sequence[str]) -> Event:
        services: dict[str, dict[str, Any]] = {
            name: {**endpoint.told, **self._state_of(name)} for name, endpoint in endpoints.items()
        }
        for name, pods in self._workloads.pods(services).items():
            services[name]["pods"] = pods
        return summary.document(self._world.url, self._world.region, services, declared_only)

    def _state_of(self, name: str) -> dict[str, str]:
        if self._emulator.alive:
            return self._health.of(name)
        if self._emulator.pid is None:
            return {"state": "stopped"}
        return {"state": "unhealthy", "reason": "the emulated AWS has ended by itself; `quintet up` starts it again"}

    def _explain(self, error: Exception) -> QuintetError:
        told = explain(error, self._checkout, told=_TOLD)
        if told.exit_code is not Exit.FAILED or self._emulator.pid is None or self._emulator.alive:
            return told
        return QuintetError(
            f"The emulated AWS ended by itself. The end of its log:\n{self._emulator.last_lines()}",
            advice=f"`quintet up` starts it again. The whole log is {self._emulator.log}.",
            exit_code=Exit.EMULATOR_DIED,
        )


def _from_any_thread(emit: Emit) -> Emit:
    """The same for other threads than this loop's."""
    loop = asyncio.get_running_loop()

    def told(event: Event) -> None:
        loop.call_soon_threadsafe(emit, event)

    return told
