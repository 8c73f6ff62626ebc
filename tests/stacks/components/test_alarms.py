from typing import Any

import pulumi
import pytest

from quintet.sandbox.engine.recording import Recording
from stacks.components.alarm_topic import AlarmTopic, AlarmTopicArgs
from stacks.components.alarms import Alarm, watch
from stacks.components.arguments import ArgumentsError
from tests.stacks.declaring import ACCOUNT, Declare, a_topic, statements

PUBLISHERS = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]
SLOW = {
    "description": "too slow; read the log",
    "namespace": "AWS/Lambda",
    "metric": "Duration",
    "dimensions": {"FunctionName": "echo"},
    "statistic": "p99",
    "threshold": 500,
}


def topic(declare: Declare, **arguments: Any) -> Recording:
    return declare(lambda: AlarmTopic("alarms", AlarmTopicArgs(**({"account": ACCOUNT} | arguments))))


def alarm(declare: Declare, **changes: Any) -> dict[str, Any]:
    def program() -> None:
        watch("echo-slow", Alarm(**(SLOW | changes)), a_topic(), pulumi.ResourceOptions())

    return declare(program).one("aws:cloudwatch/metricAlarm:MetricAlarm").inputs


def test_a_topic_has_a_key_that_its_publishers_may_use(declare: Declare) -> None:
    recording = topic(declare)

    key = recording.one("aws:kms/key:Key")
    owner, publishers, rules = statements(key)
    assert recording.one("aws:sns/topic:Topic").inputs["kmsMasterKeyId"] == key.outputs["arn"]
    assert key.inputs["enableKeyRotation"] is True
    assert owner["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert publishers["Principal"] == {"Service": PUBLISHERS}
    assert publishers["Action"] == rules["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert publishers["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_only_services_of_the_account_may_publish(declare: Declare) -> None:
    recording = topic(declare)

    publish, _ = statements(recording.one("aws:sns/topicPolicy:TopicPolicy"))
    assert publish["Principal"] == {"Service": PUBLISHERS}
    assert publish["Action"] == "sns:Publish"
    assert publish["Resource"] == recording.one("aws:sns/topic:Topic").outputs["arn"]
    assert publish["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_event_rules_may_publish_without_a_condition_that_they_cannot_meet(declare: Declare) -> None:
    recording = topic(declare)

    *_, encrypt = statements(recording.one("aws:kms/key:Key"))
    *_, publish = statements(recording.one("aws:sns/topicPolicy:TopicPolicy"))
    assert encrypt["Principal"] == publish["Principal"] == {"Service": "events.amazonaws.com"}
    assert "Condition" not in encrypt
    assert "Condition" not in publish


def test_each_address_gets_mails(declare: Declare) -> None:
    recording = topic(declare, emails=("a@example.com", "b@example.com"))

    subscriptions = recording.of("aws:sns/topicSubscription:TopicSubscription")
    assert [item.inputs["endpoint"] for item in subscriptions] == ["a@example.com", "b@example.com"]
    assert {item.inputs["protocol"] for item in subscriptions} == {"email"}


def test_nobody_gets_mails_by_default(declare: Declare) -> None:
    assert topic(declare).of("aws:sns/topicSubscription:TopicSubscription") == []


def test_a_deleted_key_can_be_brought_back(declare: Declare) -> None:
    assert topic(declare, key_deletion_days=7).one("aws:kms/key:Key").inputs["deletionWindowInDays"] == 7


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"account": "me"}, "account is 'me'; allowed is an account id of 12 digits"),
        ({"emails": ("nobody",)}, "emails is 'nobody'"),
        ({"emails": ("a@example.com", "a@example.com")}, "emails names an address twice"),
        ({"key_deletion_days": 5}, "key_deletion_days is 5; allowed are 7 to 30"),
    ],
)
def test_a_topic_refuses_what_makes_no_sense(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArgumentsError, match=complaint):
        AlarmTopicArgs(**({"account": ACCOUNT} | arguments))


def test_an_alarm_looks_at_m_of_n_periods_and_says_what_silence_means(declare: Declare) -> None:
    inputs = alarm(declare)

    assert (inputs["datapointsToAlarm"], inputs["evaluationPeriods"], inputs["period"]) == (3, 5, 60)
    assert inputs["treatMissingData"] == "notBreaching"
    assert inputs["comparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert inputs["threshold"] == 500
    assert inputs["alarmDescription"] == "too slow; read the log"
    assert (inputs["namespace"], inputs["metricName"]) == ("AWS/Lambda", "Duration")
    assert inputs["dimensions"] == {"FunctionName": "echo"}


def test_a_percentile_needs_enough_samples(declare: Declare) -> None:
    inputs = alarm(declare)

    assert inputs["extendedStatistic"] == "p99"
    assert inputs["evaluateLowSampleCountPercentiles"] == "ignore"
    assert "statistic" not in inputs


def test_a_sum_is_no_percentile(declare: Declare) -> None:
    inputs = alarm(declare, statistic="Sum")

    assert inputs["statistic"] == "Sum"
    assert not {"extendedStatistic", "evaluateLowSampleCountPercentiles"} & inputs.keys()


def test_the_topic_hears_of_the_beginning_and_of_the_end(declare: Declare) -> None:
    inputs = alarm(declare)

    assert inputs["alarmActions"] == inputs["okActions"]
    assert inputs["alarmActions"][0].startswith("arn:aws:sns:")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"description": ""}, "description is empty"),
        ({"statistic": "mean"}, "statistic is 'mean'"),
        ({"datapoints": 6}, "datapoints is 6; allowed are 1 to 5"),
        ({"datapoints": 0}, "datapoints is 0"),
        ({"period_seconds": 45}, "period_seconds is 45"),
        ({"period_seconds": 0}, "period_seconds is 0"),
        ({"period_seconds": 86_400}, "longer than a day"),
        ({"missing": "maybe"}, "missing is 'maybe'; allowed are 'breaching'"),
    ],
)
def test_an_alarm_that_cloudwatch_would_refuse_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArgumentsError, match=complaint):
        Alarm(**(SLOW | changes))
