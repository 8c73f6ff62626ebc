"""Where alarms go: an SNS topic under a key of its own, and the people who read it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from stacks.components.arguments import checked_name, matching, refuse, within

_MAIL = r"[^@\s]+@[^@\s]+\.[^@\s]+"

# Who may announce something. The key `alias/aws/sns` admits none of them, and alarms are then dropped in silence.
_PUBLISHERS = ("cloudwatch.amazonaws.com", "budgets.amazonaws.com")
# EventBridge tells neither SNS nor KMS for whom it publishes: under a condition on the account, all is dropped in
# silence (EventBridge user guide, "Amazon SNS permissions"; SNS developer guide, "Key management").
_WITHOUT_SOURCE = "events.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class AlarmTopicArgs:
    """What an alarm topic needs.

    Attributes:
        account: The account's id; only its own alarms and budgets may publish, and rules of EventBridge.
        emails: Who gets a mail; each address must confirm the subscription once.
        key_deletion_days: How long a deleted key can be brought back, in days (KMS allows 7 to 30).
    """

    account: str
    emails: tuple[str, ...] = ()
    key_deletion_days: int = 30

    def __post_init__(self) -> None:
        refuse(
            "AlarmTopicArgs",
            matching("account", self.account, r"\d{12}", "an account id of 12 digits"),
            *[matching("emails", email, _MAIL, "an address such as ops@example.com") for email in self.emails],
            ["emails names an address twice"] if len(set(self.emails)) < len(self.emails) else [],
            within("key_deletion_days", self.key_deletion_days, 7, 30, "days"),
        )


class AlarmTopic(pulumi.ComponentResource):
    """An encrypted SNS topic that CloudWatch, EventBridge and Budgets may publish to.

    Attributes:
        arn: For the actions of an alarm; known only once the topic admits its publishers.
    """

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: AlarmTopicArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("quintet:observability:AlarmTopic", checked_name(name), None, opts)
        child = pulumi.ResourceOptions(parent=self)
        key = aws.kms.Key(
            f"{name}-key",
            description=f"Encrypts the messages of the alarm topic {name}",
            enable_key_rotation=True,
            deletion_window_in_days=args.key_deletion_days,
            policy=_key_policy(args.account),
            opts=child,
        )
        topic = aws.sns.Topic(f"{name}-topic", kms_master_key_id=key.arn, opts=child)
        policy = aws.sns.TopicPolicy(
            f"{name}-topic-policy",
            arn=topic.arn,
            policy=topic.arn.apply(lambda arn: _topic_policy(arn, args.account)),
            opts=child,
        )
        for number, email in enumerate(args.emails):
            aws.sns.TopicSubscription(
                f"{name}-mail-{number}", topic=topic.arn, protocol="email", endpoint=email, opts=child
            )
        self.arn = policy.arn
        self.register_outputs({"arn": self.arn})


def _key_policy(account: str) -> str:
    owner = {
        "Sid": "PoliciesOfTheAccountDecideWhoAdministersTheKey",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    return _policy(owner, *_admitted("Encrypt", ["kms:Decrypt", "kms:GenerateDataKey"], "*", account))


def _topic_policy(topic_arn: str, account: str) -> str:
    return _policy(*_admitted("Publish", "sns:Publish", topic_arn, account))


def _admitted(what: str, action: str | list[str], resource: str, account: str) -> Iterator[dict[str, Any]]:
    """Two statements: for those that say for whom they publish, which must be this account, and for EventBridge."""
    allow = {"Effect": "Allow", "Action": action, "Resource": resource}
    of_account = {"StringEquals": {"aws:SourceAccount": account}}
    yield allow | {"Sid": f"{what}ForAccount", "Principal": {"Service": list(_PUBLISHERS)}, "Condition": of_account}
    yield allow | {"Sid": f"{what}ForRules", "Principal": {"Service": _WITHOUT_SOURCE}}


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
