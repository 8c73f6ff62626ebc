"""A recording as a CloudFormation template, and what cfn-lint's schemas say about it."""

import json
from functools import cache
from typing import Any

from cfnlint.config import ConfigMixIn
from cfnlint.decode import decode_str
from cfnlint.runner import Runner

from quintet.sandbox.engine.recording import Recording
from quintet.sandbox.engine.state import Resource
from tests.stacks.cloudformation.shape import Shape, pascal
from tests.stacks.cloudformation.shapes import SHAPES, key_schema, without_schema

_UNKNOWN_ACTION = "W3037"
_LONGEST = 300  # cfn-lint lists every action of a service when one is unknown


class UnmappedError(Exception):
    """The program declares what nobody has said how to check."""


def mistakes(recording: Recording) -> list[str]:
    """What the schemas refuse: `type name: property: message`.

    Raises:
        UnmappedError: A declared type has neither a shape nor a reason why it needs none.
    """
    resources, names = _resources(recording)
    template, unreadable = decode_str(json.dumps({"Resources": resources}))
    assert not unreadable
    return sorted(
        f"{names[str(match.path[1])]}: {'.'.join(map(str, match.path[3:]))}: {match.message[:_LONGEST]}"
        for match in _linter().validate_template(template)
        if match.rule.id.startswith("E") or match.rule.id == _UNKNOWN_ACTION
    )


@cache
def _linter() -> Runner:
    """Half a second to read its rules and schemas."""
    return Runner(ConfigMixIn(regions=["us-east-1"]))


def _resources(recording: Recording) -> tuple[dict[str, Any], dict[str, str]]:
    resources: dict[str, Any] = {}
    names: dict[str, str] = {}
    by_urn: dict[str, str] = {}
    declared = [item for item in recording.resources if item.custom and not item.type.startswith("pulumi:")]
    for item in sorted(declared, key=_is_part):
        if without_schema(item.type):
            continue
        shape = _shape(item)
        if shape.owner:
            logical = by_urn[_owner(item, shape, recording).urn]
        else:
            logical = by_urn[item.urn] = f"R{len(resources)}"
            resources[logical] = {"Type": shape.type, "Properties": {}}
            names[logical] = f"{item.type} {item.name}"
        _write(item, shape, resources[logical]["Properties"])
    return resources, names


def _is_part(item: Resource) -> bool:
    return _shape(item).owner is not None if not without_schema(item.type) else False


def _shape(item: Resource) -> Shape:
    if item.type not in SHAPES:
        raise UnmappedError(
            f"{item.type} {item.name} is declared, and tests/stacks/cloudformation/shapes.py knows no such type: "
            "add its shape to SHAPES, or to WITHOUT_SCHEMA why CloudFormation has none"
        )
    return SHAPES[item.type]


def _owner(item: Resource, shape: Shape, recording: Recording) -> Resource:
    assert shape.owner
    type_, keys = shape.owner
    wanted = {theirs: item.inputs[ours] for ours, theirs in keys.items()}
    for other in recording.of(type_):
        if all(other.inputs.get(key) == value for key, value in wanted.items()):
            return other
    raise LookupError(f"{item.type} {item.name} is about {wanted}, and the program declares no such {type_}")


def _write(item: Resource, shape: Shape, properties: dict[str, Any]) -> None:
    inputs = _with_keys(item)
    naming = shape.owner[1] if shape.owner else {}
    for key, value in inputs.items():
        if value is None or key in shape.left_out or key in naming:
            continue
        if key in shape.spread:
            properties |= shape.spread[key](value)
            continue
        *path, last = shape.names.get(key, key[0].upper() + key[1:]).split(".")
        place = properties
        for part in path:
            place = place.setdefault(part, {})
        written = shape.values.get(key, pascal)(value)
        before = place.get(last)
        # Several resources of Pulumi's may be one list there, as the policies of a role.
        place[last] = before + written if isinstance(before, list) and shape.owner else written


def _with_keys(item: Resource) -> dict[str, Any]:
    """A table's two keys are one list in CloudFormation."""
    if item.type != "aws:dynamodb/table:Table":
        return dict(item.inputs)
    rest = {key: value for key, value in item.inputs.items() if key not in {"hashKey", "rangeKey"}}
    return rest | {"keys": key_schema(item.inputs.get("hashKey"), item.inputs.get("rangeKey"))}
