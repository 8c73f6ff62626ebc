import pulumi_aws as aws

from stacks.components.boundary import bound_every_role
from stacks.components.uses import assume_role_document
from tests.stacks.declaring import Declare

BOUNDARY = "arn:aws:iam::123456789012:policy/limit"
TRUST = assume_role_document("lambda.amazonaws.com")


def test_no_role_can_forget_the_boundary(declare: Declare) -> None:
    def program() -> None:
        bound_every_role(BOUNDARY)
        aws.iam.Role("plain", assume_role_policy=TRUST)
        aws.iam.User("robot")

    recording = declare(program)

    assert recording.one("aws:iam/role:Role").inputs["permissionsBoundary"] == BOUNDARY
    assert recording.one("aws:iam/user:User").inputs["permissionsBoundary"] == BOUNDARY


def test_a_role_may_name_a_narrower_one(declare: Declare) -> None:
    def program() -> None:
        bound_every_role(BOUNDARY)
        aws.iam.Role("narrow", assume_role_policy=TRUST, permissions_boundary=f"{BOUNDARY}-narrow")

    role = declare(program).one("aws:iam/role:Role")

    assert role.inputs["permissionsBoundary"] == f"{BOUNDARY}-narrow"


def test_other_resources_are_left_alone(declare: Declare) -> None:
    def program() -> None:
        bound_every_role(BOUNDARY)
        aws.sns.Topic("topic")

    assert "permissionsBoundary" not in declare(program).one("aws:sns/topic:Topic").inputs
