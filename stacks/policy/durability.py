"""In production, data outlives a mistake."""

import re
from collections.abc import Callable, Iterator, Mapping

from stacks.policy.declared import UNKNOWN, Declared, Finding, Rule, Stack
from stacks.policy.exposure import BUCKETS

_PRODUCTION = re.compile(r"(prod|production|live)(-.*)?")


def _durable(resource: Declared, _: Stack) -> Iterator[Finding]:
    check = _HOLDS_DATA.get(resource.type)
    if check and _PRODUCTION.fullmatch(resource.stack):
        yield from check(resource)


def _table(table: Declared) -> Iterator[Finding]:
    if table.get("pointInTimeRecovery.enabled") not in {True, UNKNOWN}:
        yield Finding("cannot be restored to a point in time", "Set `pointInTimeRecovery` to {enabled: true}")
    yield from _refuses_deletion(table, "deletionProtectionEnabled")
    yield from _protected(table)


def _bucket(bucket: Declared) -> Iterator[Finding]:
    yield from _kept_while_full(bucket, "forceDestroy")
    yield from _protected(bucket)


def _repository(repository: Declared) -> Iterator[Finding]:
    yield from _kept_while_full(repository, "forceDelete")


def _database(database: Declared) -> Iterator[Finding]:
    yield from _refuses_deletion(database, "deletionProtection")
    yield from _protected(database)
    if not database.props.get("backupRetentionPeriod"):
        yield Finding("is not backed up", "Set `backupRetentionPeriod` to 7 days or more")


def _user_pool(pool: Declared) -> Iterator[Finding]:
    if pool.props.get("deletionProtection") not in {"ACTIVE", UNKNOWN}:
        yield Finding("can be deleted with its users", "Set `deletionProtection` to ACTIVE")


def _key(key: Declared) -> Iterator[Finding]:
    days = key.props.get("deletionWindowInDays", 30)
    if days is not UNKNOWN and days < _KEY_DAYS:
        found = f"can be brought back for {days} days only after a deletion"
        yield Finding(found, f"Set `deletionWindowInDays` to {_KEY_DAYS}: without the key its data is lost")


def _refuses_deletion(resource: Declared, flag: str) -> Iterator[Finding]:
    if resource.props.get(flag) not in {True, UNKNOWN}:
        yield Finding(f"can be deleted: `{flag}` is not true", f"Set `{flag}` (the setting `protected` does)")


def _kept_while_full(resource: Declared, flag: str) -> Iterator[Finding]:
    if resource.props.get(flag) is True:
        yield Finding(f"is deleted with all it holds: `{flag}`", f"Leave `{flag}` out (the setting `protected` does)")


def _protected(resource: Declared) -> Iterator[Finding]:
    if not resource.protected:
        yield Finding("can be deleted by a change of the program", "Give it the option protect=True (`protected`)")


_KEY_DAYS = 30
_HOLDS_DATA: Mapping[str, Callable[[Declared], Iterator[Finding]]] = {
    **dict.fromkeys(BUCKETS, _bucket),
    "aws:cognito/userPool:UserPool": _user_pool,
    "aws:dynamodb/table:Table": _table,
    "aws:ecr/repository:Repository": _repository,
    "aws:kms/key:Key": _key,
    "aws:rds/cluster:Cluster": _database,
    "aws:rds/instance:Instance": _database,
}

RULE = Rule(
    name="data-outlives-mistakes",
    why="In production data can be restored, and neither AWS nor Pulumi deletes it by the way.",
    check=_durable,
)
