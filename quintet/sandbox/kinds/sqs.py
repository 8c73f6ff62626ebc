"""Queues and their policies."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, kind
from quintet.sandbox.kinds.calls import ONE_REGION, absent, document, present, removed_tags, require

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo")
_ATTRIBUTES = {
    "delaySeconds": ("DelaySeconds", "0"),
    "maxMessageSize": ("MaximumMessageSize", "1048576"),
    "messageRetentionSeconds": ("MessageRetentionPeriod", "345600"),
    "receiveWaitTimeSeconds": ("ReceiveMessageWaitTimeSeconds", "0"),
    "visibilityTimeoutSeconds": ("VisibilityTimeout", "30"),
    "kmsMasterKeyId": ("KmsMasterKeyId", ""),
    "kmsDataKeyReusePeriodSeconds": ("KmsDataKeyReusePeriodSeconds", "300"),
    "sqsManagedSseEnabled": ("SqsManagedSseEnabled", "true"),
    "policy": ("Policy", ""),
    "redrivePolicy": ("RedrivePolicy", ""),
    "redriveAllowPolicy": ("RedriveAllowPolicy", ""),
    "contentBasedDeduplication": ("ContentBasedDeduplication", "false"),
}
"""Inputs, SQS's attributes, and what they go back to when left out (SetQueueAttributes, API reference)."""


@kind
class Queue(Kind):
    """A queue."""

    token = "aws:sqs/queue:Queue"
    name_input = "name"
    name_limit = 80
    replace_on = frozenset({"fifoQueue"})
    consumed = frozenset(_ATTRIBUTES) | {"tags"}
    ignored: ClassVar[Mapping[str, str]] = ONE_REGION

    def check(self, inputs: Properties) -> Properties:
        """Hold SQS's rule for names, which its service model does not have."""
        rule = "a queue's name has 1 to 80 letters, digits, hyphens and underscores"
        require(inputs, "name", _NAME.fullmatch, rule)
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its URL is its id."""
        name = inputs["name"]
        fifo = {"FifoQueue": "true"} if inputs.get("fifoQueue") else {}
        attributes = {_ATTRIBUTES[key][0]: _text(inputs[key]) for key in _ATTRIBUTES if inputs.get(key) is not None}
        tags = inputs.get("tags") or {}
        url = self._sqs.create_queue(QueueName=name, Attributes={**attributes, **fifo}, tags=tags)["QueueUrl"]
        arn = f"arn:aws:sqs:{self.world.region}:{self.world.account}:{name}"
        return url, {"arn": arn, "url": url, "tagsAll": tags}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change the attributes that differ; the messages stay."""
        changed = [key for key in _ATTRIBUTES if old.get(key) != inputs.get(key)]
        attributes = {
            _ATTRIBUTES[key][0]: _ATTRIBUTES[key][1] if inputs.get(key) is None else _text(inputs[key])
            for key in changed
        }
        if attributes:
            self._sqs.set_queue_attributes(QueueUrl=id_, Attributes=attributes)
        if gone := removed_tags(old, inputs):
            self._sqs.untag_queue(QueueUrl=id_, TagKeys=gone)
        if tags := inputs.get("tags"):
            self._sqs.tag_queue(QueueUrl=id_, Tags=tags)
        return {"tagsAll": inputs.get("tags") or {}}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it with its messages."""
        absent(lambda: self._sqs.delete_queue(QueueUrl=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if present(lambda: self._sqs.get_queue_attributes(QueueUrl=id_)) else None

    @property
    def _sqs(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("sqs")


def _text(value: Any) -> str:  # noqa: ANN401  a number, a boolean, a text or a document
    if isinstance(value, bool):
        return str(value).lower()
    return document(value, "the policy") if isinstance(value, dict) else str(value)


@kind
class QueuePolicy(Kind):
    """Who may send to a queue."""

    token = "aws:sqs/queuePolicy:QueuePolicy"
    replace_on = frozenset({"queueUrl"})
    consumed = frozenset({"policy"})
    ignored: ClassVar[Mapping[str, str]] = ONE_REGION

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Put it; the queue's URL is its id."""
        self.update("", {}, inputs)
        return inputs["queueUrl"], {}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Put it anew."""
        self._put(inputs["queueUrl"], document(inputs["policy"], "`policy`"))
        return {}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Put an empty one."""
        absent(lambda: self._put(id_, ""))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether the queue has one."""
        sqs = self.world.client("sqs")
        found = present(lambda: sqs.get_queue_attributes(QueueUrl=id_, AttributeNames=["Policy"]))
        return outputs if found and found.get("Attributes", {}).get("Policy") else None

    def _put(self, url: str, policy: str) -> None:
        self.world.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
