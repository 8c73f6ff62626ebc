"""Rule -> target, its role, and the roles that it passes on; task -> roles that ECS may take."""

from collections.abc import Iterator

from quintet.sandbox.engine.state import Resource
from tests.stacks.edges.alarms import published, queue_policy
from tests.stacks.edges.graph import Caller, Graph, name, trusts, unmet
from tests.stacks.edges.routes import permission_policy

TASK = "aws:ecs/taskDefinition:TaskDefinition"
EVENTS, TASKS = "events.amazonaws.com", "ecs-tasks.amazonaws.com"
# EventBridge tells SNS and KMS not for whom it publishes (EventBridge user guide, "Amazon SNS permissions").
_ANONYMOUS = Caller(EVENTS)
_BY_ROLE = {"states": "states:StartExecution", "codebuild": "codebuild:StartBuild", "ecs": "ecs:RunTask"}


def reach_their_target(graph: Graph) -> Iterator[str]:
    for target in graph.of("aws:cloudwatch/eventTarget:EventTarget"):
        rule = graph.first("aws:cloudwatch/eventRule:EventRule", "name", target.outputs["rule"])
        if rule is None:
            yield f"{name(target)}: its rule {target.outputs['rule']} is not declared. Use the `name` of one"
            continue
        caller = Caller(EVENTS, rule.outputs["arn"])
        yield from _reached(graph, target, caller)
        yield from _kept(graph, target, caller)


def of_tasks_have_roles(graph: Graph) -> Iterator[str]:
    for task in graph.of(TASK):
        for key in ("taskRoleArn", "executionRoleArn"):
            role = graph.role(task.outputs.get(key))
            if role and not trusts(role, Caller(TASKS)):
                yield (
                    f"{name(task)}: {name(role)} does not trust {TASKS}, so no task can start. Let its "
                    "assume_role_policy allow sts:AssumeRole to it"
                )


def _reached(graph: Graph, target: Resource, caller: Caller) -> Iterator[str]:
    arn = target.outputs["arn"]
    match arn.split(":")[2]:
        case "sns":
            yield from published(graph, arn, _ANONYMOUS, by=target)
        case "sqs":
            where = f"{name(target)}: the policy of {arn}"
            yield from unmet(queue_policy(graph, arn), caller, ("sqs:SendMessage",), arn, where=where)
        case "lambda":
            function, _, qualifier = arn.split(":", 6)[6].partition(":")
            policy = permission_policy(graph, function, qualifier or None)
            where = f"{name(target)}: the policy of {arn}"
            yield from unmet(policy, caller, ("lambda:InvokeFunction",), arn, where=where)
        case service if service in _BY_ROLE:
            yield from _by_role(graph, target, _BY_ROLE[service])
        case service:
            raise NotImplementedError(f"what lets EventBridge call {service}? Add it to tests/stacks/edges/events.py")


def _by_role(graph: Graph, target: Resource, action: str) -> Iterator[str]:
    role = graph.role(target.outputs.get("roleArn"))
    if role is None:
        yield f"{name(target)}: it calls {target.outputs['arn']} in no declared role. Give it `role_arn`"
        return
    if not trusts(role, Caller(EVENTS)):
        yield (
            f"{name(target)}: {name(role)} does not trust {EVENTS}. Let its assume_role_policy allow sts:AssumeRole "
            "to it"
        )
    started = (target.outputs.get("ecsTarget") or {}).get("taskDefinitionArn") or target.outputs["arn"]
    if not graph.role_may(role, action, started):
        yield f"{name(target)}: {name(role)} may not {action}. Allow it on {started}"
    if action == "ecs:RunTask":
        yield from _passed(graph, target, role, started)


def _passed(graph: Graph, target: Resource, role: Resource, task_arn: str) -> Iterator[str]:
    task = graph.first(TASK, "arn", task_arn)
    if task is None:
        yield f"{name(target)}: its task {task_arn} is not declared. Use the `arn` of a task definition"
        return
    for key in ("taskRoleArn", "executionRoleArn"):
        passed = task.outputs.get(key)
        if passed and not graph.role_may(role, "iam:PassRole", passed):
            yield (
                f"{name(target)}: {name(role)} may not pass on the {key} of {name(task)}, so no task would start. "
                f"Allow iam:PassRole on {passed}"
            )


def _kept(graph: Graph, target: Resource, caller: Caller) -> Iterator[str]:
    """A rule that may not write to its dead-letter queue loses the event without a word."""
    queue = (target.outputs.get("deadLetterConfig") or {}).get("arn")
    if queue:
        where = f"{name(target)}: the policy of its dead-letter queue {queue}"
        yield from unmet(queue_policy(graph, queue), caller, ("sqs:SendMessage",), queue, where=where)
