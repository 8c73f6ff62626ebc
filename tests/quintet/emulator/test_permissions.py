"""What a role may do is enforced, and what it may not is refused and noted with role, action and resource."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from quintet.sandbox.denials import Denial, DenialLog
from quintet.sandbox.world import World
from tests.quintet.emulator.running import TRUST, error_code, policy

Clients = Callable[[str], Any]


@pytest.fixture
def act_as(world: World, request: pytest.FixtureRequest) -> Callable[..., Clients]:
    """Clients with the credentials of a role that has one policy."""

    def act(*statements: tuple[str, str], document: str | None = None) -> Clients:
        name = f"role-{abs(hash(request.node.name)) % 10**8}"
        role = world.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]
        text = document or policy(*statements)
        world.client("iam").put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=text)
        credentials = world.credentials(role["Arn"], "session")
        session = boto3.session.Session(
            credentials.access_key_id, credentials.secret_access_key, credentials.session_token, "us-east-1"
        )
        return lambda service: session.client(service, endpoint_url=world.url)

    return act


@pytest.fixture(scope="module")
def stage(world: World) -> dict[str, str]:
    """Things that a role may be allowed to use."""
    world.client("s3").create_bucket(Bucket="permission-tests")
    world.client("s3").put_object(Bucket="permission-tests", Key="a/x", Body=b"x")
    world.client("dynamodb").create_table(
        TableName="permissions",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    world.client("logs").create_log_group(logGroupName="/permissions")
    key = world.client("kms").create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
    secret = world.client("secretsmanager").create_secret(Name="permissions", SecretString="s")["ARN"]
    topic = world.client("sns").create_topic(Name="permissions")["TopicArn"]
    queue = world.client("sqs").create_queue(QueueName="permissions")["QueueUrl"]
    return {"key": key["Arn"], "secret": secret, "topic": topic, "queue": queue}


HERE = "us-east-1:123456789012"
Call = Callable[[Clients, dict[str, str]], Any]
Case = tuple[str, str, str, Call]

# action, the resource that is allowed, another one that is not enough, the call
CALLS: list[Case] = [
    ("s3:GetObject", "arn:aws:s3:::permission-tests/a/*", "arn:aws:s3:::permission-tests/b/*",
     lambda c, s: c("s3").get_object(Bucket="permission-tests", Key="a/x")),
    ("s3:ListBucket", "arn:aws:s3:::permission-tests", "arn:aws:s3:::other",
     lambda c, s: c("s3").list_objects_v2(Bucket="permission-tests")),
    ("s3:PutObject", "arn:aws:s3:::permission-tests/*", "arn:aws:s3:::other/*",
     lambda c, s: c("s3").put_object(Bucket="permission-tests", Key="b", Body=b"")),
    ("dynamodb:PutItem", f"arn:aws:dynamodb:{HERE}:table/permissions", f"arn:aws:dynamodb:{HERE}:table/other",
     lambda c, s: c("dynamodb").put_item(TableName="permissions", Item={"id": {"S": "1"}})),
    ("dynamodb:GetItem", f"arn:aws:dynamodb:{HERE}:table/permissions", f"arn:aws:dynamodb:{HERE}:table/other",
     lambda c, s: c("dynamodb").get_item(TableName="permissions", Key={"id": {"S": "1"}})),
    ("kms:GenerateMac", "{key}", f"arn:aws:kms:{HERE}:key/other",
     lambda c, s: c("kms").generate_mac(KeyId=s["key"], Message=b"m", MacAlgorithm="HMAC_SHA_256")),
    ("logs:CreateLogStream", f"arn:aws:logs:{HERE}:log-group:/permissions:*", f"arn:aws:logs:{HERE}:log-group:/other:*",
     lambda c, s: c("logs").create_log_stream(logGroupName="/permissions", logStreamName=f"s{id(c)}")),
    ("secretsmanager:GetSecretValue", "{secret}", f"arn:aws:secretsmanager:{HERE}:secret:other",
     lambda c, s: c("secretsmanager").get_secret_value(SecretId=s["secret"])),
    ("sns:Publish", "{topic}", f"arn:aws:sns:{HERE}:other",
     lambda c, s: c("sns").publish(TopicArn=s["topic"], Message="m")),
    ("sqs:SendMessage", f"arn:aws:sqs:{HERE}:permissions", f"arn:aws:sqs:{HERE}:other",
     lambda c, s: c("sqs").send_message(QueueUrl=s["queue"], MessageBody="m")),
    ("cloudwatch:PutMetricData", "*", f"arn:aws:cloudwatch:{HERE}:alarm:x",
     lambda c, s: c("cloudwatch").put_metric_data(Namespace="Q", MetricData=[{"MetricName": "m", "Value": 1}])),
]  # fmt: skip


@pytest.mark.parametrize("case", CALLS, ids=[case[0] for case in CALLS])
def test_a_role_may_do_what_its_policy_allows(
    act_as: Callable[..., Clients], stage: dict[str, str], case: Case
) -> None:
    action, resource, _, call = case
    clients = act_as((action, resource.format(**stage)))

    assert call(clients, stage)["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize("case", CALLS, ids=[case[0] for case in CALLS])
def test_a_role_may_not_do_it_on_another_resource(
    world: World, act_as: Callable[..., Clients], stage: dict[str, str], case: Case
) -> None:
    action, _, other, call = case
    clients = act_as((action, other))
    mark = world.denials.mark()

    with pytest.raises(ClientError) as error:
        call(clients, stage)

    (denial,) = world.denials.since(mark)
    assert error_code(error) in {"AccessDenied", "AccessDeniedException", "AuthorizationError"}
    assert denial.action == action
    assert denial.role.startswith("role-")
    assert str(denial) == f"{denial.role} may not {action} on {denial.resource}"


def test_an_explicit_deny_wins(act_as: Callable[..., Clients], stage: dict[str, str]) -> None:
    document = json.loads(policy(("s3:*", "*")))
    document["Statement"] += json.loads(policy(("s3:GetObject", "*"), effect="Deny"))["Statement"]
    clients = act_as(document=json.dumps(document))

    with pytest.raises(ClientError) as error:
        clients("s3").get_object(Bucket="permission-tests", Key="a/x")

    assert error_code(error) == "AccessDenied"


def bucket_with_a_deny(world: World, name: str, **condition: dict[str, str]) -> str:
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{name}/*"}
    document = {"Version": "2012-10-17", "Statement": [statement | {"Condition": condition}]}
    world.client("s3").create_bucket(Bucket=name)
    world.client("s3").put_bucket_policy(Bucket=name, Policy=json.dumps(document))
    return name


def test_a_bucket_policy_is_enforced(world: World, act_as: Callable[..., Clients]) -> None:
    bucket = bucket_with_a_deny(world, "denied-puts", StringNotEquals={"s3:x-amz-server-side-encryption": "AES256"})
    s3 = act_as(("s3:*", "*"))("s3")

    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket=bucket, Key="a", Body=b"")

    assert error_code(error) == "AccessDenied"
    assert s3.put_object(Bucket=bucket, Key="a", Body=b"", ServerSideEncryption="AES256")


def test_a_bucket_that_admits_tls_alone_can_be_used(world: World, act_as: Callable[..., Clients]) -> None:
    bucket = bucket_with_a_deny(world, "tls-only", Bool={"aws:SecureTransport": "false"})

    assert act_as(("s3:*", "*"))("s3").put_object(Bucket=bucket, Key="a", Body=b"")


def test_a_log_group_without_a_star_allows_no_streams(act_as: Callable[..., Clients], stage: dict[str, str]) -> None:
    clients = act_as(("logs:CreateLogStream", f"arn:aws:logs:{HERE}:log-group:/permissions"))

    with pytest.raises(ClientError) as error:
        clients("logs").create_log_stream(logGroupName="/permissions", logStreamName="s")

    assert error_code(error) == "AccessDeniedException"


def test_a_role_that_does_not_trust_the_caller_cannot_be_assumed_and_that_is_noted(
    world: World, act_as: Callable[..., Clients]
) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:role/x"},
        "Action": "sts:AssumeRole",
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = world.client("iam").create_role(RoleName="closed", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    clients = act_as(("sts:AssumeRole", "*"))
    mark = world.denials.mark()

    with pytest.raises(ClientError):
        clients("sts").assume_role(RoleArn=role, RoleSessionName="session")

    (denial,) = world.denials.since(mark)
    assert (denial.action, denial.resource) == ("sts:AssumeRole", role)


def test_a_wrong_signature_is_refused_and_noted(world: World, act_as: Callable[..., Clients]) -> None:
    clients = act_as(("dynamodb:*", "*"))
    signer = clients("dynamodb")
    signer._request_signer._credentials.secret_key = "wrong"
    mark = world.denials.mark()

    with pytest.raises(ClientError):
        signer.list_tables()

    (denial,) = world.denials.since(mark)
    assert denial.principal.startswith("unauthenticated (")
    assert denial.action == "dynamodb:ListTables"


def test_root_is_refused_nothing(world: World) -> None:
    mark = world.denials.mark()

    world.client("dynamodb").list_tables()
    world.client("s3").list_buckets()

    assert world.denials.since(mark) == []


def test_a_denial_that_is_still_being_written_is_read_later(tmp_path: Any) -> None:
    path = tmp_path / "denials.jsonl"
    path.write_text('{"time":"t","principal":"p","action":"a:b","resource":"r"}\n{"time":"t"')

    assert DenialLog(path).since() == [Denial("t", "p", "a:b", "r")]


def test_no_log_is_no_denial(tmp_path: Any) -> None:
    log = DenialLog(tmp_path / "denials.jsonl")

    assert (log.mark(), log.since()) == (0, [])
