"""What the sandbox answers the real engine."""

import socket
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from quintet.errors import Exit, QuintetError
from quintet.sandbox.engine import UNKNOWN, SandboxUnsupported
from quintet.sandbox.engine.assets import ASSET, SIGNATURE
from quintet.sandbox.provider import Provider, ProviderServer
from tests.quintet.engine.fake_cloud import FakeCloud, RefusedError
from tests.quintet.provider.conftest import URN, Engine, plain, wire

KINDS = provider_pb2.PropertyDiff


def test_a_new_resource_gets_the_name_that_the_engine_proposes(engine: Engine):
    checked = engine.check({"displayName": "News"}, proposed="shop-dev-news-1")

    assert checked["name"] == "shop-dev-news-1"


def test_a_living_resource_keeps_its_name_though_the_engine_proposes_another(engine: Engine):
    before = engine.check({"displayName": "News"}, proposed="shop-dev-news-1")

    checked = engine.check({"displayName": "Old news"}, before, proposed="shop-dev-news-2")

    assert checked["name"] == "shop-dev-news-1"
    assert engine.diff(before, checked).diffs == ["displayName"]


def test_a_replacement_which_has_no_old_inputs_gets_the_new_proposal(engine: Engine):
    assert engine.check({}, {}, proposed="shop-dev-news-2")["name"] == "shop-dev-news-2"


def test_the_remembered_name_reaches_neither_the_cloud_nor_the_outputs(engine: Engine):
    checked = engine.check({}, proposed="shop-dev-news-1")

    made = engine.create(checked)

    assert set(plain(made.properties)) == {"name", "arn", "revision"}
    assert not any(key.startswith("__") for key in engine.cloud.things[made.id])


def test_without_a_proposal_nothing_is_remembered(engine: Engine):
    assert engine.check({"name": "mine"}) == {"name": "mine"}


def test_equal_inputs_are_no_difference(engine: Engine):
    answer = engine.diff({"name": "a"}, {"name": "a"})

    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE
    assert list(answer.replaces) == []


def test_a_difference_names_each_input_and_what_became_of_it(engine: Engine):
    answer = engine.diff({"name": "a", "gone": 1, "moved": 1}, {"name": "a", "moved": 2, "added": 1})

    assert {key: item.kind for key, item in answer.detailedDiff.items()} == {
        "added": KINDS.ADD,
        "gone": KINDS.DELETE,
        "moved": KINDS.UPDATE,
    }
    assert all(item.inputDiff for item in answer.detailedDiff.values())


def test_what_needs_a_new_resource_is_told_as_replacing(engine: Engine):
    answer = engine.diff({"name": "a"}, {"name": "a", "fifoTopic": True})

    assert list(answer.replaces) == ["fifoTopic"]
    assert answer.detailedDiff["fifoTopic"].kind == KINDS.ADD_REPLACE


def test_a_name_of_the_programs_own_is_freed_before_it_is_taken_again(engine: Engine):
    assert engine.diff({"name": "a"}, {"name": "a", "fifoTopic": True}).deleteBeforeReplace


def test_with_a_proposed_name_the_new_resource_comes_before_the_old_one_goes(engine: Engine):
    old = engine.check({}, proposed="shop-dev-news-1")
    new = engine.check({"fifoTopic": True}, old, proposed="shop-dev-news-2")

    answer = engine.diff(old, new)

    assert list(answer.replaces) == ["fifoTopic"]
    assert not answer.deleteBeforeReplace


def test_a_preview_makes_nothing_and_has_no_id(engine: Engine):
    answer = engine.create({"name": "a"}, preview=True)

    assert (answer.id, plain(answer.properties)) == ("", {"name": "a"})
    assert engine.cloud.calls == []


def test_the_preview_of_an_update_knows_what_stays_and_not_what_may_change(engine: Engine):
    outputs = {"name": "a", "displayName": "x", "arn": "arn", "revision": 1}

    planned = engine.update("id", outputs, {"name": "a", "displayName": "x"}, {"name": "a"}, preview=True)

    assert planned == {"name": "a", "arn": "arn", "revision": UNKNOWN}
    assert engine.cloud.calls == []


def test_an_input_that_is_no_longer_declared_is_no_output_after_an_update(engine: Engine):
    old = {"name": "a", "displayName": "x"}
    made = engine.create(old)

    updated = engine.update(made.id, plain(made.properties), old, {"name": "a"})

    assert "displayName" not in updated
    assert updated["revision"] == 2


