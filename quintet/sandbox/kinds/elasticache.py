"""Serverless caches and who may use them. The data plane is a server of this machine: `quintet.sandbox.caches`."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, is_unknown, kind
from quintet.sandbox.kinds.calls import (
    ONE_REGION,
    RefusedError,
    absent,
    chosen,
    only,
    present,
    removed_tags,
    require,
    require_one_of,
    tag_list,
)

ENGINES = ("redis", "valkey")
READER_PORT = 6380
_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9]|-(?!-|$)){0,39}")
_NAME_RULE = "1 to 40 letters, digits and single hyphens, a letter first, no hyphen last"
_PASSWORD = range(16, 129)
"""Characters of a password (CreateUser, ElastiCache API reference)."""

_GIGABYTE = 1024**3


class ElastiCache(Kind):
    """What all types of the service share."""

    ignored: ClassVar[Mapping[str, str]] = ONE_REGION

    @property
    def _cache(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("elasticache")

    def tagged(self, inputs: Properties) -> dict[str, Any]:
        """The tags as an argument of a call that makes it."""
        return {"Tags": tag_list(inputs["tags"])} if inputs.get("tags") else {}

    def retag(self, arn: str, old: Properties, inputs: Properties) -> Properties:
        """Change the tags; the outputs that this changed."""
        if gone := removed_tags(old, inputs):
            self._cache.remove_tags_from_resource(ResourceName=arn, TagKeys=gone)
        if tags := inputs.get("tags"):
            self._cache.add_tags_to_resource(ResourceName=arn, Tags=tag_list(tags))
        return {"tagsAll": inputs.get("tags") or {}}


@kind
class CacheUser(ElastiCache):
    """Who may use a cache, and for what. Its passwords are kept as hashes, for the caches' servers."""

    token = "aws:elasticache/user:User"
    replace_on = frozenset({"userId", "userName"})
    consumed = frozenset({"accessString", "authenticationMode", "engine", "noPasswordRequired", "passwords", "tags"})

    def check(self, inputs: Properties) -> Properties:
        """By passwords that ElastiCache takes, or without any; the sandbox's server knows no IAM."""
        require_one_of(inputs, "engine", ENGINES)
        mode = inputs.get("authenticationMode") or {}
        if not is_unknown(mode):
            only(mode, ("passwords", "type"), "`authenticationMode`")
            require_one_of(mode, "type", ["password", "no-password-required"])
        for password in _passwords(inputs):
            if not is_unknown(password) and len(password) not in _PASSWORD:
                raise RefusedError(f"a password of a cache's user has {len(password)} characters; AWS takes 16 to 128")
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its id is its id."""
        id_ = inputs["userId"]
        names = {"UserId": id_, "UserName": inputs["userName"], "Engine": inputs["engine"]}
        self._cache.create_user(**names, AccessString=inputs["accessString"], **_secrets(inputs), **self.tagged(inputs))
        self.resume(id_, inputs)
        return id_, {"arn": self._arn(id_), "tagsAll": inputs.get("tags") or {}}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change what it may do and how it is known; running caches learn of it."""
        self._cache.modify_user(UserId=id_, AccessString=inputs["accessString"], **_secrets(inputs))
        self.resume(id_, inputs)
        return self.retag(self._arn(id_), old, inputs)

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it."""
        absent(lambda: self._cache.delete_user(UserId=id_))
        self.world.caches.delete_user(id_)

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if present(lambda: self._cache.describe_users(UserId=id_)) else None

    def resume(self, id_: str, outputs: Properties) -> None:
        """Tell the caches' servers of it."""
        from quintet.sandbox.caches import User  # noqa: PLC0415  a preview must not wait for cryptography

        self.world.caches.put_user(id_, User.of(outputs["userName"], outputs["accessString"], _passwords(outputs)))

    def _arn(self, id_: str) -> str:
        return f"arn:aws:elasticache:{self.world.region}:{self.world.account}:user:{id_}"


