"""Keys, secrets and random values."""

import string

import pytest
from botocore.exceptions import ClientError

from quintet.sandbox.engine.errors import SandboxError
from tests.quintet.emulator.running import error_code, policy
from tests.quintet.kinds.deploying import Deployer


def test_an_hmac_key_gives_the_same_mac_for_the_same_text(deploy: Deployer) -> None:
    key = deploy.make("aws:kms/key:Key", customerMasterKeySpec="HMAC_256", keyUsage="GENERATE_VERIFY_MAC")
    kms = deploy.world.client("kms")

    macs = {kms.generate_mac(KeyId=key["arn"], Message=b"m", MacAlgorithm="HMAC_SHA_256")["Mac"] for _ in range(2)}

    assert len(macs) == 1


def test_a_deleted_key_is_gone_and_cannot_be_used(deploy: Deployer) -> None:
    key = deploy.make("aws:kms/key:Key", deletionWindowInDays=7)

    key.delete()

    assert key.read() is None
    with pytest.raises(ClientError) as error:
        deploy.world.client("kms").encrypt(KeyId=key.id, Plaintext=b"a")
    assert error_code(error) == "KMSInvalidStateException"


def test_another_spec_is_another_key(deploy: Deployer) -> None:
    key = deploy.make("aws:kms/key:Key")

    assert key.replaces({"customerMasterKeySpec": "RSA_2048"}) == ("customerMasterKeySpec",)


def test_an_alias_gets_its_prefix_and_its_target(deploy: Deployer) -> None:
    key = deploy.make("aws:kms/key:Key")
    other = deploy.make("aws:kms/key:Key")
    alias = deploy.make("aws:kms/alias:Alias", targetKeyId=key.id)

    alias.update({"targetKeyId": other.id})

    assert alias.id.startswith("alias/quintet-test-")
    assert alias["targetKeyArn"] == other["arn"]
    assert deploy.world.client("kms").describe_key(KeyId=alias.id)["KeyMetadata"]["KeyId"] == other.id


def test_another_value_of_a_secret_is_another_version_and_the_current_one(deploy: Deployer) -> None:
    secret = deploy.make("aws:secretsmanager/secret:Secret", recoveryWindowInDays=0)
    first = deploy.make("aws:secretsmanager/secretVersion:SecretVersion", secretId=secret.id, secretString="one")
    second = deploy.make("aws:secretsmanager/secretVersion:SecretVersion", secretId=secret.id, secretString="two")

    value = deploy.world.client("secretsmanager").get_secret_value(SecretId=secret.id)

    assert value["SecretString"] == "two"
    assert first["versionId"] != second["versionId"] == value["VersionId"]
    assert first.replaces({"secretId": secret.id, "secretString": "three"}) == ("secretString",)


def test_a_secret_with_a_recovery_window_keeps_its_name_taken(deploy: Deployer) -> None:
    secret = deploy.make("aws:secretsmanager/secret:Secret", name="taken")

    secret.delete()

    assert secret.read() is None
    with pytest.raises(ClientError) as error:
        deploy.make("aws:secretsmanager/secret:Secret", name="taken")
    assert error_code(error) in {"InvalidRequestException", "ResourceExistsException"}


@pytest.mark.parametrize(
    ("inputs", "alphabet"),
    [
        ({}, string.ascii_letters + string.digits + "!@#$%&*()-_=+[]{}<>:?"),
        ({"special": False}, string.ascii_letters + string.digits),
        ({"special": False, "upper": False, "numeric": False}, string.ascii_lowercase),
        ({"overrideSpecial": "~", "minSpecial": 3}, string.ascii_letters + string.digits + "~"),
    ],
)
def test_a_password_has_the_length_and_the_characters_asked_for(
    deploy: Deployer, inputs: dict[str, object], alphabet: str
) -> None:
    password = deploy.make("random:index/randomPassword:RandomPassword", length=64, **inputs)["result"]

    assert len(password) == 64
    assert set(password) <= set(alphabet)
    assert sum(character == "~" for character in password) >= int(str(inputs.get("minSpecial", 0)))


def test_a_password_of_nothing_is_refused(deploy: Deployer) -> None:
    nothing = dict.fromkeys(("lower", "upper", "numeric", "special"), False)

    with pytest.raises(SandboxError, match="at least one of"):
        deploy.make("random:index/randomPassword:RandomPassword", length=8, **nothing)


def test_a_random_id_is_the_same_bytes_in_every_notation(deploy: Deployer) -> None:
    made = deploy.make("random:index/randomId:RandomId", byteLength=8, prefix="p-")

    content = bytes.fromhex(made["hex"].removeprefix("p-"))
    assert len(content) == 8
    assert made["dec"] == f"p-{int.from_bytes(content)}"


def test_a_role_with_policies_is_deleted_only_by_force(deploy: Deployer) -> None:
    kept, forced = deploy.role(), deploy.make("aws:iam/role:Role", **deploy.role().inputs | {
        "name": "forced", "forceDetachPolicies": True})  # fmt: skip
    for role in (kept, forced):
        deploy.make("aws:iam/rolePolicy:RolePolicy", role=role["name"], policy=policy(("s3:GetObject", "*")))

    with pytest.raises(ClientError) as error:
        kept.delete()
    forced.delete()

    assert error_code(error) == "DeleteConflict"
    assert forced.read() is None


def test_a_policy_keeps_five_versions(deploy: Deployer) -> None:
    made = deploy.make("aws:iam/policy:Policy", policy=policy(("s3:GetObject", "*")))

    for number in range(6):
        made.update({"policy": policy((f"s3:GetObject{number}", "*"))})

    versions = deploy.world.client("iam").list_policy_versions(PolicyArn=made.id)["Versions"]
    current = next(version["VersionId"] for version in versions if version["IsDefaultVersion"])
    assert len(versions) == 5
    assert current == "v7"


def test_a_policy_that_iam_does_not_understand_is_refused(deploy: Deployer) -> None:
    with pytest.raises(ClientError) as error:
        deploy.make("aws:iam/policy:Policy", policy='{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}')

    assert error_code(error) == "MalformedPolicyDocument"
