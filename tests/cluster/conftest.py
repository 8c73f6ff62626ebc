"""One API server for all tests of this folder."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.api import Api
from tests.cluster.servers import running
from tests.stacks.manifests.variants import Recorded, model_in, recorder

CUSTOM_RESOURCES = Path(__file__).parent / "custom_resources"
SERVED_SECONDS = 30.0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one group: one worker has the server."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("cluster"))


@pytest.fixture(scope="session")
def server(tool: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A cluster that knows the custom resources of the operators that the program counts on."""
    etcd, kube_apiserver = tool("etcd", package="etcd-server"), tool("kube-apiserver")
    with running(etcd, kube_apiserver, tmp_path_factory.mktemp("cluster")) as access:
        api = Api.at(access)
        for path in sorted(CUSTOM_RESOURCES.glob("*.yaml")):
            for definition in yaml.safe_load(path.read_text()):
                api.create(definition)
                _wait_until_served(api, definition)
        yield api
        api.http.close()


def _wait_until_served(api: Api, definition: dict[str, object]) -> None:
    until = time.monotonic() + SERVED_SECONDS
    while True:
        conditions = api.read(definition).get("status", {}).get("conditions") or []
        if any(item["type"] == "Established" and item["status"] == "True" for item in conditions):
            return
        assert time.monotonic() < until, conditions
        time.sleep(0.1)


@pytest.fixture
def api(server: Api) -> Api:
    """The API, which has not warned of anything yet."""
    server.warnings.clear()
    return server


@pytest.fixture(scope="session")
def declared(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """What a variant of the program declares."""
    return recorder(repository, model_in(tmp_path_factory.mktemp("model")))
