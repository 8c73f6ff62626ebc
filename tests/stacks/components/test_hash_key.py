import pulumi
import pytest

from stacks.components.arguments import ArgumentsError
from stacks.components.hash_key import HashKey, HashKeyArgs
from stacks.components.uses import policy_document
from tests.stacks.declaring import Declare, parsed


def test_a_hash_key_makes_macs_and_nothing_else(declare: Declare) -> None:
    key = declare(lambda: HashKey("texts")).one("aws:kms/key:Key")

    assert key.inputs["keyUsage"] == "GENERATE_VERIFY_MAC"
    assert key.inputs["customerMasterKeySpec"] == "HMAC_256"
    assert key.inputs["deletionWindowInDays"] == 30
    assert key.options.protect


def test_a_stack_that_goes_may_delete_its_key(declare: Declare) -> None:
    args = HashKeyArgs(protected=False, deletion_days=7)

    key = declare(lambda: HashKey("texts", args)).one("aws:kms/key:Key")

    assert key.inputs["deletionWindowInDays"] == 7
    assert not key.options.protect


def test_making_a_mac_is_the_only_thing_its_user_may_do(declare: Declare) -> None:
    def program() -> None:
        use = HashKey("texts").mac()
        pulumi.export("policy", policy_document(use.statements))
        pulumi.export("identifier", use.identifier)

    recording = declare(program)

    arn = recording.one("aws:kms/key:Key").outputs["arn"]
    assert recording.outputs["identifier"] == arn
    assert parsed(recording.outputs["policy"])["Statement"] == [
        {"Effect": "Allow", "Action": ["kms:GenerateMac"], "Resource": [arn]}
    ]


@pytest.mark.parametrize("days", [6, 31])
def test_a_window_that_kms_does_not_have_is_refused(days: int) -> None:
    with pytest.raises(ArgumentsError, match=f"deletion_days is {days}; allowed are 7 to 30 days"):
        HashKeyArgs(deletion_days=days)
