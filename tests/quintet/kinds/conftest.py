"""What every kind is tried with."""

import pytest

from quintet.sandbox.world import World
from tests.quintet.emulator.running import StubFront
from tests.quintet.kinds.deploying import Deployer


@pytest.fixture(autouse=True)
def front(front_server: StubFront) -> StubFront:
    front_server.reset()
    return front_server


@pytest.fixture
def deploy(world: World) -> Deployer:
    return Deployer(world)
