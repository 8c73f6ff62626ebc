"""Paths into properties, assets, and the wire format."""

from pathlib import Path

import pytest
from google.protobuf import struct_pb2

from quintet.sandbox.engine import UNKNOWN, SandboxUnsupported, is_unknown
from quintet.sandbox.engine.assets import ARCHIVE, ASSET, SIGNATURE, archive_files, asset_bytes, comparable, with_hash
from quintet.sandbox.engine.codec import _OUTPUT, _REFERENCE, _SECRET, decode, encode
from quintet.sandbox.engine.property_path import differs, keeping, parse


def wire(**values: object) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("tags", ("tags",)),
        ("tags.owner", ("tags", "owner")),
        ("rules[0].port", ("rules", 0, "port")),
        ('tags["a.b"]', ("tags", "a.b")),
    ],
)
def test_a_path_is_read(path: str, steps: tuple[object, ...]) -> None:
    assert parse(path) == steps


@pytest.mark.parametrize("path", ["tags.*", "*", "rules[*]", "a[", '["'])
def test_a_path_with_a_wildcard_or_without_sense_is_refused(path: str) -> None:
    with pytest.raises(SandboxUnsupported, match="the property path"):
        parse(path)


def test_old_values_are_kept_at_paths() -> None:
    new = {"a": 1, "b": {"x": 1, "y": 1}, "c": [1, 1], "added": 1}
    old = {"a": 2, "b": {"x": 2, "y": 2}, "c": [2, 2]}

    kept = keeping(new, old, ("a", "b.x", "c[1]", "added", "nowhere.at.all"))

    assert kept == {"a": 2, "b": {"x": 2, "y": 1}, "c": [1, 2]}
    assert new["b"] == {"x": 1, "y": 1}


def test_a_difference_is_sought_where_the_path_leads() -> None:
    old, new = {"a": {"x": 1, "y": 1}}, {"a": {"x": 1, "y": 2}}

    assert not differs("a.x", old, new)
    assert differs("a.y", old, new)
    assert differs("*", old, new)


def test_numbers_without_fraction_are_integers() -> None:
    values = decode(wire(count=3, rate=0.5, nested=[{"n": 2}]), Path()).values

    assert values == {"count": 3, "rate": 0.5, "nested": [{"n": 2}]}
    assert isinstance(values["count"], int)


def test_secrets_at_any_depth_mark_their_top_level_key() -> None:
    decoded = decode(wire(a={"deep": [{SIGNATURE: _SECRET, "value": "geheim"}]}, b="open"), Path())

    assert decoded.values == {"a": {"deep": ["geheim"]}, "b": "open"}
    assert decoded.secrets == {"a"}


def test_output_values_are_unwrapped_and_may_be_unknown() -> None:
    known = {SIGNATURE: _OUTPUT, "value": "x", "secret": True}

    decoded = decode(wire(known=known, unknown={SIGNATURE: _OUTPUT}), Path())

    assert decoded.values == {"known": "x", "unknown": UNKNOWN}
    assert decoded.secrets == {"known"}


def test_a_reference_is_the_id_of_its_resource_or_its_urn() -> None:
    custom = {SIGNATURE: _REFERENCE, "urn": "urn:x", "id": "topic-1"}
    new = {SIGNATURE: _REFERENCE, "urn": "urn:x", "id": ""}
    component = {SIGNATURE: _REFERENCE, "urn": "urn:y"}

    decoded = decode(wire(custom=custom, new=new, component=component), Path())

    assert decoded.values == {"custom": "topic-1", "new": UNKNOWN, "component": "urn:y"}


def test_encoded_secrets_decode_to_the_same() -> None:
    decoded = decode(encode({"a": "x", "b": None, "c": [1, True]}, frozenset({"a"})), Path())

    assert decoded.values == {"a": "x", "b": None, "c": [1, True]}
    assert decoded.secrets == {"a"}


def test_the_unknown_is_found_at_any_depth() -> None:
    assert is_unknown({"a": [f"prefix-{UNKNOWN}"]})
    assert not is_unknown({"a": ["known", 1, None]})


def test_assets_are_compared_by_content_wherever_they_lie(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text("same")

    one, two = (with_hash({SIGNATURE: ASSET, "path": name}, tmp_path) for name in ("one", "two"))

    assert one["path"] != two["path"]
    assert comparable({"files": [one]}) == comparable({"files": [two]})
    assert asset_bytes(one) == b"same"


def test_a_text_is_an_asset_too() -> None:
    assert asset_bytes(with_hash({SIGNATURE: ASSET, "text": "hello"}, Path())) == b"hello"


def test_an_archive_is_a_tree_whose_content_counts(tmp_path: Path) -> None:
    (tmp_path / "code" / "inner").mkdir(parents=True)
    (tmp_path / "code" / "inner" / "a.py").write_text("a")
    described = {
        SIGNATURE: ARCHIVE,
        "assets": {
            "lib": {SIGNATURE: ARCHIVE, "path": "code"},
            "b.txt": {SIGNATURE: ASSET, "text": "b"},
        },
    }
    before = with_hash(described, tmp_path)

    (tmp_path / "code" / "inner" / "a.py").write_text("changed")

    assert archive_files(before) == {"lib/inner/a.py": b"changed", "b.txt": b"b"}
    assert comparable(with_hash(described, tmp_path)) != comparable(before)
