from typing import Any

import pulumi
import pytest

from quintet.sandbox.engine.recording import Recording
from stacks.components.arguments import ArgumentsError
from stacks.components.bucket import Bucket, BucketArgs, LogBucket, LogBucketArgs
from stacks.components.uses import policy_document
from tests.stacks.declaring import ACCOUNT, KEY, Declare, parsed, statements


def declared(declare: Declare, **arguments: Any) -> Recording:
    return declare(lambda: Bucket("things", BucketArgs(**arguments)))


def rule(recording: Recording) -> dict[str, Any]:
    return recording.one("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").inputs["rules"][0]


def test_a_bucket_without_arguments_is_private(declare: Declare) -> None:
    recording = declare(lambda: Bucket("things"))

    block = recording.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock").inputs
    wanted = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    assert all(block[key] is True for key in wanted)
    assert block["bucket"] == recording.one("aws:s3/bucket:Bucket").outputs["bucket"]


def test_a_bucket_is_reached_over_tls_only(declare: Declare) -> None:
    recording = declared(declare)

    arn = recording.one("aws:s3/bucket:Bucket").outputs["arn"]
    [deny] = statements(recording.one("aws:s3/bucketPolicy:BucketPolicy"))
    assert deny["Effect"] == "Deny"
    assert deny["Principal"] == "*"
    assert deny["Resource"] == [arn, f"{arn}/*"]
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_bucket_is_encrypted_by_s3_or_by_the_owners_key(declare: Declare) -> None:
    kind = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"

    own = declared(declare).one(kind).inputs["rules"]
    owners = declared(declare, kms_key_arn=KEY).one(kind).inputs["rules"]

    assert own == [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}, "bucketKeyEnabled": False}]
    assert owners == [
        {
            "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY},
            "bucketKeyEnabled": True,
        }
    ]


def test_old_versions_and_broken_uploads_are_tidied_away(declare: Declare) -> None:
    recording = declared(declare, noncurrent_days=10)

    versioning = recording.one("aws:s3/bucketVersioning:BucketVersioning").inputs["versioningConfiguration"]
    assert versioning == {"status": "Enabled"}
    assert rule(recording)["noncurrentVersionExpiration"] == {"noncurrentDays": 10}
    assert rule(recording)["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 7}
    assert "expiration" not in rule(recording)


def test_an_unversioned_bucket_has_no_rule_about_versions(declare: Declare) -> None:
    recording = declared(declare, versioned=False, expiry_days=5)

    assert recording.of("aws:s3/bucketVersioning:BucketVersioning") == []
    assert "noncurrentVersionExpiration" not in rule(recording)
    assert rule(recording)["expiration"] == {"days": 5}


@pytest.mark.parametrize("protected", [True, False])
def test_protection_keeps_the_bucket_and_what_is_in_it(declare: Declare, protected: bool) -> None:
    bucket = declared(declare, protected=protected).one("aws:s3/bucket:Bucket")

    assert bucket.options.protect is protected
    assert bucket.inputs["forceDestroy"] is not protected


def test_access_is_logged_where_logs_are_taken(declare: Declare) -> None:
    def program() -> None:
        logs = LogBucket("logs", LogBucketArgs(account=ACCOUNT))
        Bucket("things", BucketArgs(logs=logs))

    recording = declare(program)

    logging = recording.one("aws:s3/bucketLogging:BucketLogging")
    target = recording.one("aws:s3/bucket:Bucket", name="logs-bucket").outputs["bucket"]
    assert (logging.inputs["targetBucket"], logging.inputs["targetPrefix"]) == (target, "things/")
    assert recording.one("aws:s3/bucketPolicy:BucketPolicy", name="logs-policy").urn in logging.dependencies


def test_a_log_bucket_takes_logs_of_its_account_only_and_drops_them_in_time(declare: Declare) -> None:
    recording = declare(lambda: LogBucket("logs", LogBucketArgs(account=ACCOUNT, expiry_days=30)))

    _, delivery = statements(recording.one("aws:s3/bucketPolicy:BucketPolicy"))
    assert delivery["Principal"] == {"Service": "logging.s3.amazonaws.com"}
    assert delivery["Action"] == "s3:PutObject"
    assert delivery["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert rule(recording)["expiration"] == {"days": 30}


@pytest.mark.parametrize("protected", [True, False])
def test_a_log_bucket_may_be_protected(declare: Declare, protected: bool) -> None:
    recording = declare(lambda: LogBucket("logs", LogBucketArgs(account=ACCOUNT, protected=protected)))

    assert recording.one("aws:s3/bucket:Bucket").options.protect is protected


def test_reading_is_getting_objects_under_a_prefix_with_a_reason(declare: Declare) -> None:
    def program() -> None:
        use = Bucket("things", BucketArgs(kms_key_arn=KEY)).read("models/1/")
        pulumi.export("policy", policy_document(use.statements))
        pulumi.export("identifier", use.identifier)

    recording = declare(program)

    bucket = recording.one("aws:s3/bucket:Bucket").outputs
    objects, decrypt = parsed(recording.outputs["policy"])["Statement"]
    assert recording.outputs["identifier"] == bucket["bucket"]
    assert objects["Action"] == ["s3:GetObject"]
    assert objects["Resource"] == [f"{bucket['arn']}/models/1/*"]
    assert objects["Sid"]
    assert (decrypt["Action"], decrypt["Resource"]) == (["kms:Decrypt"], [KEY])
    assert decrypt["Sid"].startswith("Untried")


def test_objects_wait_for_policy_encryption_and_versions(declare: Declare) -> None:
    names: list[str] = []

    def program() -> None:
        names.extend(resource._name for resource in Bucket("things").ready)

    declare(program)

    assert set(names) == {"things-public-access", "things-policy", "things-encryption", "things-versioning"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"noncurrent_days": 0}, "noncurrent_days is 0; allowed are 1 to 3650 days"),
        ({"expiry_days": 4000}, "expiry_days is 4000"),
        ({"kms_key_arn": "mine"}, "kms_key_arn is 'mine'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArgumentsError, match=complaint):
        BucketArgs(**arguments)


@pytest.mark.parametrize(
    ("arguments", "complaint"), [({"account": "1"}, "account is '1'"), ({"expiry_days": 0}, "expiry")]
)
def test_a_log_bucket_refuses_them_too(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArgumentsError, match=complaint):
        LogBucketArgs(**({"account": ACCOUNT} | arguments))


@pytest.mark.parametrize("name", ["Things", "a--b", "1a", "a_b", ""])
def test_a_name_that_aws_would_refuse_is_refused_first(declare: Declare, name: str) -> None:
    with pytest.raises(Exception, match="allowed are lower-case letters, digits and single hyphens"):
        declare(lambda: Bucket(name))
