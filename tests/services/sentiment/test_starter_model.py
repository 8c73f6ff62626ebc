"""The model that ships with the repository, served as a pod serves it."""

import shutil
from collections.abc import Iterator

import httpx
import pytest

from services.common import artifacts
from services.sentiment import smoke
from tests.services.sentiment.conftest import PREFIX, serving
from tests.services.sentiment.test_smoke import client_of


@pytest.fixture
def client(repository) -> Iterator[httpx.Client]:
    shutil.copytree(repository / "models" / "sentiment", artifacts.folder_of(PREFIX))
    with serving() as sentiment:
        yield client_of(sentiment.client)


@pytest.mark.parametrize("check", smoke.CHECKS, ids=lambda check: check.__name__)
def test_every_smoke_check_holds_for_it(client, check):
    check(client)
