"""What the SDK asks of an engine beside registrations."""

import logging

import pytest
from pulumi.runtime.proto import resource_pb2

from tests.quintet.engine.conftest import Bench


@pytest.mark.parametrize(("feature", "has"), [("aliasSpecs", True), ("secrets", True), ("outputValues", False)])
def test_an_older_sdk_is_told_the_same_features(bench: Bench, feature: str, has: bool) -> None:
    monitor = bench.deployment()._monitor()

    answer = monitor.SupportsFeature(resource_pb2.SupportsFeatureRequest(id=feature))

    assert answer.hasSupport is has


def test_a_newer_sdk_is_told_the_features_at_once(bench: Bench) -> None:
    monitor = bench.deployment()._monitor()

    features = set(monitor.GetDeploymentInfo(None).supportedFeatures)

    assert resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS in features
    assert resource_pb2.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES not in features


def test_what_the_program_logs_is_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="quintet.program"):
        bench.up('pulumi.log.warn("mind the step")\npulumi.log.debug("hidden")')

    assert [(item.levelname, item.message) for item in caplog.records if item.name == "quintet.program"] == [
        ("WARNING", "mind the step")
    ]


def test_no_version_of_the_cli_is_required_where_none_runs(bench: Bench) -> None:
    bench.up('pulumi.runtime.require_pulumi_version(">=99.0.0")\npulumi.export("ran", True)')

    assert bench.state.outputs == {"ran": True}


def test_the_sdks_own_message_suffices_for_an_error_it_means_for_users(bench: Bench) -> None:
    with pytest.raises(Exception, match=r"^the shop is closed$"):
        bench.up('raise pulumi.RunError("the shop is closed")')
