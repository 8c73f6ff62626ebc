import pulumi
import pytest

from stacks.components.arguments import ArgumentsError
from stacks.components.uses import Statement, WildcardError, assume_role_document, policy_document
from tests.stacks.declaring import Declare, parsed

BUCKET = "arn:aws:s3:::things"


def test_a_policy_says_exactly_what_its_statements_say(declare: Declare) -> None:
    def program() -> None:
        one = Statement(
            actions=("s3:PutObject", "s3:GetObject"), resources=(f"{BUCKET}/a", pulumi.Output.from_input(BUCKET))
        )
        pulumi.export("policy", policy_document([one]))

    policy = parsed(declare(program).outputs["policy"])

    assert policy == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": [BUCKET, f"{BUCKET}/a"]}
        ],
    }


@pytest.mark.parametrize(
    ("actions", "resources"),
    [(("s3:GetObject",), ("*",)), (("s3:Get*",), (BUCKET,)), (("s3:GetObject",), (f"{BUCKET}/*",))],
)
def test_a_wildcard_without_a_written_reason_is_refused(actions: tuple[str, ...], resources: tuple[str, ...]) -> None:
    with pytest.raises(WildcardError, match="needs a written reason"):
        Statement(actions=actions, resources=resources)


def test_a_wildcard_in_an_output_is_refused_when_it_is_known(declare: Declare) -> None:
    def program() -> None:
        hidden = Statement(actions=("s3:GetObject",), resources=(pulumi.Output.from_input(f"{BUCKET}/*"),))
        pulumi.export("policy", policy_document([hidden]))

    with pytest.raises(Exception, match="needs a written reason"):
        declare(program)


def test_a_reason_can_be_read_in_the_policy(declare: Declare) -> None:
    def program() -> None:
        wild = Statement(actions=("xray:PutTraceSegments",), resources=("*",), reason="X-Ray has nothing to name")
        pulumi.export("policy", policy_document([wild]))

    statement = parsed(declare(program).outputs["policy"])["Statement"][0]

    assert statement["Sid"] == "XRayHasNothingToName"


def test_why_nothing_here_uses_a_grant_can_be_read_in_the_policy(declare: Declare) -> None:
    def program() -> None:
        statement = Statement(actions=("s3:GetObject",), resources=(BUCKET,), untried="only AWS calls it")
        pulumi.export("policy", policy_document([statement]))

    statement = parsed(declare(program).outputs["policy"])["Statement"][0]

    assert statement["Sid"] == "UntriedOnlyAWSCallsIt"


def test_a_reason_cannot_pass_for_a_grant_that_nothing_uses() -> None:
    with pytest.raises(ArgumentsError, match="that belongs into `untried`"):
        Statement(actions=("s3:GetObject",), resources=(f"{BUCKET}/*",), reason="Untried for now")


def test_the_same_reason_twice_is_told_apart(declare: Declare) -> None:
    def program() -> None:
        twice = [Statement(actions=("s3:GetObject",), resources=(f"{BUCKET}/{n}/*",), reason="why") for n in "ab"]
        pulumi.export("policy", policy_document(twice))

    policy = parsed(declare(program).outputs["policy"])

    assert [statement["Sid"] for statement in policy["Statement"]] == ["Why", "Why2"]


@pytest.mark.parametrize(
    ("actions", "resources", "complaint"),
    [
        ((), (BUCKET,), "actions is empty"),
        (("s3:GetObject",), (), "resources is empty"),
        (("GetObject",), (BUCKET,), "'GetObject' is not of the form"),
    ],
)
def test_a_statement_that_says_nothing_is_refused(
    actions: tuple[str, ...], resources: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(ArgumentsError, match=complaint):
        Statement(actions=actions, resources=resources)


def test_a_role_trusts_one_service() -> None:
    statement = parsed(assume_role_document("lambda.amazonaws.com"))["Statement"]

    assert statement == [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]
