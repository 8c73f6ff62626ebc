"""The model that ships with the repository, in the service that it ships for."""

import shutil

import httpx
import pytest

from services.common import artifacts
from services.moderation import smoke
from tests.services.conftest import PREFIX, ROOT, Moderation, serve
from tests.services.moderation.test_smoke import Gateway


@pytest.fixture
def moderation(settings) -> Moderation:
    shutil.copytree(ROOT / "models/moderation", artifacts.folder_of(PREFIX))
    return next(serve(settings))


@pytest.mark.parametrize("check", smoke.CHECKS, ids=lambda check: check.__name__)
def test_every_smoke_check_holds_with_the_model_that_ships(moderation, check):
    check(httpx.Client(base_url="http://example.test", transport=Gateway(moderation.client, "")))


def test_a_longest_batch_is_answered_well_within_the_limit_of_the_gateway(moderation):
    answer = moderation.client.post("/moderate/batch", json={"texts": ["word " * 1000] * 32})

    model_ms = float(answer.headers["server-timing"].split("model;dur=")[1].split(",")[0])
    assert answer.status_code == 200
    assert model_ms < 15_000
