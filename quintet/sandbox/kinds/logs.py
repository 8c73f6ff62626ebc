"""Log groups, their metric filters, and who may write to them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, kind
from quintet.sandbox.kinds.calls import (
    ONE_REGION,
    absent,
    document,
    only,
    present,
    removed_tags,
    require_one_of,
)

RETENTION_DAYS = (
    0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
"""What PutRetentionPolicy takes (CloudWatch Logs API reference); 0 stands for never in Pulumi."""


@kind
class LogGroup(Kind):
    """A log group."""

    token = "aws:cloudwatch/logGroup:LogGroup"
    name_input = "name"
    name_limit = 512
    replace_on = frozenset({"logGroupClass"})
    consumed = frozenset({"kmsKeyId", "retentionInDays", "skipDestroy", "tags"})
    ignored: ClassVar[Mapping[str, str]] = {**ONE_REGION, "deletionProtectionEnabled": "`protect` guards it here"}

    def check(self, inputs: Properties) -> Properties:
        """Hold the days that CloudWatch Logs knows."""
        require_one_of(inputs, "retentionInDays", RETENTION_DAYS)
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its name is its id. One that a function made before is refused, as on AWS."""
        name = inputs["name"]
        settings = {"tags": inputs["tags"]} if inputs.get("tags") else {}
        for argument in ("kmsKeyId", "logGroupClass"):
            if inputs.get(argument):
                settings[argument] = inputs[argument]
        self._logs.create_log_group(logGroupName=name, **settings)
        self._retain(name, inputs)
        return name, {"arn": self._arn(name), "tagsAll": inputs.get("tags") or {}}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change retention, key and tags; what is logged stays."""
        self._retain(id_, inputs)
        if inputs.get("kmsKeyId") != old.get("kmsKeyId"):
            if inputs.get("kmsKeyId"):
                self._logs.associate_kms_key(logGroupName=id_, kmsKeyId=inputs["kmsKeyId"])
            else:
                self._logs.disassociate_kms_key(logGroupName=id_)
        if gone := removed_tags(old, inputs):
            self._logs.untag_resource(resourceArn=old["arn"], tagKeys=gone)
        if tags := inputs.get("tags"):
            self._logs.tag_resource(resourceArn=old["arn"], tags=tags)
        return {"tagsAll": inputs.get("tags") or {}}

    def delete(self, id_: str, outputs: Properties) -> None:
        """Delete it with what is logged, unless `skipDestroy`."""
        if not outputs.get("skipDestroy"):
            absent(lambda: self._logs.delete_log_group(logGroupName=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        groups = self._logs.describe_log_groups(logGroupNamePrefix=id_)["logGroups"]
        return outputs if any(group["logGroupName"] == id_ for group in groups) else None

    def _retain(self, name: str, inputs: Properties) -> None:
        if days := inputs.get("retentionInDays"):
            self._logs.put_retention_policy(logGroupName=name, retentionInDays=days)
        else:
            self._logs.delete_retention_policy(logGroupName=name)

    def _arn(self, name: str) -> str:
        return f"arn:aws:logs:{self.world.region}:{self.world.account}:log-group:{name}"

    @property
    def _logs(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("logs")


@kind
class LogMetricFilter(Kind):
    """Counts what is logged as a metric."""

    token = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
    name_input = "name"
    name_limit = 512
    replace_on = frozenset({"logGroupName"})
    consumed = frozenset({"metricTransformation", "pattern"})
    ignored: ClassVar[Mapping[str, str]] = {**ONE_REGION, "applyOnTransformedLogs": "no log is transformed here"}

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Put it; its name is its id."""
        self.update("", {}, inputs)
        return inputs["name"], {}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Put it anew."""
        given = inputs["metricTransformation"]
        known = ("name", "namespace", "value", "defaultValue", "dimensions", "unit")
        only(given, known, "`metricTransformation`")
        names = {"name": "metricName", "namespace": "metricNamespace", "value": "metricValue"}
        transformation = {names.get(key, key): value for key, value in given.items() if value is not None}
        if "defaultValue" in transformation:
            transformation["defaultValue"] = float(transformation["defaultValue"])
        self._logs.put_metric_filter(
            logGroupName=inputs["logGroupName"],
            filterName=inputs["name"],
            filterPattern=inputs["pattern"],
            metricTransformations=[transformation],
        )
        return {}

    def delete(self, id_: str, outputs: Properties) -> None:
        """Remove it."""
        absent(lambda: self._logs.delete_metric_filter(logGroupName=outputs["logGroupName"], filterName=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether the log group has it."""
        group = outputs["logGroupName"]
        found = present(lambda: self._logs.describe_metric_filters(logGroupName=group, filterNamePrefix=id_))
        names = {each["filterName"] for each in found["metricFilters"]} if found else set()
        return outputs if id_ in names else None

    @property
    def _logs(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("logs")


@kind
class LogResourcePolicy(Kind):
    """Which services may write to log groups."""

    token = "aws:cloudwatch/logResourcePolicy:LogResourcePolicy"
    name_input = "policyName"
    consumed = frozenset({"policyDocument"})
    ignored: ClassVar[Mapping[str, str]] = ONE_REGION

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Put it; its name is its id."""
        self.update("", {}, inputs)
        return inputs["policyName"], {"policyScope": "ACCOUNT"}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Put it anew."""
        text = document(inputs["policyDocument"], "`policyDocument`")
        self.world.client("logs").put_resource_policy(policyName=inputs["policyName"], policyDocument=text)
        return {}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Remove it."""
        absent(lambda: self.world.client("logs").delete_resource_policy(policyName=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether the account has it."""
        policies = self.world.client("logs").describe_resource_policies()["resourcePolicies"]
        return outputs if any(policy["policyName"] == id_ for policy in policies) else None
