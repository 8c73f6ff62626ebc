"""One emulator for all tests of a worker that ask for it."""

from collections.abc import Iterator

import pytest

from quintet.sandbox.world import World
from tests.quintet.emulator.running import StubFront, running_world


@pytest.fixture(scope="session")
def front_server() -> Iterator[StubFront]:
    front = StubFront()
    yield front
    front.close()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, front_server: StubFront) -> Iterator[World]:
    root = tmp_path_factory.mktemp("checkout")
    (root / "stacks").mkdir()
    with running_world(tmp_path_factory.mktemp("home"), root, front_server) as world:
        yield world
