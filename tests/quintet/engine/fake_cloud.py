"""A cloud in memory that stands for AWS: things with names, made, changed and deleted, and a log of every call."""

import threading
import time
from collections.abc import Callable
from typing import Any

from quintet.sandbox.engine import UNKNOWN, Diff, Properties

TOPIC = "aws:sns/topic:Topic"
QUEUE = "aws:sqs/queue:Queue"
PARAMETER = "aws:ssm/parameter:Parameter"


class RefusedError(Exception):
    """What AWS answers when it will not."""


class FakeCloud:
    """Keeps every resource as outputs by id.

    The contract it stands for: `name` is the physical name, unique within a type; a change of `name` or of an input
    in `replace_on` needs a new resource; an update makes a new `revision`, which its preview cannot know.

    Attributes:
        things: Outputs by id.
        calls: `(verb, logical or physical name)` in the order of the calls.
        failing: Asked before each verb; returns an error to raise, or None.
    """

    def __init__(self) -> None:
        self.things: dict[str, Properties] = {}
        self.calls: list[tuple[str, str]] = []
        self.replace_on = {"fifoTopic"}
        self.declared_only: set[str] = set()
        self.failing: Callable[[str, Properties], Exception | None] = lambda _verb, _properties: None
        self.delay_seconds = 0.0
        self.busy = self.most_busy = 0
        self._lock = threading.Lock()

    def names(self) -> set[str]:
        return {thing["name"] for thing in self.things.values()}

    def verbs(self) -> list[str]:
        return [verb for verb, _ in self.calls]

    def realises(self, type_: str) -> bool:
        return type_ not in self.declared_only

    def check(self, type_: str, name: str, old: Properties, new: Properties, *, autoname: str) -> Properties:
        if new.get("displayName") == "refused":
            raise RefusedError("displayName: `refused` is not allowed")
        return {**new, "name": new.get("name") or autoname}

    def diff(self, type_: str, old: Properties, new: Properties) -> Diff:
        changed = tuple(sorted(key for key in {*old, *new} if old.get(key) != new.get(key)))
        replaces = tuple(key for key in changed if key == "name" or key in self.replace_on)
        return Diff(changed, replaces, delete_first=old.get("name") == new.get("name"))

    def create(self, type_: str, inputs: Properties) -> tuple[str, Properties]:
        self._call("create", inputs)
        id_ = f"{type_}/{inputs['name']}"
        with self._lock:
            if id_ in self.things:
                raise RefusedError(f"{id_} exists already")
            self.things[id_] = {**inputs, "arn": f"arn:aws:sns:us-east-1:123456789012:{inputs['name']}", "revision": 1}
            return id_, {"arn": self.things[id_]["arn"], "revision": 1}

    def update(self, type_: str, id_: str, old: Properties, inputs: Properties) -> Properties:
        self._call("update", inputs)
        revision = self.things[id_]["revision"] + 1
        self.things[id_] = {**self.things[id_], **inputs, "revision": revision}
        return {"revision": revision}

    def delete(self, type_: str, id_: str, outputs: Properties) -> None:
        self._call("delete", outputs)
        self.things.pop(id_, None)

    def read(self, type_: str, id_: str, outputs: Properties) -> Properties | None:
        self._call("read", outputs)
        return self.things.get(id_)

    def resume(self, type_: str, id_: str, outputs: Properties) -> None:
        self._call("resume", outputs)

    def planned(self, type_: str, old_outputs: Properties, inputs: Properties) -> Properties:
        return {**old_outputs, **inputs, "revision": UNKNOWN}

    def invoke(self, token: str, arguments: Properties) -> Properties:
        if token == "aws:index/getCallerIdentity:getCallerIdentity":
            return {"accountId": "123456789012", "arn": "arn:aws:iam::123456789012:root", "userId": "root", "id": "1"}
        raise RefusedError(f"no function {token}")

    def _call(self, verb: str, properties: dict[str, Any]) -> None:
        with self._lock:
            self.calls.append((verb, properties.get("name", "")))
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
        time.sleep(self.delay_seconds)
        with self._lock:
            self.busy -= 1
        if error := self.failing(verb, properties):
            raise error
