"""What the program declares for a cluster with the Prometheus operator."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.stacks.manifests.declared import Declared
from tests.stacks.manifests.variants import model_in, recorder


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one group: one worker has the service and its Prometheus."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("monitoring"))


@pytest.fixture(scope="session")
def program(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Declared:
    return recorder(repository, model_in(tmp_path_factory.mktemp("model")))("operator")


@pytest.fixture(scope="session")
def rules(program: Declared) -> dict[str, Any]:
    """The `spec` of the PrometheusRule: what a rule file of Prometheus has."""
    [rule] = program.of("PrometheusRule")
    return dict(rule["spec"])


@pytest.fixture(scope="session")
def dashboard(program: Declared) -> dict[str, Any]:
    """The dashboard that Grafana's sidecar finds."""
    [found] = [item for item in program.of("ConfigMap") if "grafana_dashboard" in item["metadata"].get("labels", {})]
    [text] = found["data"].values()
    return dict(json.loads(text))


@pytest.fixture(scope="session")
def monitor(program: Declared) -> dict[str, Any]:
    """How the operator is told to scrape."""
    [found] = program.of("ServiceMonitor")
    return dict(found)
