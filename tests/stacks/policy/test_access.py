"""Rules of access: each finds its mistake, says how to mend it, and leaves alone what only looks like it."""

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from tests.stacks.declaring import ACCOUNT, Declare
from tests.stacks.policy.judging import matching, verdicts

BUCKET = "arn:aws:s3:::photos"
Program = Callable[[], object]


def policy(**statement: Any) -> str:
    given = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{BUCKET}/a"}
    return json.dumps({"Version": "2012-10-17", "Statement": [given | statement]})


def role_policy(**statement: Any) -> Program:
    return lambda: aws.iam.RolePolicy("reader", role="reader", policy=policy(**statement))


def bucket_policy(**statement: Any) -> Program:
    return lambda: aws.s3.BucketPolicy("photos", bucket="photos", policy=policy(**statement))


WITHOUT_REASON = [
    ({"Action": "s3:Get*"}, r"RolePolicy reader: allows s3:Get\* and no reason is written"),
    ({"Resource": "*"}, r"allows \* and no reason"),
    ({"Resource": [f"{BUCKET}/a", f"{BUCKET}/b/*"]}, r"allows arn:aws:s3:::photos/b/\* and no reason"),
    ({"Resource": f"{BUCKET}/?"}, r"allows arn:aws:s3:::photos/\?"),
    ({"Resource": f"{BUCKET}/*", "Sid": "AllowAll"}, "in the statement 'AllowAll' and no reason is written"),
    ({"NotResource": "arn:aws:s3:::secret/*", "Resource": []}, "everything but what NotResource names"),
    ({"Action": "*", "Resource": "*", "Sid": "TheJobNeedsEveryAction"}, "allows every action in the statement"),
    ({"Action": "iam:PassRole", "Resource": "*", "Sid": "TheJobStartsManyTasks"}, r"allows iam:PassRole on \*.*rights"),
]


@pytest.mark.parametrize(("statement", "message"), WITHOUT_REASON)
def test_a_wildcard_without_a_reason_is_found(declare: Declare, statement: dict[str, Any], message: str) -> None:
    found = verdicts(declare(role_policy(**statement)), "wildcard-has-reason")

    assert matching(found, message)
    assert "Name " in found[0]


@pytest.mark.parametrize(
    "statement",
    [
        {},
        {"Resource": f"{BUCKET}/*", "Sid": "ObjectsAreNamedByTheirWriters"},
        {"Effect": "Deny", "Resource": "*", "Action": "s3:*"},
        {"Action": "iam:PassRole", "Resource": f"arn:aws:iam::{ACCOUNT}:role/task"},
        {"Action": "xray:PutTraceSegments", "Resource": "*", "Sid": "XRayHasNoResourcesToName"},
    ],
)
def test_a_reason_a_denial_and_an_exact_name_are_fine(declare: Declare, statement: dict[str, Any]) -> None:
    assert verdicts(declare(role_policy(**statement)), "wildcard-has-reason") == []


def test_a_policy_within_a_role_is_read_too(declare: Declare) -> None:
    def program() -> None:
        inline: Any = [{"name": "all", "policy": policy(Resource="*")}]
        aws.iam.Role("reader", assume_role_policy=policy(Resource=None), inline_policies=inline)

    assert matching(verdicts(declare(program), "wildcard-has-reason"), r"iam/role:Role reader: allows \*")


@pytest.mark.parametrize("name", ["AdministratorAccess", "AmazonS3FullAccess", "job-function/PowerUserAccess"])
def test_a_managed_policy_of_all_rights_is_found(declare: Declare, name: str) -> None:
    def program() -> None:
        aws.iam.RolePolicyAttachment("reader", role="reader", policy_arn=f"arn:aws:iam::aws:policy/{name}")

    found = verdicts(declare(program), "wildcard-has-reason")

    assert matching(found, f"attaches arn:aws:iam::aws:policy/{name}, .* Name the actions")


def test_a_managed_policy_of_one_purpose_is_fine(declare: Declare) -> None:
    arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    recording = declare(lambda: aws.iam.RolePolicyAttachment("reader", role="reader", policy_arn=arn))

    assert verdicts(recording, "wildcard-has-reason") == []


def test_a_key_is_its_own_policys_only_resource(declare: Declare) -> None:
    recording = declare(lambda: aws.kms.Key("key", policy=policy(Action="kms:Decrypt", Resource="*")))

    assert verdicts(recording, "wildcard-has-reason") == []


def blocked(**changes: bool | None) -> Program:
    def program() -> None:
        bucket = aws.s3.Bucket("photos")
        flags = {f"{what}_public_{of}": True for what in ("block", "ignore") for of in ("acls", "policy")}
        flags.pop("ignore_public_policy")
        given: Any = flags | {"restrict_public_buckets": True} | changes
        aws.s3.BucketPublicAccessBlock("photos", bucket=bucket.bucket, **given)

    return program


