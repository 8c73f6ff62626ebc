"""The running sandbox: the emulated AWS, the functions, and deployments of the checkout's program on them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict

from quintet.checkout import Checkout
from quintet.errors import Exit, QuintetError
from quintet.project import Project, ProjectError
from quintet.sandbox import summary
from quintet.sandbox.control import Emit
from quintet.sandbox.emulator import Emulator
from quintet.sandbox.engine import Deployment, Outcome, SandboxError, State
from quintet.sandbox.engine.outcome import OnEvent, ResourceEvent
from quintet.sandbox.events import Event, done, explain, failure, notice, phase
from quintet.sandbox.functions import Functions
from quintet.sandbox.health import Health
from quintet.sandbox.kinds.cloud import EmulatedCloud
from quintet.sandbox.ports import HOST, Ports
from quintet.sandbox.selection import overrides
from quintet.sandbox.world import World

_log = logging.getLogger("quintet")
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
        self._functions: Functions | None = None
        self._health = Health()
        self._deployment: Deployment | None = None
        self._finished = asyncio.Event()
        self._finished.set()
        self._stopping = False

    async def up(self, request: Event, emit: Emit) -> None:
        """Deploys the program; what happens and how it ends is told through `emit`.

        Args:
            request: `services`, the names of those wanted; empty for all.
            emit: Called in this loop.
        """
        self._finished.clear()
        try:
            emit(done(*await self._up(request["services"], emit)))
        except Exception as error:  # noqa: BLE001 - the border to the command, which tells it to the user
            _log.exception("the deployment failed")
            emit(failure(self._explain(error), error))
        finally:
            self._deployment = None
            self._finished.set()

    async def status(self) -> Event:
        """The document of `quintet status --json`."""
        last = summary.kept(self._checkout) or {}
        endpoints = {name: service["url"] for name, service in last.get("services", {}).items()}
        if self._emulator.alive:
            await self._health.look(endpoints)
        return self._document(endpoints, last.get("declared_only", ()))

    @property
    def endpoint_url(self) -> str:
        """The emulated AWS; empty while it does not run."""
        return self._world.url if self._emulator.alive else ""

    async def settle(self) -> None:
        """Waits until no function works any more, at most a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_SECONDS):
                while self._working():  # noqa: ASYNC110 - the functions tell their state and no event
                    await asyncio.sleep(_SETTLE_POLL_SECONDS)

    def _working(self) -> bool:
        instances = self._functions.snapshot() if self._functions else []
        return any(instance.state in {"starting", "busy"} for instance in instances)

    async def stop(self) -> None:
        """Ends everything; a deployment finishes what it has begun."""
        self._stopping = True
        if self._deployment:
            self._deployment.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FINISH_SECONDS):
                await self._finished.wait()
        await self._health.stop()
        if self._functions:
            await self._functions.stop()
        saved = await asyncio.to_thread(self._emulator.stop)
        _log.info("the emulated AWS %s its state", "saved" if saved else "did not save")

    async def _up(self, services: Sequence[str], emit: Emit) -> tuple[dict[str, int], Event]:
        if not self._emulator.alive:
            emit(phase("Starting the emulated AWS"))
        lost = await self._start()
        if lost:
            emit(notice("The emulated AWS ended without saving its state: what is gone is made again."))
        emit(phase("Deploying"))
        loop = asyncio.get_running_loop()

        def tell(event: ResourceEvent) -> None:
            loop.call_soon_threadsafe(emit, {"event": "resource", **asdict(event)})

        outcome = await asyncio.to_thread(self._deploy, services, tell, refresh=lost)
        endpoints = _endpoints(outcome)
        await self._health.look(endpoints, patience_seconds=_WARM_SECONDS)
        document = self._document(endpoints, outcome.declared_only)
        summary.keep(self._checkout, document)
        return dict(outcome.counts), document

    async def _start(self) -> bool:
        """Starts what does not run; whether the emulator has lost resources that the state knows."""
        if self._emulator.alive:
            return False
        await self._start_functions()
        await asyncio.to_thread(self._emulator.start)
        return self._emulator.unclean

    async def _start_functions(self) -> None:
        """Starts the functions' front; anew with a new emulator, as that one knows no credentials of the old one."""
        if self._functions:
            before, self._functions, self._world.functions = self._functions, None, None
            await before.stop()
        functions = Functions(
            describe=self._world.describe_function,
            credentials=self._world.credentials,
            endpoint_url=self._world.url,
            scratch=self._checkout.home / "scratch",
            logs=self._checkout.logs,
            metrics=self._world.client("cloudwatch"),
        )
        await functions.start(self._ports.functions)
        self._functions = self._world.functions = functions

    def _deploy(self, services: Sequence[str], on_event: OnEvent, *, refresh: bool) -> Outcome:
        project = Project.load(self._checkout.root)
        state = State.load(self._checkout.state)
        self._deployment = deployment = Deployment(
            EmulatedCloud(self._world),
            state,
            project,
            summary.STACK,
            on_event=on_event,
            overrides=overrides(project, services, present=state.outputs.get("endpoints", {})),
        )
        if self._stopping:
            deployment.cancel()
        if refresh:
            deployment.refresh()
        return deployment.run()

    def _document(self, endpoints: dict[str, str], declared_only: Sequence[str]) -> Event:
        services = {name: {"url": url, **self._state_of(name)} for name, url in endpoints.items()}
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


def _endpoints(outcome: Outcome) -> dict[str, str]:
    """Addresses by service in the stack output `endpoints`."""
    return {name: str(endpoint["url"]) for name, endpoint in outcome.outputs.get("endpoints", {}).items()}
