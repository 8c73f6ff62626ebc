"""A DynamoDB table that can be restored to any second of the last 35 days."""

from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from stacks.components.arguments import checked_name, matching, refuse
from stacks.components.uses import Statement, Use, decrypt

_ATTRIBUTE = r"[A-Za-z_][A-Za-z0-9_]{0,254}"
_INDEX = r"[A-Za-z0-9_.-]{3,255}"
_WRITES = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem", "dynamodb:DeleteItem")


@dataclass(frozen=True, kw_only=True)
class TableIndex:
    """Another order to read a table in.

    Attributes:
        partition_key: The attribute that spreads the items; a text. One value a day is one hot partition: shard it.
        sort_key: The attribute that orders them within a partition; a text.
    """

    partition_key: str
    sort_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class TableArgs:
    """What a table needs.

    Attributes:
        partition_key: The attribute that spreads the items; a text.
        sort_key: The attribute that orders them within a partition; a text.
        ttl: The attribute with the second (since 1970) after which an item is deleted; absent: items stay.
        indexes: By name; each holds whole items.
        kms_key_arn: A key of the owner's; absent: DynamoDB's own.
        protected: Neither AWS nor Pulumi deletes the table.
    """

    partition_key: str
    sort_key: str | None = None
    ttl: str | None = None
    indexes: dict[str, TableIndex] = field(default_factory=dict)
    kms_key_arn: str | None = None
    protected: bool = True

    def __post_init__(self) -> None:
        keys = [self.partition_key, self.sort_key, self.ttl]
        keys += [key for index in self.indexes.values() for key in (index.partition_key, index.sort_key)]
        refuse(
            "TableArgs",
            *[matching("an attribute", key, _ATTRIBUTE, "letters, digits and underscores") for key in keys],
            *[matching("an index's name", name, _INDEX, "3 to 255 of letters, digits, _ . -") for name in self.indexes],
            ["sort_key is the partition_key again"] if self.sort_key == self.partition_key else [],
            [f"the attribute {self.ttl!r} of ttl is a key; it must be a number of its own"]
            if self.ttl in self.keys
            else [],
            matching("kms_key_arn", self.kms_key_arn, r"arn:aws:kms:[^:]+:\d{12}:key/.+", "the ARN of a KMS key"),
        )

    @property
    def keys(self) -> list[str]:
        """Every attribute that is a key of the table or of an index, once each."""
        pairs = [(self.partition_key, self.sort_key), *((i.partition_key, i.sort_key) for i in self.indexes.values())]
        return list(dict.fromkeys(key for pair in pairs for key in pair if key))


class Table(pulumi.ComponentResource):
    """An on-demand table: encrypted, with point-in-time recovery.

    Attributes:
        table_name: The physical name.
        arn: The table's ARN.
    """

    table_name: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: TableArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("quintet:data:Table", checked_name(name), None, opts)
        self._args = args
        table = aws.dynamodb.Table(
            f"{name}-table",
            billing_mode="PAY_PER_REQUEST",
            hash_key=args.partition_key,
            range_key=args.sort_key,
            attributes=[{"name": key, "type": "S"} for key in args.keys],
            global_secondary_indexes=[_index(key, index) for key, index in args.indexes.items()] or None,
            ttl={"attribute_name": args.ttl, "enabled": True} if args.ttl else None,
            point_in_time_recovery={"enabled": True},
            server_side_encryption={"enabled": True, "kms_key_arn": args.kms_key_arn} if args.kms_key_arn else None,
            deletion_protection_enabled=args.protected,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protected),
        )
        self.table_name, self.arn = table.name, table.arn
        self.register_outputs({"tableName": self.table_name, "arn": self.arn})

    def read(self) -> Use:
        """Get items by key, query the table and each of its indexes; the identifier is the table's name."""
        indexes = tuple(pulumi.Output.concat(self.arn, "/index/", index) for index in self._args.indexes)
        return self._use(
            Statement(actions=("dynamodb:GetItem",), resources=(self.arn,)),
            Statement(actions=("dynamodb:Query",), resources=(self.arn, *indexes)),
        )

    def write(self, *actions: str) -> Use:
        """Write items; the identifier is the table's name. Indexes follow the table and need no permission.

        Args:
            actions: The calls that the code makes; `dynamodb:PutItem` when none is named.

        Raises:
            ArgumentsError: An action is none that writes.
        """
        wrong = [action for action in actions if action not in _WRITES]
        refuse("Table.write", [f"{action!r} does not write; allowed are {', '.join(_WRITES)}" for action in wrong])
        return self._use(Statement(actions=actions or _WRITES[:1], resources=(self.arn,)))

    def _use(self, *statements: Statement) -> Use:
        # A table under the owner's key is read and written with the caller's right to decrypt its table key.
        return Use(self.table_name, (*statements, *decrypt(self._args.kms_key_arn)))


def _index(name: str, index: TableIndex) -> aws.dynamodb.TableGlobalSecondaryIndexArgsDict:
    # `key_schemas`, which is to replace the two keys, shows a change at every update, and the removal of one index
    # would make all others anew (hashicorp/terraform-provider-aws#46513, #46602).
    declared: aws.dynamodb.TableGlobalSecondaryIndexArgsDict = {
        "name": name,
        "hash_key": index.partition_key,
        "projection_type": "ALL",
    }
    if index.sort_key:
        declared["range_key"] = index.sort_key
    return declared