def test_what_is_gone_is_read_as_nothing(engine: Engine):
    assert engine.read("id", {"name": "a"}, {"name": "a"}).id == ""


def test_what_was_changed_behind_the_engine_shows_in_the_inputs(engine: Engine):
    inputs = engine.check({"displayName": "x"}, proposed="shop-dev-news-1")
    made = engine.create(inputs)
    engine.cloud.things[made.id]["displayName"] = "changed by hand"

    read = engine.read(made.id, plain(made.properties), inputs)

    assert plain(read.inputs) == {**inputs, "displayName": "changed by hand"}
    assert set(plain(read.inputs)) == set(inputs)  # an output is no input: it would be a difference for ever


def test_a_resource_that_is_gone_already_is_deleted(engine: Engine):
    engine.stub.Delete(provider_pb2.DeleteRequest(urn=URN, id="id", properties=wire({"name": "a"})))

    assert engine.cloud.verbs() == ["delete"]


def test_an_asset_of_the_state_of_which_only_the_hash_is_known_is_compared_by_it(engine: Engine):
    known = {SIGNATURE: ASSET, "hash": "1f3"}

    assert engine.diff({"name": "a", "file": known}, {"name": "a", "file": {**known}}).diffs == []


def test_functions_are_called(engine: Engine):
    request = provider_pb2.InvokeRequest(tok="aws:index/getCallerIdentity:getCallerIdentity")

    assert plain(getattr(engine.stub.Invoke(request), "return"))["accountId"] == "123456789012"


def test_a_failure_is_told_by_its_message_alone(engine: Engine):
    engine.cloud.failing = lambda _verb, _properties: RefusedError("the topic is full\nof news")

    with pytest.raises(grpc.RpcError) as refused:
        engine.create({"name": "a"})

    assert refused.value.details() == "RefusedError: the topic is full\nof news"


def test_a_very_long_failure_still_arrives(engine: Engine):
    engine.cloud.failing = lambda _verb, _properties: RefusedError("ä" * 10_000)

    with pytest.raises(grpc.RpcError) as refused:
        engine.create({"name": "a"})

    assert refused.value.details().startswith("RefusedError: ää")


def test_what_the_sandbox_does_not_have_is_not_sent_to_the_other_engine(engine: Engine):
    engine.cloud.failing = lambda _verb, _properties: SandboxUnsupported("the remote asset")

    with pytest.raises(grpc.RpcError) as refused:
        engine.create({"name": "a"})

    assert "the remote asset" in refused.value.details()
    assert "--engine pulumi" not in refused.value.details()


def test_no_operation_begins_where_none_may(engine: Engine):
    engine.not_ready = "another engine has deployed"

    with pytest.raises(grpc.RpcError) as refused:
        engine.stub.Configure(provider_pb2.ConfigureRequest())

    assert refused.value.details() == "another engine has deployed"


def test_autonaming_is_declared_where_the_engine_looks_for_it(engine: Engine):
    assert engine.stub.Handshake(provider_pb2.ProviderHandshakeRequest()).supports_autonaming_configuration
    assert engine.stub.Configure(provider_pb2.ConfigureRequest()).supports_autonaming_configuration


def test_no_secret_is_taken_wrapped_so_that_the_engine_keeps_them_encrypted(engine: Engine):
    answer = engine.stub.Handshake(provider_pb2.ProviderHandshakeRequest())

    assert (answer.accept_secrets, answer.accept_resources) == (False, False)


def test_settings_of_a_provider_are_taken_and_change_nothing(engine: Engine):
    checked = engine.stub.CheckConfig(provider_pb2.CheckRequest(news=wire({"region": "us-east-1"})))
    diff = engine.stub.DiffConfig(provider_pb2.DiffRequest())

    assert plain(checked.inputs) == {"region": "us-east-1"}
    assert diff.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_the_version_is_newer_than_any_that_an_sdk_asks_for(engine: Engine):
    assert engine.stub.GetPluginInfo(empty_pb2.Empty()).version == "99.0.0"


def test_a_port_that_is_taken_is_told_with_its_holder(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = ProviderServer(Provider(FakeCloud(), tmp_path, lambda: None), taken.getsockname()[1])

        with pytest.raises(QuintetError, match="is in use by") as refused:
            server.start()

    assert refused.value.exit_code is Exit.PORT_IN_USE
