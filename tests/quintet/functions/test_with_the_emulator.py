"""On the emulated AWS: the rights of a role decide what a function may do, and if its lines and metrics are kept."""

import asyncio
import json
import socket
import time

import boto3
import httpx
import pytest

from quintet.sandbox.emulator import ACCOUNT, REGION, ROOT_KEY, Emulator
from quintet.sandbox.functions import Credentials, Functions, FunctionSpec

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
WRITE_LOGS = ["logs:CreateLogStream", "logs:PutLogEvents"]
SOURCE = """
import json, time
import boto3

def handler(event, context):
    print(json.dumps({
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [
            {"Namespace": "Quintet", "Dimensions": [["service"]], "Metrics": [{"Name": "Requests", "Unit": "Count"}]}]},
        "service": "moderation", "Requests": 1}))
    try:
        return boto3.client("s3").list_buckets()["ResponseMetadata"]["HTTPStatusCode"]
    except Exception as error:
        return str(error)
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    emulator = Emulator(tmp_path_factory.mktemp("emulator"), port)
    emulator.start()
    yield emulator
    emulator.stop()


def client(emulator, service, **credentials):
    root = {"aws_access_key_id": ROOT_KEY, "aws_secret_access_key": ROOT_KEY}
    return boto3.client(service, endpoint_url=emulator.url, region_name=REGION, **(credentials or root))


def make_role(emulator, name, actions):
    iam = client(emulator, "iam")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


@pytest.fixture
async def run(emulator, tmp_path):
    """Runs one function with a role that may do some actions; gives the front and the function's answer."""
    started = []

    def assume(role_arn, session):
        given = client(emulator, "sts").assume_role(RoleArn=role_arn, RoleSessionName=session)["Credentials"]
        return Credentials(
            access_key_id=given["AccessKeyId"],
            secret_access_key=given["SecretAccessKey"],
            session_token=given["SessionToken"],
            expires_at=given["Expiration"],
        )

    async def run(name, actions):
        (tmp_path / "app.py").write_text(SOURCE)
        await asyncio.to_thread(client(emulator, "logs").create_log_group, logGroupName=f"/aws/lambda/{name}")
        spec = FunctionSpec(
            arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}:1",
            name=name,
            version="1",
            handler="app.handler",
            code_root=tmp_path,
            image_environment={},
            environment={},
            timeout_seconds=30,
            memory_mb=512,
            role_arn=await asyncio.to_thread(make_role, emulator, name, actions),
            log_group=f"/aws/lambda/{name}",
        )
        functions = Functions(
            describe=lambda arn: spec,
            credentials=assume,
            endpoint_url=emulator.url,
            scratch=tmp_path / "scratch",
            logs=tmp_path / "logs",
            metrics=client(emulator, "cloudwatch"),
        )
        await functions.start()
        started.append(functions)
        async with httpx.AsyncClient(timeout=60) as http:
            headers = {"X-Amzn-Lambda-Function-Arn": spec.arn}
            reply = await http.post(functions.url, content=b"{}", headers=headers)
        return functions, reply.json()

    yield run
    for functions in started:
        await functions.stop()


async def test_a_role_with_rights_has_its_lines_and_metrics_kept(run, emulator, eventually):
    began = int(time.time() * 1000)

    functions, answer = await run("allowed", [*WRITE_LOGS, "s3:ListAllMyBuckets"])

    logs, group = client(emulator, "logs"), "/aws/lambda/allowed"

    def messages():
        return [event["message"] for event in logs.filter_log_events(logGroupName=group, startTime=began)["events"]]

    await eventually(lambda: any(message.startswith("REPORT") for message in messages()))
    metrics = client(emulator, "cloudwatch").list_metrics(Namespace="Quintet")["Metrics"]
    assert answer == 200
    assert [metric["MetricName"] for metric in metrics] == ["Requests"]
    assert metrics[0]["Dimensions"] == [{"Name": "service", "Value": "moderation"}]
    assert functions.lost_log_lines == {}


async def test_a_role_without_rights_is_refused_and_loses_its_lines(run, emulator, eventually, tmp_path):
    functions, answer = await run("refused", ["sqs:ListQueues"])

    await eventually(lambda: functions.lost_log_lines.get("refused"))

    log = tmp_path / "logs" / "refused.log"
    await eventually(lambda: "do not reach the log group /aws/lambda/refused" in log.read_text())
    assert "AccessDenied" in answer
    assert "logs:CreateLogStream" in log.read_text()
    assert client(emulator, "logs").describe_log_streams(logGroupName="/aws/lambda/refused")["logStreams"] == []
