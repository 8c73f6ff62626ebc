"""Functions: what AWS refuses, what a version is, and how they are called."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from quintet.sandbox.engine.errors import SandboxError
from quintet.sandbox.kinds.lambda_ import trusts
from tests.quintet.emulator.running import StubFront, error_code
from tests.quintet.kinds.deploying import Deployer, Made, uri


def trust(service: str, effect: str = "Allow") -> str:
    statement = {"Effect": effect, "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def alias(deploy: Deployer, function: Made, name: str = "live") -> Made:
    given = {"name": name, "functionName": function["name"], "functionVersion": function["version"]}
    return deploy.make("aws:lambda/alias:Alias", **given)


def test_a_role_that_lambda_may_not_assume_is_refused(deploy: Deployer) -> None:
    role = deploy.role(trust("ecs-tasks.amazonaws.com"))

    with pytest.raises(SandboxError, match="cannot be assumed by Lambda"):
        deploy.function(role=role)


def test_a_trust_policy_is_read_as_iam_does() -> None:
    def policy(**statement: object) -> dict[str, object]:
        given = {"Effect": "Allow", "Principal": {"Service": ["a", "lambda.amazonaws.com"]}, "Action": "sts:Assume*"}
        return {"Statement": {**given, **statement}}

    assert trusts(policy(), "lambda.amazonaws.com")
    assert trusts(policy(Action=["sts:AssumeRole", "sts:TagSession"]), "lambda.amazonaws.com")
    assert not trusts(policy(Effect="Deny"), "lambda.amazonaws.com")
    assert not trusts(policy(Action="sts:TagSession"), "lambda.amazonaws.com")
    assert not trusts(policy(Principal={"AWS": "arn:aws:iam::123456789012:root"}), "lambda.amazonaws.com")


def test_an_image_that_was_never_pushed_is_refused(deploy: Deployer) -> None:
    image = deploy.image()
    missing = f"{uri(image).rpartition('@')[0]}@sha256:{'0' * 64}"

    with pytest.raises(SandboxError, match=r"does not exist\. Provide a valid source image"):
        deploy.function(imageUri=missing)


def test_an_image_may_be_named_by_its_tag(deploy: Deployer) -> None:
    image = deploy.image()

    function = deploy.function(imageUri=image["tags"][0])

    assert function["codeSha256"] == image["digest"].removeprefix("sha256:")


def test_the_emulator_knows_the_function_as_declared(deploy: Deployer) -> None:
    function = deploy.function(
        timeout=29,
        memorySize=1769,
        architectures=["x86_64"],
        ephemeralStorage={"size": 1024},
        tracingConfig={"mode": "Active"},
        loggingConfig={"logFormat": "JSON", "logGroup": "/aws/lambda/quintet"},
        environment={"variables": {"TABLE": "t"}},
        reservedConcurrentExecutions=5,
    )

    spec = deploy.world.describe_function(f"{function['arn']}:{function['version']}")
    found = deploy.world.client("lambda").get_function(FunctionName=function.id)

    assert (spec.timeout_seconds, spec.memory_mb, spec.handler) == (29, 1769, "app.handler")
    assert spec.environment == {"TABLE": "t"}
    assert spec.log_group == "/aws/lambda/quintet"
    assert (spec.code_root / "app.py").is_file()
    assert found["Configuration"]["EphemeralStorage"] == {"Size": 1024}
    assert found["Concurrency"]["ReservedConcurrentExecutions"] == 5


def test_a_change_of_the_configuration_publishes_a_version_and_the_old_one_stays(deploy: Deployer) -> None:
    function = deploy.function(timeout=5)
    old = f"{function['arn']}:{function['version']}"

    function.update({**function.inputs, "timeout": 9})

    assert function["version"] == "2"
    assert function["qualifiedArn"] == f"{function['arn']}:2"
    assert deploy.world.describe_function(old).timeout_seconds == 5
    assert deploy.world.describe_function(function["qualifiedArn"]).timeout_seconds == 9


def test_a_change_of_the_tags_publishes_nothing(deploy: Deployer) -> None:
    function = deploy.function()

    function.update({**function.inputs, "tags": {"a": "1"}})

    assert function["version"] == "1"


def test_what_is_left_out_goes_back_to_its_default(deploy: Deployer) -> None:
    function = deploy.function(timeout=9, environment={"variables": {"AB": "1"}})
    rest = {key: value for key, value in function.inputs.items() if key not in {"timeout", "environment"}}

    function.update(rest)

    spec = deploy.world.describe_function(function["qualifiedArn"])
    assert (spec.timeout_seconds, spec.environment) == (3, {})


def test_a_new_image_is_a_new_version_with_its_own_code(deploy: Deployer) -> None:
    function = deploy.function(deploy.image("first"))
    first = deploy.world.describe_function(function["qualifiedArn"]).code_root

    function.update({**function.inputs, "imageUri": uri(deploy.image("second"))})

    second = deploy.world.describe_function(function["qualifiedArn"]).code_root
    assert (first / "app.py").read_text() != (second / "app.py").read_text()


def test_the_command_of_the_image_is_the_handler_where_the_function_names_none(deploy: Deployer) -> None:
    text = 'FROM amazon/aws-lambda-python:3.12\nENV A=b\nCOPY app.py ${LAMBDA_TASK_ROOT}/\nCMD ["app.other"]\n'
    function = deploy.function(deploy.image("commanded", text), imageConfig=None)

    spec = deploy.world.describe_function(function["qualifiedArn"])

    assert spec.handler == "app.other"
    assert spec.image_environment == {"A": "b"}


def test_a_call_goes_to_the_front_with_the_version_that_the_alias_names(deploy: Deployer, front: StubFront) -> None:
    function = deploy.function()
    live = alias(deploy, function)
    front.answer = lambda event: (200, {}, {"echo": event})

    answer = deploy.world.client("lambda").invoke(FunctionName=live["arn"], Payload=b'{"a": 1}')

    headers, event = front.calls[0]
    assert json.load(answer["Payload"]) == {"echo": {"a": 1}}
    assert event == {"a": 1}
    assert headers["X-Amzn-Lambda-Function-Arn"] == f"{function['arn']}:1"
    assert headers["X-Amzn-Lambda-Invoked-Function-Arn"] == live["arn"]
    assert int(headers["X-Amzn-Lambda-Deadline-Ms"]) > time.time() * 1000


def test_an_unqualified_call_goes_to_latest(deploy: Deployer, front: StubFront) -> None:
    function = deploy.function()

    deploy.world.client("lambda").invoke(FunctionName=function["arn"])

    assert front.calls[0][0]["X-Amzn-Lambda-Function-Arn"] == f"{function['arn']}:$LATEST"


def test_calls_share_a_connection_to_the_front(deploy: Deployer, front: StubFront) -> None:
    function = deploy.function()

    for _ in range(5):
        deploy.world.client("lambda").invoke(FunctionName=function["arn"])

    assert front.connections <= 1


def test_a_function_that_fails_tells_its_own_error(deploy: Deployer, front: StubFront) -> None:
    function = deploy.function()
    error = {"errorType": "KeyError", "errorMessage": "'a'"}
    front.answer = lambda event: (200, {"X-Amz-Function-Error": "Unhandled"}, error)

    answer = deploy.world.client("lambda").invoke(FunctionName=function["arn"])

    assert answer["FunctionError"] == "Unhandled"
    assert json.load(answer["Payload"]) == error


def test_a_throttled_function_answers_429(deploy: Deployer, front: StubFront) -> None:
    function = deploy.function()
    front.answer = lambda event: (429, {}, {})

    with pytest.raises(ClientError) as error:
        deploy.world.client("lambda").invoke(FunctionName=function["arn"])

    assert error_code(error) == "TooManyRequestsException"


def test_what_the_front_refuses_names_its_error(deploy: Deployer, front: StubFront) -> None:
    function = deploy.function()
    front.answer = lambda event: (403, {"X-Amzn-ErrorType": "AccessDeniedException"}, {"Message": "no such role"})

    answer = deploy.world.client("lambda").invoke(FunctionName=function["arn"])

    assert json.load(answer["Payload"]) == {"errorType": "AccessDeniedException", "errorMessage": "no such role"}


def test_reserved_concurrency_holds_for_an_alias_too(deploy: Deployer) -> None:
    function = deploy.function(reservedConcurrentExecutions=0)
    live = alias(deploy, function)

    with pytest.raises(ClientError) as error:
        deploy.world.client("lambda").invoke(FunctionName=live["arn"])

    assert error_code(error) == "TooManyRequestsException"


def test_nothing_is_added_to_the_environment_of_a_function(deploy: Deployer) -> None:
    function = deploy.function(environment={"variables": {"AB": "1"}})

    found = deploy.world.client("lambda").get_function_configuration(FunctionName=function.id)

    assert found["Environment"]["Variables"] == {"AB": "1"}


def test_an_alias_is_read_with_the_weights_that_a_rollout_gave_it(deploy: Deployer) -> None:
    function = deploy.function(timeout=5)
    live = alias(deploy, function)
    function.update({**function.inputs, "timeout": 6})
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    deploy.world.client("lambda").update_alias(FunctionName=function.id, Name="live", RoutingConfig=weights)

    found = live.read()

    assert found
    assert found["functionVersion"] == "1"
    assert found["routingConfig"] == {"additionalVersionWeights": {"2": 0.1}}


def test_calls_are_counted_under_the_function_and_its_alias(deploy: Deployer, front: StubFront) -> None:
    function = deploy.function()
    live = alias(deploy, function)
    front.answer = lambda event: (200, {"X-Amz-Function-Error": "Unhandled"}, {"errorType": "X"})

    deploy.world.client("lambda").invoke(FunctionName=live["arn"])

    by_alias = {"FunctionName": function.id, "Resource": f"{function.id}:live"}
    for dimensions in ({"FunctionName": function.id}, by_alias):
        assert total(deploy, "AWS/Lambda", "Invocations", dimensions) == 1
        assert total(deploy, "AWS/Lambda", "Errors", dimensions) == 1


def test_the_emulator_writes_no_log_lines_for_an_image_function(deploy: Deployer, front: StubFront) -> None:
    function = deploy.function()

    deploy.world.client("lambda").invoke(FunctionName=function["arn"])

    groups = deploy.world.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{function.id}")
    assert groups["logGroups"] == []


def total(deploy: Deployer, namespace: str, metric: str, dimensions: dict[str, str]) -> float:
    now = time.time()
    points = deploy.world.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - 300,
        EndTime=now + 60,
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))
