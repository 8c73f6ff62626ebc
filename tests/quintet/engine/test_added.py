"""What AWS computes within a structure that the program gives stays through changes, previews and refreshes."""

from quintet.sandbox.engine.added import added, as_declared, foreseen, merged
from quintet.sandbox.engine.cloud import UNKNOWN

GIVEN = {"name": "a", "network": {"subnets": ["s"], "public": True}}
MADE = {"name": "a", "arn": "b", "network": {"subnets": ["s"], "public": True, "group": "sg"}}


def test_what_was_added_is_found_at_every_depth() -> None:
    assert added(MADE, GIVEN) == {"arn": "b", "network": {"group": "sg"}}


def test_an_input_that_is_no_longer_declared_is_no_output_any_more() -> None:
    assert merged(added(MADE, GIVEN), {"network": {"subnets": ["t"]}}) == {
        "arn": "b",
        "network": {"subnets": ["t"], "group": "sg"},
    }


def test_what_is_read_is_compared_as_it_was_declared() -> None:
    assert as_declared(GIVEN, MADE) == GIVEN
    assert as_declared({**GIVEN, "tags": None}, {**MADE, "network": {"subnets": ["t"], "group": "sg"}}) == {
        "name": "a",
        "network": {"subnets": ["t"], "public": True},
        "tags": None,
    }


def test_a_preview_does_not_know_what_aws_will_compute_within_an_input() -> None:
    cluster = foreseen("aws:eks/cluster:Cluster", {"name": "a", "vpcConfig": {"subnetIds": ["s"]}})

    assert cluster["vpcConfig"] == {"subnetIds": ["s"], "clusterSecurityGroupId": UNKNOWN, "vpcId": UNKNOWN}
    assert foreseen("aws:s3/bucket:Bucket", {"bucket": "a"}) == {"bucket": "a"}
