"""Topics, their policies and subscriptions."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, is_unknown, kind
from quintet.sandbox.kinds.calls import ONE_REGION, absent, document, present, removed_tags, require, tag_list

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}(\.fifo)?")


@kind
class Topic(Kind):
    """A topic."""

    token = "aws:sns/topic:Topic"
    name_input = "name"
    name_limit = 256
    replace_on = frozenset({"fifoTopic"})
    consumed = frozenset({"deliveryPolicy", "displayName", "kmsMasterKeyId", "policy", "signatureVersion", "tags"})
    ignored: ClassVar[Mapping[str, str]] = {**ONE_REGION, "tracingConfig": "nothing is traced in the sandbox"}

    def check(self, inputs: Properties) -> Properties:
        """Hold SNS's rule for names, which its service model does not have."""
        rule = "a topic's name has 1 to 256 letters, digits, hyphens and underscores"
        require(inputs, "name", _NAME.fullmatch, rule)
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its ARN is its id."""
        fifo = {"FifoTopic": "true"} if inputs.get("fifoTopic") else {}
        attributes = {name: value for name, value in _attributes(inputs).items() if value} | fifo
        tags = tag_list(inputs.get("tags"))
        arn = self._sns.create_topic(Name=inputs["name"], Attributes=attributes, Tags=tags)["TopicArn"]
        return arn, {"arn": arn, "owner": self.world.account, "tagsAll": inputs.get("tags") or {}}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change the attributes that differ."""
        before = _attributes(old)
        for name, value in _attributes(inputs).items():
            if value != before[name] and (value or name != "Policy"):
                self._sns.set_topic_attributes(TopicArn=id_, AttributeName=name, AttributeValue=value)
        if gone := removed_tags(old, inputs):
            self._sns.untag_resource(ResourceArn=id_, TagKeys=gone)
        if tags := inputs.get("tags"):
            self._sns.tag_resource(ResourceArn=id_, Tags=tag_list(tags))
        return {"tagsAll": inputs.get("tags") or {}}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it."""
        absent(lambda: self._sns.delete_topic(TopicArn=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if present(lambda: self._sns.get_topic_attributes(TopicArn=id_)) else None

    @property
    def _sns(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("sns")


def _attributes(inputs: Properties) -> dict[str, str]:
    """The attributes of a topic; those not given are empty, which is what SNS has for none."""
    policy, delivery = inputs.get("policy"), inputs.get("deliveryPolicy")
    return {
        "DisplayName": inputs.get("displayName") or "",
        "KmsMasterKeyId": inputs.get("kmsMasterKeyId") or "",
        "Policy": document(policy, "`policy`") if policy else "",
        "DeliveryPolicy": document(delivery, "`deliveryPolicy`") if delivery else "",
        "SignatureVersion": str(inputs.get("signatureVersion") or ""),
    }


@kind
class TopicPolicy(Kind):
    """Who may publish to a topic."""

    token = "aws:sns/topicPolicy:TopicPolicy"
    replace_on = frozenset({"arn"})
    consumed = frozenset({"policy"})
    ignored: ClassVar[Mapping[str, str]] = ONE_REGION

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Put it; the topic's ARN is its id."""
        self.update("", {}, inputs)
        return inputs["arn"], {"owner": self.world.account}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Put it anew."""
        text = document(inputs["policy"], "`policy`")
        sns = self.world.client("sns")
        sns.set_topic_attributes(TopicArn=inputs["arn"], AttributeName="Policy", AttributeValue=text)
        return {}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Put back the policy of a new topic: the owner may do everything."""
        statement = (
            f'{{"Effect":"Allow","Principal":{{"AWS":"{self.world.account}"}},"Action":"sns:*","Resource":"{id_}"}}'
        )
        text = f'{{"Version":"2012-10-17","Statement":[{statement}]}}'
        sns = self.world.client("sns")
        absent(lambda: sns.set_topic_attributes(TopicArn=id_, AttributeName="Policy", AttributeValue=text))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether the topic is there with a policy."""
        found = present(lambda: self.world.client("sns").get_topic_attributes(TopicArn=id_))
        return outputs if found and found["Attributes"].get("Policy") else None


@kind
class TopicSubscription(Kind):
    """Where a topic's messages go; the emulator sends no e-mail."""

    token = "aws:sns/topicSubscription:TopicSubscription"
    replace_on = frozenset({"topic", "protocol", "endpoint"})
    consumed = frozenset({"deliveryPolicy", "filterPolicy", "filterPolicyScope", "rawMessageDelivery", "redrivePolicy"})
    ignored: ClassVar[Mapping[str, str]] = {
        **ONE_REGION,
        "confirmationTimeoutInMinutes": "the sandbox is at once",
        "endpointAutoConfirms": "the sandbox is at once",
    }

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Subscribe; the subscription's ARN is its id."""
        attributes = {name: value for name, value in _subscription(inputs).items() if value}
        arn = self._sns.subscribe(
            TopicArn=inputs["topic"],
            Protocol=inputs["protocol"],
            Endpoint=inputs["endpoint"],
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        pending = inputs["protocol"] in {"email", "email-json", "http", "https"}
        confirmed = {"pendingConfirmation": pending, "confirmationWasAuthenticated": not pending}
        return arn, {"arn": arn, "ownerId": self.world.account, **confirmed}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change the attributes that differ."""
        before = _subscription(old)
        for name, value in _subscription(inputs).items():
            if value != before[name]:
                self._sns.set_subscription_attributes(SubscriptionArn=id_, AttributeName=name, AttributeValue=value)
        return {}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Unsubscribe."""
        absent(lambda: self._sns.unsubscribe(SubscriptionArn=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if present(lambda: self._sns.get_subscription_attributes(SubscriptionArn=id_)) else None

    @property
    def _sns(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("sns")


def _subscription(inputs: Properties) -> dict[str, str]:
    raw = inputs.get("rawMessageDelivery")
    documents = ("deliveryPolicy", "filterPolicy", "redrivePolicy")
    texts = {name: document(inputs[name], f"`{name}`") if inputs.get(name) else "" for name in documents}
    return {
        **{name[:1].upper() + name[1:]: text for name, text in texts.items()},
        "FilterPolicyScope": inputs.get("filterPolicyScope") or "",
        "RawMessageDelivery": "" if raw is None or is_unknown(raw) else str(bool(raw)).lower(),
    }
