"""Where the lines of a function go, and what Lambda adds to them."""

import json
import re
import time

import pytest
from botocore.exceptions import ClientError

from quintet.sandbox.functions import cloudwatch
from quintet.sandbox.functions.metrics import EmbeddedMetrics, MalformedMetricsError, embedded_metrics

CHATTY = """
    import logging, sys
    print("while it starts")
    def handler(event, context):
        print("to stdout")
        print("to stderr", file=sys.stderr)
        logging.getLogger().warning("by logging")
        return 1
"""


def metrics_line(**changes):
    line = {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": "Quintet",
                    "Dimensions": [["service", "environment"]],
                    "Metrics": [{"Name": "Latency", "Unit": "Milliseconds"}, {"Name": "Flagged", "Unit": "Count"}],
                }
            ],
        },
        "service": "moderation",
        "environment": "dev",
        "Latency": [1.5, 2],
        "Flagged": 1,
    }
    return line | changes


async def test_lines_are_in_order_between_start_and_report(sandbox, eventually):
    arn = sandbox.deploy(CHATTY)

    await sandbox.invoke(arn, X_Amzn_Lambda_Request_Id="r-1")
    await eventually(lambda: any(line.startswith("REPORT") for line in sandbox.log()))

    start, *lines, end, report = sandbox.log()[1:]
    assert sandbox.log()[0] == "while it starts"
    assert (start, end) == ("START RequestId: r-1 Version: 1", "END RequestId: r-1")
    assert lines[:2] == ["to stdout", "to stderr"]
    assert re.fullmatch(r"\[WARNING\]\t\S+Z\tr-1\tby logging", lines[2])
    assert re.fullmatch(
        r"REPORT RequestId: r-1\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 512 MB\t"
        r"Max Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t",
        report,
    )


async def test_every_line_is_told_to_who_listens(sandbox, logs, eventually, monkeypatch):
    told = []
    monkeypatch.setattr(sandbox.functions, "_on_log", lambda *line: told.append(line))
    logs.denied = True

    await sandbox.invoke(sandbox.deploy(CHATTY))
    await eventually(lambda: any(instance == "sandbox" for _, instance, _ in told))

    assert {function for function, _, _ in told} == {"echo"}
    assert "to stdout" in [line for _, _, line in told]


async def test_a_warm_call_reports_no_init(sandbox, eventually):
    arn = sandbox.deploy(CHATTY)
    await sandbox.invoke(arn)

    await sandbox.invoke(arn)
    await eventually(lambda: len([line for line in sandbox.log() if line.startswith("REPORT")]) == 2)

    assert "Init Duration" not in sandbox.log()[-1]


