from typing import Any

import pulumi
import pytest

from quintet.sandbox.engine.state import Resource
from stacks.components.arguments import ArgumentsError
from stacks.components.table import Table, TableArgs, TableIndex
from stacks.components.uses import Use, policy_document
from tests.stacks.declaring import KEY, Declare, parsed

DAYS = {"by-day": TableIndex(partition_key="day", sort_key="at")}


def declared(declare: Declare, **arguments: Any) -> Resource:
    args = TableArgs(**({"partition_key": "id"} | arguments))
    return declare(lambda: Table("things", args)).one("aws:dynamodb/table:Table")


def allowed(declare: Declare, use: Any, **arguments: Any) -> dict[str, list[str]]:
    def program() -> None:
        granted: Use = use(Table("things", TableArgs(**({"partition_key": "id"} | arguments))))
        pulumi.export("policy", policy_document(granted.statements))
        pulumi.export("identifier", granted.identifier)

    recording = declare(program)
    assert recording.outputs["identifier"] == recording.one("aws:dynamodb/table:Table").outputs["name"]
    policy = parsed(recording.outputs["policy"])["Statement"]
    return {action: item["Resource"] for item in policy for action in item["Action"]}


def test_a_table_is_paid_by_use_restorable_and_protected(declare: Declare) -> None:
    table = declared(declare)

    assert table.inputs["billingMode"] == "PAY_PER_REQUEST"
    assert table.inputs["pointInTimeRecovery"] == {"enabled": True}
    assert table.inputs["deletionProtectionEnabled"] is True
    assert table.options.protect
    assert table.inputs["hashKey"] == "id"
    assert table.inputs["attributes"] == [{"name": "id", "type": "S"}]
    assert not {"ttl", "rangeKey", "globalSecondaryIndexes", "serverSideEncryption"} & table.inputs.keys()


def test_a_table_of_a_stack_that_goes_is_not_protected(declare: Declare) -> None:
    table = declared(declare, protected=False)

    assert table.inputs["deletionProtectionEnabled"] is False
    assert not table.options.protect


def test_every_key_is_declared_once(declare: Declare) -> None:
    table = declared(declare, sort_key="at", indexes=DAYS)

    assert table.inputs["rangeKey"] == "at"
    assert [attribute["name"] for attribute in table.inputs["attributes"]] == ["id", "at", "day"]


def test_an_index_holds_whole_items(declare: Declare) -> None:
    indexes = declared(declare, indexes={**DAYS, "by-tenant": TableIndex(partition_key="tenant")})

    by_day, by_tenant = indexes.inputs["globalSecondaryIndexes"]
    assert by_day == {
        "name": "by-day",
        "projectionType": "ALL",
        "hashKey": "day",
        "rangeKey": "at",
    }
    assert by_tenant == {"name": "by-tenant", "projectionType": "ALL", "hashKey": "tenant"}


def test_items_expire_by_their_ttl_attribute(declare: Declare) -> None:
    table = declared(declare, ttl="expires_at")

    assert table.inputs["ttl"] == {"attributeName": "expires_at", "enabled": True}


def test_a_key_of_the_owner_encrypts_the_table_and_may_be_used_by_its_readers(declare: Declare) -> None:
    table = declared(declare, kms_key_arn=KEY)

    assert table.inputs["serverSideEncryption"] == {"enabled": True, "kmsKeyArn": KEY}
    assert allowed(declare, Table.read, kms_key_arn=KEY)["kms:Decrypt"] == [KEY]


def test_reading_includes_the_indexes(declare: Declare) -> None:
    actions = allowed(declare, Table.read, indexes=DAYS)

    table = actions["dynamodb:GetItem"][0]
    assert actions == {"dynamodb:GetItem": [table], "dynamodb:Query": [table, f"{table}/index/by-day"]}


def test_writing_is_the_one_call_that_the_code_makes(declare: Declare) -> None:
    batches = allowed(declare, lambda table: table.write("dynamodb:BatchWriteItem"))

    assert list(allowed(declare, Table.write)) == ["dynamodb:PutItem"]
    assert list(batches) == ["dynamodb:BatchWriteItem"]


def test_a_write_that_reads_is_refused(declare: Declare) -> None:
    with pytest.raises(Exception, match="'dynamodb:Scan' does not write; allowed are dynamodb:PutItem"):
        allowed(declare, lambda table: table.write("dynamodb:Scan"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"partition_key": "a-b"}, "an attribute is 'a-b'"),
        ({"sort_key": "id"}, "sort_key is the partition_key again"),
        ({"ttl": "id"}, "'id' of ttl is a key"),
        ({"indexes": {"x": TableIndex(partition_key="day")}}, "an index's name is 'x'"),
        ({"indexes": {"by-day": TableIndex(partition_key="")}}, "an attribute is ''"),
        ({"kms_key_arn": "alias/mine"}, "kms_key_arn is 'alias/mine'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArgumentsError, match=complaint):
        TableArgs(**({"partition_key": "id"} | arguments))


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ArgumentsError) as refused:
        TableArgs(partition_key="a-b", kms_key_arn="mine")

    assert "'a-b'" in str(refused.value)
    assert "'mine'" in str(refused.value)
