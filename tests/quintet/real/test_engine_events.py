"""The CLI's events as the sandbox tells them."""

import json
from typing import Any

from quintet.sandbox.engine import ResourceEvent
from quintet.sandbox.real.engine_events import EngineEvents

BUCKET = "aws:s3/bucket:Bucket"
URN = f"urn:pulumi:sandbox::quintet::{BUCKET}::data"


def told(*events: dict[str, Any] | str) -> tuple[list[ResourceEvent], EngineEvents]:
    heard: list[ResourceEvent] = []
    reader = EngineEvents(heard.append)
    for event in events:
        reader.read(event if isinstance(event, str) else json.dumps(event))
    return heard, reader


def step(kind: str, op: str, type_: str = BUCKET, *, custom: bool = True, **more: Any) -> dict[str, Any]:
    urn = f"urn:pulumi:sandbox::quintet::{type_}::data"
    state = {"custom": True} if custom else {}
    old, new = (state, None) if op.startswith("delete") else (None, state)
    return {kind: {"metadata": {"op": op, "urn": urn, "type": type_, "old": old, "new": new, **more}}}


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"diagnosticEvent": {"severity": "error", "message": message, **more}}


def test_a_resource_is_told_when_it_begins_and_when_it_is_done():
    heard, reader = told(step("resourcePreEvent", "create"), step("resOutputsEvent", "create"))

    assert [(event.operation, event.name, event.type, event.done) for event in heard] == [
        ("create", "data", BUCKET, False),
        ("create", "data", BUCKET, True),
    ]
    assert reader.counts == {"create": 1}


def test_components_providers_and_the_stack_are_not_counted():
    heard, reader = told(
        step("resOutputsEvent", "create", "quintet:storage:Bucket", custom=False),
        step("resOutputsEvent", "create", "pulumi:providers:aws"),
        step("resOutputsEvent", "create", "pulumi:pulumi:Stack", custom=False),
    )

    assert (heard, reader.counts) == ([], {})


def test_an_update_names_what_changed_but_not_what_is_hidden():
    heard, _ = told(step("resOutputsEvent", "update", diffs=["tags", "__autoname", "acl"]))

    assert heard[0].changed == ("acl", "tags")


def test_a_replacement_counts_once_though_its_old_resource_is_deleted_later():
    heard, reader = told(
        step("resourcePreEvent", "create-replacement"),
        step("resOutputsEvent", "create-replacement"),
        step("resOutputsEvent", "replace"),
        step("resOutputsEvent", "delete-replaced"),
    )

    assert [event.operation for event in heard] == ["replace", "delete"]
    assert reader.counts == {"replace": 1}


def test_a_failure_carries_what_was_said_about_the_resource_without_colours():
    heard, reader = told(
        error("<{%reset%}>the name is \x1b[31mtaken\x1b[0m<{%reset%}>\n", urn=URN), step("resOpFailedEvent", "create")
    )

    assert (heard[0].operation, heard[0].error) == ("failed", "the name is taken")
    assert reader.errors == ["the name is taken"]


def test_only_errors_that_last_are_errors():
    _, reader = told(
        {"diagnosticEvent": {"severity": "warning", "message": "old"}},
        {"diagnosticEvent": {"severity": "debug", "message": "registering"}},
        error("for a moment", ephemeral=True),
    )

    assert reader.errors == []


def test_a_line_that_is_no_event_is_passed_over():
    assert told("what a plugin printed", "{", "[]", "5", '{"unheardOfEvent": {}}')[0] == []
