"""Logs that are kept for a known time, and alarms that reach somebody."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stacks.policy.declared import UNKNOWN, Declared, Finding, Rule, Stack, listed

_LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
_ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
_CLUSTER = "aws:eks/cluster:Cluster"
_FUNCTION = "aws:lambda/function:Function"
_STAGE = "aws:apigatewayv2/stage:Stage"


def _logs(resource: Declared, stack: Stack) -> Iterator[Finding]:
    if resource.type == _LOG_GROUP and not resource.props.get("retentionInDays"):
        yield Finding("keeps logs for ever", "Set `retentionInDays` to a period of CloudWatch, as 30")
    if resource.type == _CLUSTER:
        yield from _of_the_control_plane(resource)
    if resource.type == _FUNCTION:
        yield from _to_a_group(resource, stack, "loggingConfig", resource.get("loggingConfig.logGroup"))
    if resource.type == _STAGE:
        yield from _to_a_group(resource, stack, "accessLogSettings", resource.get("accessLogSettings.destinationArn"))


def _of_the_control_plane(cluster: Declared) -> Iterator[Finding]:
    logged = listed(cluster.props.get("enabledClusterLogTypes"))
    missing = [kind for kind in ("audit", "authenticator") if kind not in logged]
    if missing and cluster.props.get("enabledClusterLogTypes") is not UNKNOWN:
        found = f"does not log who did what ({', '.join(missing)})"
        yield Finding(found, "Name them in `enabledClusterLogTypes`, and declare the group /aws/eks/NAME/cluster first")


def _to_a_group(resource: Declared, stack: Stack, key: str, target: object) -> Iterator[Finding]:
    groups = list(stack.of(_LOG_GROUP))
    known = {name for group in groups for name in (group.props.get("name"), group.props.get("arn"))}
    if target is UNKNOWN or target in known - {None}:
        return
    if not any(group.urn in resource.sources.get(key, ()) for group in groups):
        found = f"logs to {target or 'a group that AWS makes, and never empties'}"
        yield Finding(found, f"Declare a log group with `retentionInDays` and name it in `{key}`")


@dataclass(frozen=True)
class _Watched:
    """What is to be watched of a type.

    Attributes:
        namespace: Of the metrics.
        dimension: Which tells one resource's series.
        name: The property that the dimension holds.
        metrics: Each needs an alarm.
    """

    namespace: str
    dimension: str
    name: str
    metrics: tuple[str, ...]


_WATCHED: Mapping[str, _Watched] = {
    _FUNCTION: _Watched("AWS/Lambda", "FunctionName", "name", ("Errors", "Throttles", "Duration")),
    "aws:apigatewayv2/api:Api": _Watched("AWS/ApiGateway", "ApiId", "id", ("5xx", "Latency")),
    "aws:sfn/stateMachine:StateMachine": _Watched("AWS/States", "StateMachineArn", "arn", ("ExecutionsFailed",)),
}


def _alarms(resource: Declared, stack: Stack) -> Iterator[Finding]:
    if resource.type == _ALARM:
        yield from _deaf(resource)
    watched = _WATCHED.get(resource.type)
    if watched is None:
        return
    about = [alarm for alarm in stack.of(_ALARM) if _is_about(alarm, resource, watched)]
    missing = [metric for metric in watched.metrics if metric not in {alarm.props.get("metricName") for alarm in about}]
    if missing:
        found = f"has no alarm on {', '.join(missing)} of {watched.namespace}"
        yield Finding(found, f"Declare one with the dimension {watched.dimension} (stacks/components/alarms.py)")


def _is_about(alarm: Declared, resource: Declared, watched: _Watched) -> bool:
    name = resource.props.get(watched.name)
    same = name not in {None, UNKNOWN} and alarm.get(f"dimensions.{watched.dimension}") == name
    from_it = resource.urn in alarm.sources.get("dimensions", ())
    return alarm.props.get("namespace") == watched.namespace and (same or from_it)


def _deaf(alarm: Declared) -> Iterator[Finding]:
    if alarm.props.get("actionsEnabled") is False or not alarm.props.get("alarmActions"):
        yield Finding("tells nobody", "Set `alarmActions` to the alarm topic and leave `actionsEnabled` out")
    if not alarm.props.get("treatMissingData"):
        yield Finding("does not say what silence means", "Set `treatMissingData`: notBreaching where no calls are fine")


LOGS = Rule(
    name="logs-expire",
    why="Logs cost by the month and may hold what people ask to be forgotten.",
    check=_logs,
    whole=True,
)
ALARMS = Rule(
    name="alarms-reach-somebody",
    why="Every function and every API tells somebody when it fails, throttles or gets slow.",
    check=_alarms,
    whole=True,
)
