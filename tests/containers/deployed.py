"""The repository's own program, deployed on an emulated AWS; its function and its pods are run by containers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quintet.project import Project
from quintet.sandbox.emulator import Emulator
from quintet.sandbox.engine import Deployment, Outcome, State
from quintet.sandbox.functions import Credentials, FunctionSpec
from quintet.sandbox.functions.answers import Invocation
from quintet.sandbox.functions.front import Front
from quintet.sandbox.kinds.cloud import EmulatedCloud
from quintet.sandbox.world import World
from tests.containers.declared_cluster import DeclaredCluster
from tests.containers.lambda_container import LambdaContainer, Loop
from tests.ports import free_port

STACK = "sandbox"


@dataclass
class Deployed:
    """What is deployed; `container`, once set, is what the function `moderation` runs in."""

    world: World
    outcome: Outcome
    cluster: DeclaredCluster
    container: LambdaContainer | None = None

    @property
    def function(self) -> FunctionSpec:
        """The one function, in the version that its alias names."""
        functions = [r for r in self.outcome.resources.values() if r.type == "aws:lambda/function:Function"]
        assert len(functions) == 1, "with a second function these tests need to say which one they mean"
        return self.world.describe_function(functions[0].outputs["qualifiedArn"])

    def function_with(self, **changes: Any) -> FunctionSpec:
        """The function, described otherwise."""
        return replace(self.function, **changes)

    @property
    def credentials(self) -> Credentials:
        """Of the function's role."""
        return self.world.credentials(self.function.role_arn, "container")

    @property
    def url(self) -> str:
        """Where the HTTP API answers."""
        return str(self.outcome.outputs["endpoints"]["moderation"]["url"])

    async def invoke(self, _arn: str, invocation: Invocation) -> None:
        """What the front does with an invocation."""
        if self.container is None:
            raise LookupError("no container runs yet")
        await self.container.invoke(invocation)


@contextmanager
def deployed(repository: Path, home: Path, loop: Loop) -> Iterator[Deployed]:
    """Starts an emulated AWS and deploys the program on it."""
    holder: list[Deployed] = []

    async def invoke(arn: str, invocation: Invocation) -> None:
        await holder[0].invoke(arn, invocation)

    async def front_at(port: int) -> Front:
        front = Front(invoke)
        await front.start(port)
        return front

    front = loop.run(front_at(0))
    emulator = Emulator(home, free_port(), lambda_front=front.url)
    world = World(repository, home, url=emulator.url)
    cluster = DeclaredCluster(world.credentials)
    world.kubernetes = cluster  # type: ignore[assignment]  # it has the methods that the kinds of resources call
    try:
        emulator.start()
        loop.run(cluster.identity.start())
        state = State.load(home / "state.json")
        outcome = Deployment(EmulatedCloud(world), state, Project.load(repository), STACK).run()
        holder.append(Deployed(world, outcome, cluster))
        yield holder[0]
    finally:
        loop.run(cluster.identity.stop())
        emulator.stop()
        loop.run(front.stop())