async def test_each_line_has_its_time_and_instance_and_the_file_is_its_owners(sandbox, tmp_path, eventually):
    await sandbox.invoke(sandbox.deploy(CHATTY))
    path = tmp_path / "logs" / "echo.log"
    await eventually(lambda: "REPORT" in path.read_text())

    (instance,) = sandbox.functions.snapshot()

    assert path.stat().st_mode & 0o777 == 0o600
    for line in path.read_text().splitlines():
        assert re.match(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z {instance.id} ", line)


async def test_a_crash_a_timeout_and_a_failed_start_are_reported(sandbox, eventually):
    crash = sandbox.deploy("import os\ndef handler(event, context): os._exit(1)", name="crash")
    slow = sandbox.deploy("import time\ndef handler(event, context): time.sleep(9)", name="slow", timeout_seconds=1)
    broken = sandbox.deploy("import not_copied", name="broken")

    for arn in (crash, slow, broken):
        await sandbox.invoke(arn, X_Amzn_Lambda_Request_Id="r-1")

    def ends(name):
        return [line for line in sandbox.log(name) if line.startswith("REPORT")]

    await eventually(lambda: all(map(ends, ("crash", "slow", "broken"))))
    assert ends("crash")[0].endswith("\tStatus: error\tError Type: Runtime.ExitError\t")
    assert sandbox.log("crash")[-2:] == [
        "RequestId: r-1 Error: Runtime exited with error: exit status 1",
        "Runtime.ExitError",
    ]
    assert ends("slow")[0].endswith("\tStatus: timeout\t")
    assert any(re.fullmatch(r"\S+Z r-1 Task timed out after 1.00 seconds", line) for line in sandbox.log("slow"))
    phases = [line.split("\t", 1)[1] for line in sandbox.log("broken") if line.startswith("INIT_REPORT")]
    assert phases == [
        f"Phase: {phase}\tStatus: error\tError Type: Runtime.ImportModuleError" for phase in ("init", "invoke")
    ]


async def test_lines_reach_the_log_group_with_the_rights_of_the_role(sandbox, logs, eventually):
    await sandbox.invoke(sandbox.deploy(CHATTY))

    await eventually(lambda: any(line.startswith("REPORT") for line in logs.messages))

    assert {"while it starts", "to stdout", "to stderr"} <= set(logs.messages)
    assert logs.groups == {"/aws/lambda/echo"}
    (stream,) = logs.streams
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[1\][0-9a-f]{32}", stream)
    assert {key for _, key in logs.calls} == {"ASIA0001"}


async def test_a_role_without_rights_to_logs_loses_lines_and_is_told_so_once(sandbox, logs, eventually):
    logs.denied = True
    arn = sandbox.deploy(CHATTY)

    reply = await sandbox.invoke(arn)
    await eventually(lambda: sandbox.functions.lost_log_lines)
    await sandbox.invoke(arn)
    await eventually(lambda: len([call for call in logs.calls if call[0] == "CreateLogStream"]) > 1)

    told = [line for line in sandbox.log() if "do not reach the log group" in line]
    assert reply.body == 1
    assert len(told) == 1
    assert "/aws/lambda/echo" in told[0]
    assert "logs:CreateLogStream" in told[0]


async def test_no_secret_of_the_role_is_in_any_file(sandbox, tmp_path, eventually):
    await sandbox.invoke(sandbox.deploy(CHATTY))
    await eventually(lambda: any(line.startswith("REPORT") for line in sandbox.log()))

    texts = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and not p.is_symlink()]

    assert not [text for text in texts if b"secret-of-the-role" in text or b"token-of-the-role" in text]


async def test_a_very_long_line_is_cut_and_a_last_line_without_end_is_kept(sandbox, logs, eventually):
    arn = sandbox.deploy("""
        import os
        def handler(event, context):
            os.write(1, b"x" * 600_000)
            os._exit(1)
    """)

    await sandbox.invoke(arn)
    await eventually(lambda: any(line.startswith("REPORT") for line in logs.messages))

    pieces = [line for line in logs.messages if line.startswith("x")]
    assert sum(map(len, pieces)) == 600_000
    assert max(map(len, pieces)) < 256 * 1024


async def test_metrics_in_the_log_are_put_and_malformed_ones_are_counted(sandbox, eventually):
    arn = sandbox.deploy("""
        import json
        def handler(event, context):
            for line in event:
                print(json.dumps(line))
    """)

    await sandbox.invoke(arn, [metrics_line(), metrics_line(environment=7), {"plain": 1}])
    await eventually(lambda: sandbox.metrics.data)

    (first, latency), (_, flagged) = sandbox.metrics.data
    assert first == "Quintet"
    assert (latency["MetricName"], latency["Unit"], latency["Values"]) == ("Latency", "Milliseconds", [1.5, 2])
    assert (flagged["MetricName"], flagged["Value"]) == ("Flagged", 1)
    assert latency["Dimensions"] == [
        {"Name": "service", "Value": "moderation"},
        {"Name": "environment", "Value": "dev"},
    ]
    assert sandbox.functions.malformed_metrics == 1


