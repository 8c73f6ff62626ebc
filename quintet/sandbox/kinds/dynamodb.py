"""Tables. A change never makes a table anew unless its keys change: the data stays."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, is_unknown, kind
from quintet.sandbox.kinds.calls import ONE_REGION, RefusedError, chosen, only, present, removed_tags, tag_list

_READY_SECONDS = 30.0


@kind
class Table(Kind):
    """A table with its indexes, expiry, backups and encryption."""

    token = "aws:dynamodb/table:Table"
    name_input = "name"
    name_limit = 255
    replace_on = frozenset({"hashKey", "rangeKey", "localSecondaryIndexes"})
    consumed = frozenset(
        {"attributes", "billingMode", "deletionProtectionEnabled", "globalSecondaryIndexes", "pointInTimeRecovery",
         "readCapacity", "writeCapacity", "serverSideEncryption", "tableClass", "tags", "ttl"}
    )  # fmt: skip
    ignored: ClassVar[Mapping[str, str]] = {
        **ONE_REGION,
        "streamEnabled": "nothing in the sandbox reads a table's stream",
        "streamViewType": "nothing in the sandbox reads a table's stream",
        "onDemandThroughput": "the emulator has no throughput limits",
        "warmThroughput": "the emulator has no throughput limits",
    }

    def check(self, inputs: Properties) -> Properties:
        """Refuse attributes that no key uses, and keys without an attribute, as DynamoDB does."""
        if is_unknown([inputs.get(name) for name in ("attributes", "hashKey", "rangeKey", "globalSecondaryIndexes")]):
            return inputs
        declared = {attribute["name"] for attribute in inputs.get("attributes") or []}
        used = set(_key_names(inputs))
        if declared != used:
            raise RefusedError(
                f"`attributes` are {', '.join(sorted(declared)) or 'none'}, and the keys of the table and its indexes "
                f"are {', '.join(sorted(used))}; DynamoDB wants them to be the same"
            )
        only(inputs.get("ttl") or {}, ("attributeName", "enabled"), "`ttl`")
        only(inputs.get("pointInTimeRecovery") or {}, ("enabled", "recoveryPeriodInDays"), "`pointInTimeRecovery`")
        only(inputs.get("serverSideEncryption") or {}, ("enabled", "kmsKeyArn"), "`serverSideEncryption`")
        return {"billingMode": "PROVISIONED", **inputs}

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its name is its id."""
        name = inputs["name"]
        table = self._dynamodb.create_table(
            TableName=name,
            KeySchema=_keys(inputs),
            AttributeDefinitions=_attributes(inputs),
            BillingMode=inputs["billingMode"],
            DeletionProtectionEnabled=bool(inputs.get("deletionProtectionEnabled")),
            Tags=tag_list(inputs.get("tags")),
            **_throughput(inputs),
            **_indexes("GlobalSecondaryIndexes", inputs, inputs.get("globalSecondaryIndexes")),
            **_indexes("LocalSecondaryIndexes", inputs, inputs.get("localSecondaryIndexes")),
            **_encryption(inputs),
            **chosen(inputs, "tableClass"),
        )["TableDescription"]
        self._wait(name)
        if (inputs.get("ttl") or {}).get("enabled"):
            self._expire(name, inputs["ttl"]["attributeName"], enabled=True)
        if recovery := inputs.get("pointInTimeRecovery"):
            self._recover(name, recovery)
        return name, {"arn": table["TableArn"], "tagsAll": inputs.get("tags") or {}}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change what differs, one request each: DynamoDB takes one index at a time."""
        for change in _changes(old, inputs):
            self._dynamodb.update_table(TableName=id_, **change)
            self._wait(id_)
        self._change_expiry(id_, old.get("ttl") or {}, inputs.get("ttl") or {})
        if old.get("pointInTimeRecovery") != inputs.get("pointInTimeRecovery"):
            self._recover(id_, inputs.get("pointInTimeRecovery") or {"enabled": False})
        if gone := removed_tags(old, inputs):
            self._dynamodb.untag_resource(ResourceArn=old["arn"], TagKeys=gone)
        if tags := inputs.get("tags"):
            self._dynamodb.tag_resource(ResourceArn=old["arn"], Tags=tag_list(tags))
        return {"tagsAll": inputs.get("tags") or {}}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it with its data; DynamoDB refuses while it is protected."""
        present(lambda: self._dynamodb.delete_table(TableName=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there with its indexes."""
        found = present(lambda: self._dynamodb.describe_table(TableName=id_))
        return {**outputs, "arn": found["Table"]["TableArn"]} if found else None

    def _wait(self, name: str) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            table = self._dynamodb.describe_table(TableName=name)["Table"]
            states = [table["TableStatus"], *(i["IndexStatus"] for i in table.get("GlobalSecondaryIndexes", []))]
            if set(states) == {"ACTIVE"}:
                return
            time.sleep(0.05)
        raise RefusedError(f"the table {name} was not active within {_READY_SECONDS:.0f} s")

    def _change_expiry(self, name: str, old: Properties, new: Properties) -> None:
        if old == new:
            return
        if old.get("enabled"):
            self._expire(name, old["attributeName"], enabled=False)
        if new.get("enabled"):
            self._expire(name, new["attributeName"], enabled=True)

    def _expire(self, name: str, attribute: str, *, enabled: bool) -> None:
        specification = {"AttributeName": attribute, "Enabled": enabled}
        self._dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)

    def _recover(self, name: str, recovery: Properties) -> None:
        days = recovery.get("recoveryPeriodInDays")
        specification = {"PointInTimeRecoveryEnabled": bool(recovery["enabled"])}
        if days:
            specification["RecoveryPeriodInDays"] = days
        self._dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=specification)

    @property
    def _dynamodb(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("dynamodb")


def _changes(old: Properties, new: Properties) -> Iterator[dict[str, Any]]:
    if (old.get("billingMode"), _throughput(old)) != (new["billingMode"], _throughput(new)):
        yield {"BillingMode": new["billingMode"], **_throughput(new)}
    if bool(old.get("deletionProtectionEnabled")) != bool(new.get("deletionProtectionEnabled")):
        yield {"DeletionProtectionEnabled": bool(new.get("deletionProtectionEnabled"))}
    if old.get("serverSideEncryption") != new.get("serverSideEncryption"):
        yield _encryption(new) or {"SSESpecification": {"Enabled": False}}
    if old.get("tableClass") != new.get("tableClass"):
        yield {"TableClass": new.get("tableClass") or "STANDARD"}
    yield from _index_changes(old, new)


def _index_changes(old: Properties, new: Properties) -> Iterator[dict[str, Any]]:
    before = {index["name"]: index for index in old.get("globalSecondaryIndexes") or []}
    after = {index["name"]: index for index in new.get("globalSecondaryIndexes") or []}
    for name in sorted(name for name in before if before[name] != after.get(name)):
        yield {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]}
    for name in sorted(name for name in after if after[name] != before.get(name)):
        created = [{"Create": _index(after[name])}]
        yield {"AttributeDefinitions": _attributes(new), "GlobalSecondaryIndexUpdates": created}


def _key_names(inputs: Properties) -> Iterator[str]:
    indexes = [*(inputs.get("globalSecondaryIndexes") or []), *(inputs.get("localSecondaryIndexes") or [])]
    for owner in (inputs, *indexes):
        yield from filter(None, (owner.get("hashKey"), owner.get("rangeKey")))


def _keys(owner: Properties) -> list[dict[str, str]]:
    kinds = (("HASH", owner.get("hashKey")), ("RANGE", owner.get("rangeKey")))
    return [{"AttributeName": name, "KeyType": kind_} for kind_, name in kinds if name]


def _attributes(inputs: Properties) -> list[dict[str, str]]:
    return [{"AttributeName": each["name"], "AttributeType": each["type"]} for each in inputs["attributes"]]


def _throughput(inputs: Properties) -> dict[str, Any]:
    if inputs.get("billingMode") != "PROVISIONED":
        return {}
    units = {"ReadCapacityUnits": inputs.get("readCapacity", 1), "WriteCapacityUnits": inputs.get("writeCapacity", 1)}
    return {"ProvisionedThroughput": units}


def _encryption(inputs: Properties) -> dict[str, Any]:
    encryption = inputs.get("serverSideEncryption")
    if not encryption:
        return {}
    key = {"SSEType": "KMS", "KMSMasterKeyId": encryption["kmsKeyArn"]} if encryption.get("kmsKeyArn") else {}
    return {"SSESpecification": {"Enabled": encryption["enabled"], **key}}


def _indexes(argument: str, table: Properties, indexes: list[Properties] | None) -> dict[str, Any]:
    """Indexes of a table; a local one has the table's hash key."""
    local = {"hashKey": table["hashKey"]} if argument == "LocalSecondaryIndexes" else {}
    return {argument: [_index({**local, **index}) for index in indexes]} if indexes else {}


def _index(index: Properties) -> dict[str, Any]:
    known = ("name", "hashKey", "rangeKey", "projectionType", "nonKeyAttributes", "readCapacity", "writeCapacity")
    only(index, known, f"index {index['name']}")
    projection = {"ProjectionType": index["projectionType"]}
    if attributes := index.get("nonKeyAttributes"):
        projection["NonKeyAttributes"] = attributes
    made = {"IndexName": index["name"], "KeySchema": _keys(index), "Projection": projection}
    if index.get("readCapacity"):
        units = {"ReadCapacityUnits": index["readCapacity"], "WriteCapacityUnits": index["writeCapacity"]}
        made["ProvisionedThroughput"] = units
    return made
