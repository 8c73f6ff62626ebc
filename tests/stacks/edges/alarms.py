"""Alarm -> topic -> key of the topic -> subscribers."""

from collections.abc import Iterator
from typing import Any

from quintet.sandbox.engine.state import Resource
from tests.stacks.edges.graph import Caller, Graph, name, statements, unmet
from tests.stacks.edges.routes import permission_policy

_ACTIONS = ("alarmActions", "okActions", "insufficientDataActions")
_ENCRYPT = ("kms:Decrypt", "kms:GenerateDataKey")
_NEED_NO_GRANT = ("email", "email-json", "sms", "https")


def reach_their_topic(graph: Graph) -> Iterator[str]:
    for alarm in graph.of("aws:cloudwatch/metricAlarm:MetricAlarm"):
        targets = {arn for key in _ACTIONS for arn in alarm.outputs.get(key) or ()}
        if not targets:
            yield f"{name(alarm)}: it tells nobody. Give it `alarm_actions` with a topic"
        for arn in sorted(targets):
            caller = Caller("cloudwatch.amazonaws.com", alarm.outputs["arn"])
            yield from published(graph, arn, caller, by=alarm)


def published(graph: Graph, arn: str, caller: Caller, *, by: Resource) -> Iterator[str]:
    """What keeps a service from publishing to a topic, its key included."""
    topic = graph.first("aws:sns/topic:Topic", "arn", arn)
    if topic is None:
        yield f"{name(by)}: it tells {arn}, which is no declared topic. Use the `arn` of one"
        return
    policy = graph.policies("aws:sns/topicPolicy:TopicPolicy", "arn", arn)
    yield from unmet(policy, caller, ("sns:Publish",), arn, where=f"{name(by)}: the policy of {name(topic)}")
    yield from _encrypted(graph, topic, caller, by)


def _encrypted(graph: Graph, topic: Resource, caller: Caller, by: Resource) -> Iterator[str]:
    used = topic.outputs.get("kmsMasterKeyId")
    if used and str(used).endswith("alias/aws/sns"):
        yield (
            f"{name(by)}: {name(topic)} is encrypted by alias/aws/sns, which admits no service: messages are dropped "
            "in silence. Give it a key of its own"
        )
    elif used and (key := graph.key(used)):
        where = f"{name(by)}: the policy of {name(key)}, which encrypts {name(topic)},"
        yield from unmet(statements(key.outputs.get("policy")), caller, _ENCRYPT, key.outputs["arn"], where=where)


def reach_their_subscribers(graph: Graph) -> Iterator[str]:
    for subscription in graph.of("aws:sns/topicSubscription:TopicSubscription"):
        topic, protocol = subscription.outputs["topic"], subscription.outputs["protocol"]
        if graph.first("aws:sns/topic:Topic", "arn", topic) is None:
            yield f"{name(subscription)}: its topic {topic} is not declared. Use the `arn` of one"
        if protocol in _NEED_NO_GRANT:
            continue
        endpoint, caller = subscription.outputs["endpoint"], Caller("sns.amazonaws.com", topic)
        policy, action = _of_subscriber(graph, protocol, endpoint)
        yield from unmet(policy, caller, (action,), endpoint, where=f"{name(subscription)}: the policy of {endpoint}")


def _of_subscriber(graph: Graph, protocol: str, endpoint: str) -> tuple[list[dict[str, Any]], str]:
    if protocol == "lambda":
        function, _, qualifier = endpoint.split(":", 6)[6].partition(":")
        return permission_policy(graph, function, qualifier or None), "lambda:InvokeFunction"
    if protocol == "sqs":
        return queue_policy(graph, endpoint), "sqs:SendMessage"
    raise NotImplementedError(f"what lets SNS deliver by {protocol}? Add it to tests/stacks/edges/alarms.py")


def queue_policy(graph: Graph, arn: str) -> list[dict[str, Any]]:
    """The policy of a declared queue."""
    queue = graph.first("aws:sqs/queue:Queue", "arn", arn)
    urls = (queue.id, queue.outputs.get("url")) if queue else ()
    own = statements(queue.outputs.get("policy")) if queue else []
    return [*own, *graph.policies("aws:sqs/queuePolicy:QueuePolicy", "queueUrl", *urls)]
