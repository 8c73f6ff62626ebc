"""Alarms and dashboards."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, is_unknown, kind
from quintet.sandbox.kinds.calls import ONE_REGION, RefusedError, chosen, document, only, pascal, removed_tags, tag_list


class Alarm(Kind):
    """What the two types of alarms share."""

    ignored: ClassVar[Mapping[str, str]] = ONE_REGION
    kept_as: ClassVar[str]

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Put it; its name is its id."""
        name = inputs[self.name_input or ""]
        self.put(inputs, Tags=tag_list(inputs.get("tags")))
        arn = f"arn:aws:cloudwatch:{self.world.region}:{self.world.account}:alarm:{name}"
        return name, {"arn": arn, "tagsAll": inputs.get("tags") or {}}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Put it anew; its tags are changed apart, as AWS takes them at creation only."""
        self.put(inputs)
        if gone := removed_tags(old, inputs):
            self._cloudwatch.untag_resource(ResourceARN=old["arn"], TagKeys=gone)
        if tags := inputs.get("tags"):
            self._cloudwatch.tag_resource(ResourceARN=old["arn"], Tags=tag_list(tags))
        return {"tagsAll": inputs.get("tags") or {}}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it."""
        self._cloudwatch.delete_alarms(AlarmNames=[id_])

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        types = [self.kept_as.removesuffix("s")]
        found = self._cloudwatch.describe_alarms(AlarmNames=[id_], AlarmTypes=types)[self.kept_as]
        return outputs if found else None

    def put(self, inputs: Properties, **more: Any) -> None:  # noqa: ANN401  arguments of a call
        """Put the alarm of these inputs."""
        raise NotImplementedError

    @property
    def _cloudwatch(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("cloudwatch")


@kind
class MetricAlarm(Alarm):
    """Watches a metric, or an expression over several."""

    token = "aws:cloudwatch/metricAlarm:MetricAlarm"
    name_input = "name"
    name_limit = 255
    kept_as = "MetricAlarms"
    consumed = frozenset(
        {"actionsEnabled", "alarmActions", "alarmDescription", "comparisonOperator", "datapointsToAlarm", "dimensions",
         "evaluateLowSampleCountPercentiles", "evaluationPeriods", "extendedStatistic", "insufficientDataActions",
         "metricName", "metricQueries", "namespace", "okActions", "period", "statistic", "tags", "threshold",
         "thresholdMetricId", "treatMissingData", "unit"}
    )  # fmt: skip

    def check(self, inputs: Properties) -> Properties:
        """One metric with its period and statistic, or queries; not both and not neither."""
        if bool(inputs.get("metricName")) == bool(inputs.get("metricQueries")):
            raise RefusedError("an alarm watches either `metricName` or `metricQueries`")
        statistics = [name for name in ("statistic", "extendedStatistic") if inputs.get(name)]
        if inputs.get("metricName") and len(statistics) != 1:
            raise RefusedError("an alarm on `metricName` needs one of `statistic` and `extendedStatistic`")
        return inputs

    def put(self, inputs: Properties, **more: Any) -> None:  # noqa: ANN401  arguments of a call
        """Put it."""
        names = {"okActions": "OKActions", "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile"}
        simple = sorted(self.consumed - {"dimensions", "metricQueries", "tags"})
        arguments = chosen(inputs, *simple, renamed=names)
        if "Threshold" in arguments:
            arguments["Threshold"] = float(arguments["Threshold"])
        if inputs.get("metricQueries"):
            arguments["Metrics"] = [_query(query) for query in inputs["metricQueries"]]
        else:
            arguments["Dimensions"] = tag_list(inputs.get("dimensions"), key="Name")
        self._cloudwatch.put_metric_alarm(AlarmName=inputs["name"], **arguments, **more)


def _query(query: Properties) -> dict[str, Any]:
    made: dict[str, Any] = pascal({key: value for key, value in query.items() if key != "metric"})
    if metric := query.get("metric"):
        only(metric, ("dimensions", "metricName", "namespace", "period", "stat", "unit"), "`metric` of a query")
        dimensions = tag_list(metric.get("dimensions"), key="Name")
        of = {"Namespace": metric.get("namespace"), "MetricName": metric["metricName"], "Dimensions": dimensions}
        unit = {"Unit": metric["unit"]} if metric.get("unit") else {}
        made["MetricStat"] = {"Metric": of, "Period": metric["period"], "Stat": metric["stat"], **unit}
    return made


@kind
class CompositeAlarm(Alarm):
    """An alarm over alarms."""

    token = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
    name_input = "alarmName"
    name_limit = 255
    kept_as = "CompositeAlarms"
    consumed = frozenset(
        {"actionsEnabled", "actionsSuppressor", "alarmActions", "alarmDescription", "alarmRule",
         "insufficientDataActions", "okActions", "tags"}
    )  # fmt: skip

    def put(self, inputs: Properties, **more: Any) -> None:  # noqa: ANN401  arguments of a call
        """Put it."""
        simple = sorted(self.consumed - {"tags", "actionsSuppressor"})
        arguments = chosen(inputs, *simple, renamed={"okActions": "OKActions"})
        if suppressor := inputs.get("actionsSuppressor"):
            arguments["ActionsSuppressor"] = suppressor["alarm"]
            arguments["ActionsSuppressorExtensionPeriod"] = suppressor["extensionPeriod"]
            arguments["ActionsSuppressorWaitPeriod"] = suppressor["waitPeriod"]
        self._cloudwatch.put_composite_alarm(AlarmName=inputs["alarmName"], **arguments, **more)


@kind
class Dashboard(Kind):
    """A dashboard; the emulator keeps it and draws nothing."""

    token = "aws:cloudwatch/dashboard:Dashboard"
    name_input = "dashboardName"
    name_limit = 255
    consumed = frozenset({"dashboardBody"})
    ignored: ClassVar[Mapping[str, str]] = ONE_REGION

    def check(self, inputs: Properties) -> Properties:
        """Refuse a body that is not JSON, or has a widget without a type."""
        body = inputs.get("dashboardBody")
        if body is not None and not is_unknown(body):
            widgets = json.loads(document(body, "`dashboardBody`")).get("widgets", [])
            if any("type" not in widget or "properties" not in widget for widget in widgets):
                raise RefusedError("`dashboardBody`: every widget needs `type` and `properties`")
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Put it; its name is its id."""
        self.update("", {}, inputs)
        name = inputs["dashboardName"]
        return name, {"dashboardArn": f"arn:aws:cloudwatch::{self.world.account}:dashboard/{name}"}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Put it anew."""
        body = document(inputs["dashboardBody"], "`dashboardBody`")
        self.world.client("cloudwatch").put_dashboard(DashboardName=inputs["dashboardName"], DashboardBody=body)
        return {}

    def delete(self, id_: str, outputs: Properties) -> None:
        """Delete it."""
        if self.read(id_, outputs) is not None:
            self.world.client("cloudwatch").delete_dashboards(DashboardNames=[id_])

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        entries = self.world.client("cloudwatch").list_dashboards(DashboardNamePrefix=id_).get("DashboardEntries", [])
        return outputs if any(entry["DashboardName"] == id_ for entry in entries) else None
