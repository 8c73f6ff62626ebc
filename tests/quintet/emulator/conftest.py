"""The front of one test."""

import pytest

from tests.quintet.emulator.running import StubFront


@pytest.fixture
def front(front_server: StubFront) -> StubFront:
    front_server.reset()
    return front_server
