"""Alarms: M of N periods, what missing data means, percentiles rather than averages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from stacks.components.alarm_topic import AlarmTopic
from stacks.components.arguments import matching, one_of, refuse, within

Missing = Literal["breaching", "notBreaching", "ignore", "missing"]
_PLAIN_STATISTICS = ("Sum", "Average", "Minimum", "Maximum", "SampleCount")
_DAY_SECONDS = 86_400


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """When somebody is to be told.

    Attributes:
        description: What it means and where to look; the mail carries it.
        namespace: Of the metric, as `AWS/Lambda`.
        metric: The metric's name.
        dimensions: Which of the metric's series.
        statistic: `Sum`, `Average` ... or a percentile such as `p99`.
        threshold: Reached or passed is alarming, in the metric's unit.
        datapoints: How many of the last `periods` must be at the threshold.
        periods: How many periods are looked at.
        period_seconds: The length of one; 10, 30 or a multiple of 60.
        missing: What a period without data counts as. No requests are no failure, hence the default.
    """

    description: str
    namespace: str
    metric: str
    dimensions: Mapping[str, pulumi.Input[str]]
    statistic: str
    threshold: float
    datapoints: int = 3
    periods: int = 5
    period_seconds: int = 60
    missing: Missing = "notBreaching"

    def __post_init__(self) -> None:
        refuse(
            "Alarm",
            [] if self.description else ["description is empty; say what it means and where to look"],
            matching(
                "statistic", self.statistic, rf"{'|'.join(_PLAIN_STATISTICS)}|p\d{{1,2}}(\.\d+)?|p100", "Sum, p99"
            ),
            within("datapoints", self.datapoints, 1, self.periods, "(periods)"),
            []
            if self._period_is_allowed()
            else [f"period_seconds is {self.period_seconds}; allowed are 10, 30, 60 ..."],
            [f"{self.periods} periods are longer than a day"] if self._span() > _DAY_SECONDS else [],
            one_of("missing", self.missing, ("breaching", "notBreaching", "ignore", "missing")),
        )

    def _period_is_allowed(self) -> bool:
        return self.period_seconds in {10, 30} or (self.period_seconds > 0 and self.period_seconds % 60 == 0)

    def _span(self) -> int:
        return self.period_seconds * self.periods


def watch(name: str, alarm: Alarm, topic: AlarmTopic, opts: pulumi.ResourceOptions) -> aws.cloudwatch.MetricAlarm:
    """Declare an alarm that tells the topic when it begins and when it is over."""
    plain = alarm.statistic in _PLAIN_STATISTICS
    return aws.cloudwatch.MetricAlarm(
        name,
        alarm_description=alarm.description,
        namespace=alarm.namespace,
        metric_name=alarm.metric,
        dimensions=alarm.dimensions,
        statistic=alarm.statistic if plain else None,
        extended_statistic=None if plain else alarm.statistic,
        # Two or three slow requests at night are no percentile.
        evaluate_low_sample_count_percentiles=None if plain else "ignore",
        threshold=alarm.threshold,
        comparison_operator="GreaterThanOrEqualToThreshold",
        period=alarm.period_seconds,
        evaluation_periods=alarm.periods,
        datapoints_to_alarm=alarm.datapoints,
        treat_missing_data=alarm.missing,
        alarm_actions=[topic.arn],
        ok_actions=[topic.arn],
        opts=opts,
    )
