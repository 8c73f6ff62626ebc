"""Serverless caches and their users, from the beginning to the end."""

import itertools
from typing import Any

from tests.quintet.kinds.deploying import Deployer, Made
from tests.quintet.kinds.life import Life, with_
from tests.quintet.kinds.network_lives import group, subnet, vpc

_NUMBERS = itertools.count(1)
PASSWORD = "correct-horse-battery-staple"
ACCESS = "on ~* resetchannels +@all -@admin -@dangerous"


def user(d: Deployer, **more: Any) -> Made:
    id_ = f"user-{next(_NUMBERS)}"
    given = {"userId": id_, "userName": "service", "engine": "valkey", "accessString": ACCESS, "passwords": [PASSWORD]}
    return d.make("aws:elasticache/user:User", **{**given, **more})


def users(d: Deployer, *of: Made) -> Made:
    given = {"userGroupId": f"users-{next(_NUMBERS)}", "engine": "valkey", "userIds": [each.id for each in of]}
    return d.make("aws:elasticache/userGroup:UserGroup", **given)


def cache(d: Deployer, **more: Any) -> dict[str, Any]:
    network = vpc(d)
    limits = {"dataStorage": {"maximum": 1, "unit": "GB"}, "ecpuPerSeconds": [{"maximum": 5000}]}
    return {
        "name": f"cache-{next(_NUMBERS)}",
        "engine": "valkey",
        "majorEngineVersion": "8",
        "subnetIds": [subnet(d, network).id],
        "securityGroupIds": [group(d, network).id],
        "userGroupId": users(d, user(d)).id,
        "cacheUsageLimits": limits,
        **more,
    }


CACHE_LIVES = [
    Life("aws:elasticache/user:User",
         lambda d: user(d).inputs | {"userId": f"user-{next(_NUMBERS)}"},
         with_(accessString="on ~a* +get", passwords=[], authenticationMode={"type": "no-password-required"},
               noPasswordRequired=True, tags={"a": "1"})),
    Life("aws:elasticache/userGroup:UserGroup",
         lambda d: users(d, user(d), user(d, userName="other")).inputs | {"userGroupId": f"users-{next(_NUMBERS)}"},
         lambda i: {**i, "userIds": i["userIds"][:1], "tags": {"a": "1"}}),
    Life("aws:elasticache/serverlessCache:ServerlessCache", cache, with_(description="b", tags={"a": "1"})),
]  # fmt: skip
