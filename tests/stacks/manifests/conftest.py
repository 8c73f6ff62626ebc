"""The recorded program for all tests of this folder."""

from pathlib import Path

import pytest

from tests.stacks.manifests.variants import Recorded, model_in, recorder


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one group: one worker evaluates the program."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("manifests"))


@pytest.fixture(scope="session")
def declared(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """What a variant of the program declares."""
    return recorder(repository, model_in(tmp_path_factory.mktemp("model")))
