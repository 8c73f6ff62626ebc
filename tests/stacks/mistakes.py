"""A recorded program with one mistake in it: what checks must find."""

import json
from dataclasses import replace
from typing import Any

from quintet.sandbox.engine.recording import Recording


def without(recording: Recording, type_: str, name: str | None = None) -> Recording:
    """The program as if somebody had forgotten a resource."""
    gone = recording.one(type_, name=name)
    return replace(recording, resources=tuple(item for item in recording.resources if item is not gone))


def changed(recording: Recording, type_: str, name: str | None = None, /, **inputs: Any) -> Recording:
    """The program with other inputs of a resource."""
    old = recording.one(type_, name=name)
    new = replace(old, inputs=old.inputs | inputs, outputs=old.outputs | inputs)
    return replace(recording, resources=tuple(new if item is old else item for item in recording.resources))


def edited(recording: Recording, type_: str, name: str | None, key: str, *, old: str, new: str) -> Recording:
    """The program with another text in one of a resource's policies."""
    text = recording.one(type_, name=name).inputs[key]
    assert old in text, f"{old!r} is not in {text}"
    return changed(recording, type_, name, **{key: text.replace(old, new)})


def unconditional(recording: Recording, type_: str, name: str | None) -> Recording:
    """The program with a policy whose grants have no conditions."""
    policy = json.loads(recording.one(type_, name=name).inputs["policy"])
    for statement in policy["Statement"]:
        if statement["Effect"] == "Allow":
            statement.pop("Condition", None)
    return changed(recording, type_, name, policy=json.dumps(policy))
