"""Rules of encryption: each finds its mistake, says how to mend it, and leaves alone what only looks like it."""

import json
from collections.abc import Callable
from typing import Any

import pulumi_aws as aws
import pytest

from tests.stacks.declaring import ACCOUNT, Declare
from tests.stacks.policy.judging import matching, verdicts

Program = Callable[[], object]
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1"

UNENCRYPTED: list[tuple[Program, str]] = [
    (lambda: aws.s3.Bucket("b"), "Bucket b: does not say how it is encrypted. Declare a BucketServerSide"),
    (lambda: aws.sns.Topic("t"), "Topic t: keeps messages unencrypted. Set `kmsMasterKeyId`"),
    (lambda: aws.sns.Topic("t", kms_master_key_id="alias/aws/sns"), "alias/aws/sns, which admits no alarm. Give it"),
    (lambda: aws.sqs.Queue("q"), "Queue q: keeps messages unencrypted. Set `sqsManagedSseEnabled`"),
    (lambda: aws.kms.Key("k"), "Key k: is never rotated. Set `enableKeyRotation`"),
    (lambda: aws.ebs.Volume("v", availability_zone="a", size=1), "Volume v: is not encrypted: `encrypted` is not true"),
    (lambda: aws.rds.Instance("d", instance_class="db.t4g.micro"), "`storageEncrypted` is not true. Set"),
]


@pytest.mark.parametrize(("program", "message"), UNENCRYPTED)
def test_what_lies_unencrypted_is_found(declare: Declare, program: Program, message: str) -> None:
    assert matching(verdicts(declare(program), "encrypted-at-rest"), message)


def encrypted_bucket() -> None:
    bucket = aws.s3.Bucket("b")
    rule: Any = {"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}
    aws.s3.BucketServerSideEncryptionConfiguration("b", bucket=bucket.bucket, rules=[rule])


@pytest.mark.parametrize(
    "program",
    [
        encrypted_bucket,
        lambda: aws.sns.Topic("t", kms_master_key_id=KEY),
        lambda: aws.sqs.Queue("q", sqs_managed_sse_enabled=True),
        lambda: aws.kms.Key("k", enable_key_rotation=True),
        lambda: aws.kms.Key("k", customer_master_key_spec="HMAC_256", key_usage="GENERATE_VERIFY_MAC"),
    ],
)
def test_what_lies_encrypted_is_fine(declare: Declare, program: Program) -> None:
    assert verdicts(declare(program), "encrypted-at-rest") == []


def bucket_over(**condition: str) -> Program:
    def program() -> None:
        bucket = aws.s3.Bucket("b")
        deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
        statement = deny | {"Condition": {"Bool": condition}}
        aws.s3.BucketPolicy("b", bucket=bucket.bucket, policy=json.dumps({"Statement": [statement]}))

    return program


def domain(policy: str) -> Program:
    configuration: Any = {"certificate_arn": KEY, "endpoint_type": "REGIONAL", "security_policy": policy}
    return lambda: aws.apigatewayv2.DomainName("d", domain_name="a.example", domain_name_configuration=configuration)


def distribution(viewer: str = "https-only", tags: dict[str, str] | None = None, **certificate: Any) -> Program:
    behavior: Any = {"viewer_protocol_policy": viewer, "allowed_methods": ["GET"], "cached_methods": ["GET"]}
    behavior["target_origin_id"] = "o"

    def program() -> None:
        aws.cloudfront.Distribution(
            "site",
            enabled=True,
            origins=[{"domain_name": "o.example", "origin_id": "o"}],
            default_cache_behavior=behavior,
            restrictions={"geo_restriction": {"restriction_type": "none"}},
            viewer_certificate=certificate or {"cloudfront_default_certificate": True},
            tags=tags,
        )

    return program


def listener(tags: dict[str, str] | None = None, action: str = "forward", **changes: str) -> Program:
    given: Any = {"protocol": "HTTP", "default_actions": [{"type": action}]} | changes
    return lambda: aws.lb.Listener("l", load_balancer_arn="lb", tags=tags, **given)


OWN = {"acm_certificate_arn": KEY, "ssl_support_method": "sni-only"}
REASON = {"exempt/tls": "no domain is set for this stack"}
PLAIN: list[tuple[Program, str]] = [
    (lambda: aws.s3.Bucket("b"), "Bucket b: answers without TLS. Deny s3:"),
    (bucket_over(**{"aws:SecureTransport": "true"}), "Bucket b: answers without TLS"),
    (domain("TLS_1_0"), "DomainName d: takes TLS_1_0. Set `securityPolicy` to TLS_1_2"),
    (distribution(), "Distribution site: has CloudFront's own certificate, .* Set a domain.*`exempt/tls`"),
    (distribution(tags={"exempt/tls": "because"}), "has CloudFront's own certificate"),
    (distribution(tags=REASON, viewer="redirect-to-https"), "at an address that takes TLSv1. Set .* to https-only"),
    (distribution(**OWN, minimum_protocol_version="TLSv1.1_2016"), "takes TLSv1.1_2016. Set `minimumProtocolVersion`"),
    (distribution(**OWN), "Distribution site: takes TLSv1. Set `minimum"),
    (distribution(**OWN, minimum_protocol_version="TLSv1.2_2021", viewer="allow-all"), "site: answers without TLS"),
    (listener(), "Listener l: forwards plain HTTP. Redirect"),
    (listener(protocol="HTTPS", ssl_policy="ELBSecurityPolicy-2016-08"), "takes ELBSecurityPolicy-2016-08. Set"),
    (listener(protocol="HTTPS"), "takes the old default of load balancers"),
    (
        lambda: aws.sns.TopicSubscription("s", topic="t", protocol="http", endpoint="http://a.example"),
        "sends messages in plain text. Subscribe an https",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("program", "message"), PLAIN)
def test_what_travels_in_plain_text_is_found(declare: Declare, program: Program, message: str) -> None:
    assert matching(verdicts(declare(program), "tls"), message)


@pytest.mark.parametrize(
    "program",
    [
        bucket_over(**{"aws:SecureTransport": "false"}),
        domain("TLS_1_2"),
        distribution(**OWN, minimum_protocol_version="TLSv1.2_2021", viewer="redirect-to-https"),
        distribution(tags=REASON),
        listener(action="redirect"),
        listener(tags={"exempt/tls": "CloudFront ends TLS and reaches it within the VPC"}),
        listener(protocol="HTTPS", ssl_policy="ELBSecurityPolicy-TLS13-1-2-2021-06"),
    ],
)
def test_tls_and_a_written_exemption_are_fine(declare: Declare, program: Program) -> None:
    assert verdicts(declare(program), "tls") == []
