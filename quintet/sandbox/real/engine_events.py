"""What the Pulumi CLI tells while it works, as the events that the sandbox's own engine tells.

`pulumi up --json` prints one engine event a line; their shapes are `EngineEvent` of the Pulumi Service API
(https://www.pulumi.com/docs/reference/cloud-rest-api/), whose reader the SDK has.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from quintet.sandbox.engine.outcome import OnEvent, Operation, ResourceEvent
from quintet.sandbox.engine.urn import name_of

_COLOUR = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")
_OPERATIONS: Mapping[str, Operation] = {
    "create": "create",
    "update": "update",
    "replace": "replace",
    "delete": "delete",
    "delete-replaced": "delete",
    "same": "same",
    "refresh": "read",
    "read": "read",
}
_NOT_COUNTED = frozenset({"delete-replaced"})
"""The end of a replacement, which has been counted as such."""

_HIDDEN = "__"
_OF_THE_ENGINE = "pulumi:"


class EngineEvents:
    """Reads the CLI's lines and tells of every resource when it begins and when it is done.

    Attributes:
        counts: Resources by operation; components, providers and the stack do not count.
        errors: What went wrong, in the order in which it was told.
        cancelled: The CLI was told to stop.
    """

    def __init__(self, on_event: OnEvent) -> None:
        self.counts: Counter[str] = Counter()
        self.errors: list[str] = []
        self._on_event = on_event
        self._begun: dict[tuple[str, str], float] = {}
        self._told: dict[str, list[str]] = {}

    def read(self, line: str) -> None:
        """Take one line of the CLI's standard output."""
        try:
            event = json.loads(line)
        except ValueError:
            return  # not an event: what a plugin printed
        if not isinstance(event, dict):
            return
        if "resourcePreEvent" in event:
            self._begin(event["resourcePreEvent"]["metadata"])
        elif "resOutputsEvent" in event:
            self._end(event["resOutputsEvent"]["metadata"])
        elif "resOpFailedEvent" in event:
            self._fail(event["resOpFailedEvent"]["metadata"])
        elif "diagnosticEvent" in event:
            self._hear(event["diagnosticEvent"])

    def _begin(self, metadata: dict[str, Any]) -> None:
        if _is_told(metadata):
            self._begun[metadata["urn"], metadata["op"]] = time.monotonic()
            self._emit(metadata, done=False)

    def _end(self, metadata: dict[str, Any]) -> None:
        if _is_told(metadata):
            if metadata["op"] not in _NOT_COUNTED:
                self.counts[_OPERATIONS[metadata["op"]]] += 1
            self._emit(metadata, done=True)

    def _fail(self, metadata: dict[str, Any]) -> None:
        if _is_told(metadata):
            error = "; ".join(self._told.get(metadata["urn"], [])) or "it failed"
            self._emit(metadata, done=True, operation="failed", error=error)

    def _hear(self, diagnostic: dict[str, Any]) -> None:
        if diagnostic.get("severity") != "error" or diagnostic.get("ephemeral"):
            return
        message = plain(diagnostic["message"])
        self._told.setdefault(diagnostic.get("urn", ""), []).append(message)
        self.errors.append(message)

    def _emit(
        self, metadata: dict[str, Any], *, done: bool, operation: Operation | None = None, error: str | None = None
    ) -> None:
        urn, op = metadata["urn"], metadata["op"]
        begun = self._begun.get((urn, op), time.monotonic()) if done else time.monotonic()
        changed = tuple(sorted(key for key in metadata.get("diffs") or () if not key.startswith(_HIDDEN)))
        self._on_event(
            ResourceEvent(
                operation or _OPERATIONS[op],
                urn,
                metadata["type"],
                name_of(urn),
                done,
                changed,
                error,
                time.monotonic() - begun,
            )
        )


def plain(text: str) -> str:
    """A message of the CLI without its colours."""
    return _COLOUR.sub("", text).strip()


def _is_told(metadata: dict[str, Any]) -> bool:
    state = metadata.get("new") or metadata.get("old") or {}
    return (
        metadata["op"] in _OPERATIONS and bool(state.get("custom")) and not metadata["type"].startswith(_OF_THE_ENGINE)
    )
