"""A shared cache: encrypted, with one user whose password nobody sees, reached by its clients alone."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from stacks.components.arguments import ArgumentsError
from stacks.components.cache import SharedCache, SharedCacheArgs
from stacks.components.network import Egress, Place, Subnets
from tests.stacks.declaring import KEY, Declare

CACHE, USER = "aws:elasticache/serverlessCache:ServerlessCache", "aws:elasticache/user:User"
PLACE = Place("vpc-1", Subnets(["subnet-1", "subnet-2"], ["10.0.0.0/18", "10.0.64.0/18"]), Subnets([], []), Egress.NAT)


def args(**changes: Any) -> SharedCacheArgs:
    return SharedCacheArgs(**({"place": PLACE, "clients": ["sg-pods"]} | changes))


def cache(**changes: Any) -> Callable[[], object]:
    return lambda: SharedCache("echo", args(**changes))


def test_it_stands_beside_its_clients_and_hears_nobody_else(declare: Declare) -> None:
    recording = declare(cache())

    made = recording.one(CACHE).inputs
    [rule] = [item.inputs for item in recording.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")]
    assert made["subnetIds"] == ["subnet-1", "subnet-2"]
    assert made["securityGroupIds"] == [rule["securityGroupId"]]
    assert (rule["referencedSecurityGroupId"], rule["fromPort"], rule["toPort"]) == ("sg-pods", 6379, 6380)


def test_its_user_has_a_password_and_may_not_administer_it(declare: Declare) -> None:
    recording = declare(cache())

    user = recording.one(USER).inputs
    assert user["engine"] == "valkey"
    assert "-@dangerous" in user["accessString"]
    assert "nopass" not in user["accessString"]
    assert len(user["passwords"]) == 1
    assert (
        recording.one(CACHE).inputs["userGroupId"]
        == recording.one("aws:elasticache/userGroup:UserGroup").outputs["userGroupId"]
    )


@pytest.mark.parametrize("preview", [False, True], ids=["update", "preview"])
def test_its_address_is_a_secret(declare: Declare, preview: bool) -> None:
    recording = declare(lambda: pulumi.export("url", SharedCache("echo", args()).url), preview=preview)

    assert recording.secret_outputs == {"url"}
    if not preview:
        assert recording.outputs["url"].startswith("rediss://service:")
        assert recording.outputs["url"].endswith(":6379/0")


def test_what_it_may_cost_is_bounded(declare: Declare) -> None:
    limits = declare(cache(max_storage_gb=2, max_requests=9_000)).one(CACHE).inputs["cacheUsageLimits"]

    assert limits == {"dataStorage": {"maximum": 2, "unit": "GB"}, "ecpuPerSeconds": [{"maximum": 9_000}]}


def test_a_key_of_the_owner_encrypts_it(declare: Declare) -> None:
    assert declare(cache(kms_key_arn=KEY)).one(CACHE).inputs["kmsKeyId"] == KEY


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"clients": []}, "clients is empty: nobody could call it"),
        ({"max_storage_gb": 0}, "max_storage_gb is 0; allowed are 1 to 5000 GB"),
        ({"max_requests": 10}, "max_requests is 10; allowed are 1000 to 15000000 a second"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ArgumentsError, match=told):
        args(**changes)
