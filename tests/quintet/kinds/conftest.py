"""One emulator for all tests of a worker."""

from collections.abc import Iterator

import pytest

from quintet.sandbox.world import World
from tests.quintet.emulator.running import StubFront, running_world
from tests.quintet.kinds.deploying import Deployer


@pytest.fixture(scope="session")
def front_server() -> Iterator[StubFront]:
    front = StubFront()
    yield front
    front.close()


@pytest.fixture(autouse=True)
def front(front_server: StubFront) -> StubFront:
    front_server.reset()
    return front_server


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, front_server: StubFront) -> Iterator[World]:
    root = tmp_path_factory.mktemp("checkout")
    (root / "stacks").mkdir()
    with running_world(tmp_path_factory.mktemp("home"), root, front_server) as world:
        yield world


@pytest.fixture
def deploy(world: World) -> Deployer:
    return Deployer(world)
