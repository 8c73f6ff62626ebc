"""Kinds are found by their type token; what one does not know it refuses."""

from typing import Any, ClassVar, cast

import pytest

from quintet.sandbox.engine import UNKNOWN, Properties, SandboxUnsupported
from quintet.sandbox.kinds.base import INVOKES, KINDS, Kind, UnknownInputError, invoke, kind
from quintet.sandbox.kinds.cloud import EmulatedCloud, load_kinds
from quintet.sandbox.world import World

PARCEL = "test:post/parcel:Parcel"
STAMP = "test:post/stamp:Stamp"


class Parcel(Kind):
    token = PARCEL
    name_input = "name"
    name_limit = 12
    replace_on = frozenset({"size"})
    volatile = frozenset({"version"})
    consumed = frozenset({"weight", "content"})
    ignored: ClassVar[dict[str, str]] = {"colour": "a parcel of the sandbox has none"}

    def check(self, inputs: Properties) -> Properties:
        return {"weight": 1, **inputs}

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        return f"parcel-{inputs['name']}", {"version": 1}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        return {"version": old["version"] + 1}

    def delete(self, id_: str, outputs: Properties) -> None:
        cast("Any", self.world).deleted.append(id_)

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        return None if id_ in cast("Any", self.world).deleted else outputs


class Stamp(Kind):
    token = STAMP
    consumed = frozenset({"value"})


class PostOffice:
    """A world that remembers what was deleted."""

    def __init__(self) -> None:
        self.deleted: list[str] = []


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> EmulatedCloud:
    load_kinds()
    monkeypatch.setitem(KINDS, PARCEL, Parcel)
    monkeypatch.setitem(KINDS, STAMP, Stamp)
    return EmulatedCloud(cast("World", PostOffice()))


def test_a_check_fills_name_and_defaults(cloud: EmulatedCloud) -> None:
    checked = cloud.check(PARCEL, "gift", {}, {"content": "book"}, autoname="gift-1")

    assert checked == {"content": "book", "name": "gift-1", "weight": 1}


def test_a_given_name_stays(cloud: EmulatedCloud) -> None:
    assert cloud.check(PARCEL, "gift", {}, {"name": "mine"}, autoname="gift-1")["name"] == "mine"


def test_an_input_that_no_one_realises_is_refused_by_name(cloud: EmulatedCloud) -> None:
    with pytest.raises(UnknownInputError, match=r"Parcel gift: .* the input `wieght`; it knows colour, content, name"):
        cloud.check(PARCEL, "gift", {}, {"wieght": 3}, autoname="gift-1")


def test_an_ignored_input_is_taken(cloud: EmulatedCloud) -> None:
    assert cloud.check(PARCEL, "gift", {}, {"colour": "red"}, autoname="gift-1")["colour"] == "red"


def test_a_proposed_name_that_aws_would_not_take_is_refused(cloud: EmulatedCloud) -> None:
    with pytest.raises(ValueError, match="has 16 characters, AWS takes 12"):
        cloud.check(PARCEL, "gift", {}, {}, autoname="a-very-long-name")


def test_a_change_is_made_in_place_where_the_kind_can(cloud: EmulatedCloud) -> None:
    diff = cloud.diff(PARCEL, {"name": "a", "weight": 1}, {"name": "a", "weight": 2})

    assert (diff.changed, diff.replaces) == (("weight",), ())


def test_a_change_replaces_where_the_kind_says_so_and_deletes_first_under_one_name(cloud: EmulatedCloud) -> None:
    same_name = cloud.diff(PARCEL, {"name": "a", "size": 1}, {"name": "a", "size": 2})
    new_name = cloud.diff(PARCEL, {"name": "a", "size": 1}, {"name": "b", "size": 2})

    assert (same_name.replaces, same_name.delete_first) == (("size",), True)
    assert (new_name.replaces, new_name.delete_first) == (("name", "size"), False)


def test_every_change_of_a_kind_without_update_replaces(cloud: EmulatedCloud) -> None:
    assert cloud.diff(STAMP, {"value": 1}, {"value": 2}).replaces == ("value",)


def test_the_preview_of_an_update_does_not_know_volatile_outputs(cloud: EmulatedCloud) -> None:
    assert cloud.planned(PARCEL, {"version": 1}, {"weight": 2}) == {"version": UNKNOWN, "weight": 2}


def test_a_type_without_a_kind_is_only_declared(cloud: EmulatedCloud) -> None:
    type_ = "test:post/pigeon:Pigeon"

    id_, outputs = cloud.create(type_, {"speed": 3})

    assert not cloud.realises(type_)
    assert id_.startswith("declared-")
    assert outputs == {}
    assert cloud.check(type_, "p", {}, {"speed": 3}, autoname="x") == {"speed": 3}
    assert cloud.diff(type_, {"speed": 3}, {"speed": 4}).changed == ("speed",)
    assert cloud.update(type_, id_, {}, {"speed": 4}) == {}
    assert cloud.read(type_, id_, {"speed": 4}) == {"speed": 4}


def test_calls_reach_the_kind_with_its_world(cloud: EmulatedCloud) -> None:
    id_, outputs = cloud.create(PARCEL, {"name": "a"})
    updated = cloud.update(PARCEL, id_, outputs, {"name": "a"})
    cloud.resume(PARCEL, id_, updated)
    cloud.delete(PARCEL, id_, updated)

    assert updated == {"version": 2}
    assert cloud.read(PARCEL, id_, updated) is None


def test_a_function_is_called_with_its_world_and_an_unknown_one_is_refused(
    cloud: EmulatedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(INVOKES, "test:post:rate", raising=False)

    @invoke("test:post:rate")
    def rate(world: World, arguments: Properties) -> Properties:
        return {"price": arguments["weight"] * 2, "world": type(world).__name__}

    answer = cloud.invoke("test:post:rate", {"weight": 3})
    monkeypatch.delitem(INVOKES, "test:post:rate")

    assert answer == {"price": 6, "world": "PostOffice"}
    with pytest.raises(SandboxUnsupported, match="the provider function test:post:rate"):
        cloud.invoke("test:post:rate", {})


def test_two_kinds_for_one_type_are_refused(cloud: EmulatedCloud) -> None:
    class Rival(Kind):
        token = PARCEL

    with pytest.raises(ValueError, match=r"registered by both Parcel and .*Rival"):
        kind(Rival)


def test_an_input_both_consumed_and_ignored_is_refused() -> None:
    class Torn(Kind):
        token = "test:post/torn:Torn"
        consumed = frozenset({"a"})
        ignored: ClassVar[dict[str, str]] = {"a": "why not"}

    with pytest.raises(ValueError, match="a is both consumed and ignored"):
        kind(Torn)

    assert Torn.token not in KINDS


def test_every_shipped_kind_names_its_inputs_and_can_be_made_and_deleted() -> None:
    load_kinds()
    shipped = {token: cls for token, cls in KINDS.items() if cls.__module__.startswith("quintet.")}

    assert shipped
    for token, cls in shipped.items():
        assert {*cls.consumed, *cls.ignored, *cls.replace_on} or cls.name_input, token
        assert cls.create is not Kind.create, token
        assert cls.delete is not Kind.delete, token
        assert cls.read is not Kind.read, token