@kind
class CacheUserGroup(ElastiCache):
    """The users of a cache."""

    token = "aws:elasticache/userGroup:UserGroup"
    replace_on = frozenset({"engine", "userGroupId"})
    consumed = frozenset({"tags", "userIds"})

    def check(self, inputs: Properties) -> Properties:
        """Of an engine that ElastiCache has."""
        require_one_of(inputs, "engine", ENGINES)
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its id is its id."""
        id_ = inputs["userGroupId"]
        self._require_users(inputs)
        self._cache.create_user_group(
            UserGroupId=id_, Engine=inputs["engine"], UserIds=inputs.get("userIds") or [], **self.tagged(inputs)
        )
        return id_, {"arn": self._arn(id_), "tagsAll": inputs.get("tags") or {}}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change who is in it."""
        self._require_users(inputs)
        before, now = set(old.get("userIds") or []), set(inputs.get("userIds") or [])
        changes = {"UserIdsToAdd": sorted(now - before), "UserIdsToRemove": sorted(before - now)}
        if any(changes.values()):
            given = {name: ids for name, ids in changes.items() if ids}
            self._cache.modify_user_group(UserGroupId=id_, **given)
        return self.retag(self._arn(id_), old, inputs)

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Delete it."""
        absent(lambda: self._cache.delete_user_group(UserGroupId=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if present(lambda: self._cache.describe_user_groups(UserGroupId=id_)) else None

    def _require_users(self, inputs: Properties) -> None:
        users = [self._cache.describe_users(UserId=id_)["Users"][0] for id_ in inputs.get("userIds") or []]
        names = [user["UserName"] for user in users]
        if inputs["engine"] == "redis" and "default" not in names:
            raise RefusedError('a user group of engine redis needs a user of `userName` "default"; valkey needs none')
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise RefusedError(f"a user group has two users named {twice[0]}")

    def _arn(self, id_: str) -> str:
        return f"arn:aws:elasticache:{self.world.region}:{self.world.account}:usergroup:{id_}"


@kind
class ServerlessCache(ElastiCache):
    """A cache, with a server of this machine for its data."""

    token = "aws:elasticache/serverlessCache:ServerlessCache"
    name_input = "name"
    name_limit = 40
    replace_on = frozenset({"engine", "kmsKeyId", "majorEngineVersion", "networkType", "subnetIds"})
    consumed = frozenset({"cacheUsageLimits", "description", "securityGroupIds", "tags", "userGroupId"})
    ignored: ClassVar[Mapping[str, str]] = {
        **ONE_REGION,
        "dailySnapshotTime": "the sandbox takes no snapshots",
        "snapshotRetentionLimit": "the sandbox takes no snapshots",
    }

    def check(self, inputs: Properties) -> Properties:
        """An engine that the sandbox has a server for, and a name that ElastiCache takes."""
        require_one_of(inputs, "engine", ENGINES)
        require(inputs, "name", _NAME.fullmatch, _NAME_RULE)
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it and start its server; its name is its id."""
        self._network(inputs)
        settings = ("engine", "kmsKeyId", "majorEngineVersion", "networkType", "subnetIds")
        arguments = {**chosen(inputs, *settings), **_changeable(inputs), **self.tagged(inputs)}
        made = self._cache.create_serverless_cache(ServerlessCacheName=inputs["name"], **arguments)["ServerlessCache"]
        arn = {"arn": made["ARN"], "createTime": made["CreateTime"].isoformat(), "status": "available"}
        version = {"fullEngineVersion": made["FullEngineVersion"], "majorEngineVersion": made["MajorEngineVersion"]}
        return inputs["name"], {**arn, **version, **self._open(inputs), "tagsAll": inputs.get("tags") or {}}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change its limits, its users and its groups."""
        self._network(inputs)
        changes = _changeable(inputs)
        if old.get("userGroupId") and not inputs.get("userGroupId"):
            changes["RemoveUserGroup"] = True
        if changes != _changeable(old):
            self._cache.modify_serverless_cache(ServerlessCacheName=id_, **changes)
        return {**self._open(inputs), **self.retag(old["arn"], old, inputs)}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """End its server and delete it."""
        self.world.caches.close(id_)
        absent(lambda: self._cache.delete_serverless_cache(ServerlessCacheName=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        found = present(lambda: self._cache.describe_serverless_caches(ServerlessCacheName=id_))
        return outputs if found else None

    def resume(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Start its server again, at its address."""
        self._open(outputs)

    def _open(self, inputs: Properties) -> Properties:
        users: list[str] = []
        if group := inputs.get("userGroupId"):
            users = self._cache.describe_user_groups(UserGroupId=group)["UserGroups"][0]["UserIds"]
        storage = (inputs.get("cacheUsageLimits") or {}).get("dataStorage") or {}
        endpoint = self.world.caches.open(inputs["name"], users, int(storage.get("maximum") or 0) * _GIGABYTE)
        return {
            "endpoints": [{"address": endpoint.address, "port": endpoint.port}],
            "readerEndpoints": [{"address": endpoint.address, "port": READER_PORT}],
        }

    def _network(self, inputs: Properties) -> None:
        ec2, subnets, groups = self.world.client("ec2"), inputs.get("subnetIds"), inputs.get("securityGroupIds")
        found = ec2.describe_subnets(SubnetIds=subnets)["Subnets"] if subnets else []
        found += ec2.describe_security_groups(GroupIds=groups)["SecurityGroups"] if groups else []
        if len(vpcs := {each["VpcId"] for each in found}) > 1:
            raise RefusedError(f"`subnetIds` and `securityGroupIds` are of several networks: {', '.join(sorted(vpcs))}")


def _passwords(inputs: Properties) -> list[str]:
    """Those of a user, wherever they are given."""
    mode = inputs.get("authenticationMode") or {}
    given = inputs.get("passwords") or (None if is_unknown(mode) else mode.get("passwords")) or []
    if is_unknown(given):
        return []
    without = inputs.get("noPasswordRequired") or (not is_unknown(mode) and mode.get("type") == "no-password-required")
    if not given and not without:
        raise RefusedError("a user of a cache needs `passwords`, or says `noPasswordRequired`")
    return list(given)


def _secrets(inputs: Properties) -> dict[str, Any]:
    """How a user is known; the emulator is not told the passwords, which it would not keep."""
    return {"NoPasswordRequired": True} if not _passwords(inputs) else {"Passwords": ["kept-by-the-cache's-server"]}


def _changeable(inputs: Properties) -> dict[str, Any]:
    arguments = chosen(inputs, "description", "securityGroupIds", "userGroupId")
    if limits := inputs.get("cacheUsageLimits"):
        only(limits, ("dataStorage", "ecpuPerSeconds"), "`cacheUsageLimits`")
        storage, [units] = limits.get("dataStorage"), (limits.get("ecpuPerSeconds") or [None])
        named = {"DataStorage": storage, "ECPUPerSecond": units}
        arguments["CacheUsageLimits"] = {
            name: {key[0].upper() + key[1:]: value for key, value in limit.items() if value is not None}
            for name, limit in named.items()
            if limit
        }
    return arguments