EVERYBODY = {"Principal": "*"}
PUBLIC = [
    (lambda: aws.s3.Bucket("photos"), "Bucket photos: can be made public: blockPublicAcls, .* Declare a BucketPublicA"),
    (blocked(block_public_policy=False), "can be made public: blockPublicPolicy not set"),
    (blocked(restrict_public_buckets=None), "can be made public: restrictPublicBuckets not set"),
    (lambda: aws.s3.BucketAcl("photos", bucket="photos", acl="public-read"), "has the ACL public-read. Leave `acl`"),
    (bucket_policy(**EVERYBODY), "lets everybody do s3:GetObject. Name the principal"),
    (bucket_policy(Principal={"AWS": ["*"]}), "lets everybody do s3:GetObject"),
    (bucket_policy(**EVERYBODY, Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}}), "lets everybody"),
    (bucket_policy(**EVERYBODY, Condition={"StringNotEquals": {"aws:SourceAccount": ACCOUNT}}), "lets everybody"),
    (bucket_policy(**EVERYBODY, Condition={"ArnLike": {"aws:SourceArn": "*"}}), "lets everybody"),
    (lambda: aws.sqs.QueuePolicy("q", queue_url="q", policy=policy(**EVERYBODY)), "lets everybody"),
    (
        lambda: aws.rds.Instance("d", instance_class="db.t4g.micro", publicly_accessible=True),
        "is publicly accessible. Set",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("program", "message"), PUBLIC)
def test_what_is_public_is_found(declare: Declare, program: Program, message: str) -> None:
    assert matching(verdicts(declare(program), "nothing-stored-is-public"), message)


@pytest.mark.parametrize(
    "program",
    [
        blocked(),
        bucket_policy(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
        bucket_policy(Principal={"Service": "logging.s3.amazonaws.com"}),
        bucket_policy(**EVERYBODY, Effect="Deny"),
        bucket_policy(**EVERYBODY, Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
        lambda: aws.s3.BucketAcl("photos", bucket="photos", acl="private"),
    ],
)
def test_what_is_private_is_fine(declare: Declare, program: Program) -> None:
    assert verdicts(declare(program), "nothing-stored-is-public") == []


def test_the_block_of_another_bucket_does_not_count(declare: Declare) -> None:
    def program() -> None:
        blocked()()
        aws.s3.Bucket("letters")

    assert matching(verdicts(declare(program), "nothing-stored-is-public"), "Bucket letters: can be made public")


class Edge(pulumi.ComponentResource):
    def __init__(self, type_: str = "quintet:network:Edge") -> None:
        super().__init__(type_, "edge", None, None)
        self.options = pulumi.ResourceOptions(parent=self)


def group(**rule: Any) -> Program:
    given = {"protocol": "tcp", "from_port": 443, "to_port": 443} | rule
    return lambda: aws.ec2.SecurityGroup("web", ingress=[given])  # type: ignore[list-item]  # a mistake may have any shape


def permission(**changes: str | None) -> Program:
    given: Any = {"principal": "apigateway.amazonaws.com", "function": "f", "action": "lambda:InvokeFunction"} | changes
    return lambda: aws.lambda_.Permission("call", **given)


DOORS = [
    (lambda: aws.apigatewayv2.Api("api", protocol_type="HTTP"), "Api api: answers on the internet outside a declared"),
    (
        lambda: aws.apigatewayv2.Api("a", protocol_type="HTTP", opts=Edge("quintet:compute:Edge").options),
        "Api a: answers on the internet outside",
    ),
    (lambda: aws.lambda_.FunctionUrl("url", function_name="f", authorization_type="NONE"), "FunctionUrl url: answers"),
    (lambda: aws.lb.LoadBalancer("lb"), "LoadBalancer lb: faces the internet"),
    (group(cidr_blocks=["10.0.0.0/8", "0.0.0.0/0"]), "SecurityGroup web: admits every address outside a declared edge"),
    (group(ipv6_cidr_blocks=["::/0"]), "SecurityGroup web: admits every address"),
    (
        lambda: aws.vpc.SecurityGroupIngressRule("r", security_group_id="g", ip_protocol="-1", cidr_ipv4="0.0.0.0/0"),
        "Rule r: admits every address",
    ),
    (
        lambda: aws.ec2.SecurityGroupRule(
            "r", type="ingress", security_group_id="g", protocol="-1", from_port=0, to_port=0, cidr_blocks=["0.0.0.0/0"]
        ),
        "Rule r: admits every address",
    ),
    (lambda: aws.ec2.Instance("vm", associate_public_ip_address=True), "Instance vm: has a public address. Put it"),
    (permission(), "lets apigateway.amazonaws.com call the function .* Name the caller in `sourceArn`"),
    (permission(principal="*"), r"lets \* call the function"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "message"), DOORS)
def test_a_door_that_is_no_edge_is_found(declare: Declare, program: Program, message: str) -> None:
    assert matching(verdicts(declare(program), "ingress-through-edges"), message)


@pytest.mark.parametrize(
    "program",
    [
        lambda: aws.apigatewayv2.Api("api", protocol_type="HTTP", opts=Edge().options),
        lambda: aws.lb.LoadBalancer("lb", internal=True),
        group(cidr_blocks=["10.0.0.0/8"]),
        lambda: aws.ec2.SecurityGroupRule(
            "r", type="egress", security_group_id="g", protocol="-1", from_port=0, to_port=0, cidr_blocks=["0.0.0.0/0"]
        ),
        permission(source_arn=f"arn:aws:execute-api:us-east-1:{ACCOUNT}:api/*/*"),
        permission(principal=f"arn:aws:iam::{ACCOUNT}:role/caller"),
    ],
)
def test_an_edge_and_what_stays_inside_are_fine(declare: Declare, program: Program) -> None:
    assert verdicts(declare(program), "ingress-through-edges") == []
