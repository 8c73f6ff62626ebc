"""Rules of operation: each finds its mistake, says how to mend it, and leaves alone what only looks like it."""

from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from tests.stacks.declaring import Declare
from tests.stacks.policy.judging import function, matching, verdicts

Program = Callable[[], object]


def function_with_logs() -> None:
    group = aws.cloudwatch.LogGroup("g", retention_in_days=30)
    function(logging_config={"log_format": "JSON", "log_group": group.name})


def stage_with_logs() -> None:
    group = aws.cloudwatch.LogGroup("g", retention_in_days=30)
    aws.apigatewayv2.Stage("s", api_id="a", access_log_settings={"destination_arn": group.arn, "format": "x"})


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (lambda: aws.cloudwatch.LogGroup("g"), "LogGroup g: keeps logs for ever. Set `retentionInDays`"),
        (lambda: aws.cloudwatch.LogGroup("g", retention_in_days=0), "keeps logs for ever"),
        (function, "Function f: logs to a group that AWS makes, and never empties. Declare a log group"),
        (lambda: function(logging_config={"log_format": "JSON", "log_group": "/other"}), "logs to /other. Declare"),
        (lambda: aws.apigatewayv2.Stage("s", api_id="a"), "Stage s: logs to .* name it in `accessLogSettings`"),
    ],
)
def test_logs_that_stay_are_found(declare: Declare, program: Program, message: str) -> None:
    assert matching(verdicts(declare(program), "logs-expire"), message)


@pytest.mark.parametrize("program", [function_with_logs, stage_with_logs])
@pytest.mark.parametrize("preview", [False, True])
def test_logs_that_go_are_fine(declare: Declare, program: Program, preview: bool) -> None:
    assert verdicts(declare(program, preview=preview), "logs-expire") == []


def alarm(metric: str, **changes: Any) -> None:
    given = {
        "metric_name": metric, "namespace": "AWS/Lambda", "evaluation_periods": 1, "threshold": 1, "statistic": "Sum",
        "comparison_operator": "GreaterThanThreshold", "alarm_actions": ["topic"], "treat_missing_data": "ignore",
    }  # fmt: skip
    aws.cloudwatch.MetricAlarm(f"of-{metric}", **(given | changes))


def watched(*metrics: str, **changes: Any) -> Program:
    def program() -> None:
        made = function()
        for metric in metrics:
            alarm(metric, **({"dimensions": {"FunctionName": made.name}} | changes))

    return program


def api(*metrics: str) -> Program:
    def program() -> None:
        made = aws.apigatewayv2.Api("api", protocol_type="HTTP")
        for metric in metrics:
            alarm(metric, namespace="AWS/ApiGateway", dimensions={"ApiId": made.id})

    return program


ALL = ("Errors", "Throttles", "Duration")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (function, "Function f: has no alarm on Errors, Throttles, Duration of AWS/Lambda. Declare one"),
        (watched("Errors", "Duration"), "has no alarm on Throttles of AWS/Lambda"),
        (watched(*ALL, dimensions={"FunctionName": "another"}), "has no alarm on Errors, Throttles, Duration"),
        (watched(*ALL, namespace="Quintet"), "has no alarm on Errors, Throttles, Duration"),
        (api("5xx"), "Api api: has no alarm on Latency of AWS/ApiGateway. Declare one with the dimension ApiId"),
        (lambda: alarm("Errors", alarm_actions=[]), "of-Errors: tells nobody. Set `alarmActions`"),
        (lambda: alarm("Errors", actions_enabled=False), "of-Errors: tells nobody"),
        (lambda: alarm("Errors", treat_missing_data=None), "does not say what silence means. Set `treatMissingData`"),
    ],
)
def test_a_silent_failure_is_found(declare: Declare, program: Program, message: str) -> None:
    assert matching(verdicts(declare(program), "alarms-reach-somebody"), message)


@pytest.mark.parametrize("program", [watched(*ALL), api("5xx", "Latency")])
@pytest.mark.parametrize("preview", [False, True])
def test_what_is_watched_is_fine(declare: Declare, program: Program, preview: bool) -> None:
    assert verdicts(declare(program, preview=preview), "alarms-reach-somebody") == []


def table(*, protect: bool = True, **changes: Any) -> Program:
    given: Any = {
        "hash_key": "id", "attributes": [{"name": "id", "type": "S"}], "billing_mode": "PAY_PER_REQUEST",
        "point_in_time_recovery": {"enabled": True}, "deletion_protection_enabled": True,
    } | changes  # fmt: skip
    return lambda: aws.dynamodb.Table("t", **given, opts=pulumi.ResourceOptions(protect=protect))


LOSSES: list[tuple[Program, str]] = [
    (table(point_in_time_recovery=None), "Table t: cannot be restored to a point in time. Set `pointInTimeRecovery`"),
    (table(point_in_time_recovery={"enabled": False}), "cannot be restored"),
    (table(deletion_protection_enabled=False), "can be deleted: `deletionProtectionEnabled` is not true. Set"),
    (table(protect=False), "can be deleted by a change of the program. Give it the option protect=True"),
    (
        lambda: aws.s3.Bucket("b", force_destroy=True, opts=pulumi.ResourceOptions(protect=True)),
        "Bucket b: is deleted with all it holds: `forceDestroy`. Leave",
    ),
    (lambda: aws.ecr.Repository("r", force_delete=True), "Repository r: is deleted with all it holds: `forceDelete`"),
    (lambda: aws.kms.Key("k", deletion_window_in_days=7), "can be brought back for 7 days only after a deletion"),
    (lambda: aws.cognito.UserPool("u"), "UserPool u: can be deleted with its users. Set `deletionProtection`"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "message"), LOSSES)
@pytest.mark.parametrize("stack", ["prod", "prod-eu", "production", "live"])
def test_data_that_production_can_lose_is_found(declare: Declare, program: Program, message: str, stack: str) -> None:
    assert matching(verdicts(declare(program, stack=stack), "data-outlives-mistakes"), message)


@pytest.mark.parametrize("program", [program for program, _ in LOSSES])
@pytest.mark.parametrize("stack", ["dev", "product-demo"])
def test_elsewhere_data_may_be_lost(declare: Declare, program: Program, stack: str) -> None:
    assert verdicts(declare(program, stack=stack), "data-outlives-mistakes") == []


def test_what_is_protected_in_production_is_fine(declare: Declare) -> None:
    assert verdicts(declare(table(), stack="prod"), "data-outlives-mistakes") == []