async def test_metrics_that_cannot_be_put_are_told_once_and_lose_no_line(sandbox, logs, eventually, monkeypatch):
    def refuse(**_):
        raise ClientError({"Error": {"Code": "InternalFailure", "Message": "no"}}, "PutMetricData")

    monkeypatch.setattr(sandbox.metrics, "put_metric_data", refuse)
    arn = sandbox.deploy("import json\ndef handler(event, context): print(json.dumps(event))")

    await sandbox.invoke(arn, metrics_line())
    await eventually(lambda: any("metrics in the log do not reach CloudWatch" in line for line in sandbox.log()))

    assert any("Latency" in message for message in logs.messages)
    assert sandbox.functions.lost_log_lines == {}


def test_what_waits_is_bounded_and_what_is_dropped_is_counted(monkeypatch):
    monkeypatch.setattr(cloudwatch, "_WAITING_EVENTS", 2)
    writer = cloudwatch.LogGroupWriter(
        "group", region="eu-central-1", endpoint_url="", metrics=EmbeddedMetrics(None), on_loss=print
    )

    for number in range(5):
        writer.add(cloudwatch.LogEvent("stream", number, "line"))

    assert writer.lost == 3


async def test_many_lines_reach_the_log_group_in_order(sandbox, logs, eventually):
    arn = sandbox.deploy("def handler(event, context): [print(n, 'x' * 200) for n in range(12_000)]")

    await sandbox.invoke(arn)
    await eventually(lambda: any(line.startswith("REPORT") for line in logs.messages))

    numbers = [int(line.split()[0]) for line in logs.messages if "xxx" in line]
    assert numbers == list(range(12_000))
    assert len([call for call in logs.calls if call[0] == "PutLogEvents"]) > 2


async def test_lines_that_do_not_reach_the_log_group_are_no_metrics(sandbox, logs, eventually):
    logs.denied = True
    arn = sandbox.deploy("import json\ndef handler(event, context): print(json.dumps(event))")

    await sandbox.invoke(arn, metrics_line())
    await eventually(lambda: sandbox.functions.lost_log_lines)

    assert sandbox.metrics.data == []


@pytest.mark.parametrize(
    "line",
    [
        json.dumps(metrics_line(Latency="fast")),
        json.dumps(metrics_line(_aws={"Timestamp": "now", "CloudWatchMetrics": []})),
        json.dumps(metrics_line(_aws={"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": ""}]})),
        json.dumps({name: value for name, value in metrics_line().items() if name != "Flagged"}),
        json.dumps(metrics_line())[:-10],
    ],
    ids=["value", "timestamp", "namespace", "metric", "cut off"],
)
def test_a_line_that_breaks_the_metric_format_is_malformed(line):
    with pytest.raises(MalformedMetricsError):
        embedded_metrics(line)


@pytest.mark.parametrize(
    "line",
    ["", "plain", '{"_aws": {}}', "[INFO] " + json.dumps(metrics_line())],
    ids=["nothing", "plain", "no directive", "a prefix"],
)
def test_a_line_that_is_not_about_metrics_has_none(line):
    assert embedded_metrics(line) == {}


def test_without_dimensions_a_metric_has_none():
    directive = {"Namespace": "Q", "Metrics": [{"Name": "Flagged"}]}

    data = embedded_metrics(json.dumps(metrics_line(_aws={"Timestamp": 1, "CloudWatchMetrics": [directive]})))

    assert [(datum["Dimensions"], datum["Unit"], datum["Value"]) for datum in data["Q"]] == [([], "None", 1)]


def test_many_metrics_are_put_in_several_requests():
    sizes = []

    class Counting:
        def put_metric_data(self, *, Namespace, MetricData):  # noqa: N803  boto3's names
            sizes.append(len(MetricData))

    EmbeddedMetrics(Counting()).put([json.dumps(metrics_line())] * 300)

    assert sizes == [500, 100]
