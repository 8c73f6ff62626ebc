"""A function's process has the environment that Lambda would give it and nothing of the sandbox's own."""

import re

import pytest

from quintet.sandbox.functions import InvalidEnvironmentError, refuse_invalid

# What the kernel was given, not what the interpreter made of it.
ENVIRON = """
    def handler(event, context):
        pairs = open("/proc/self/environ", "rb").read().decode().split("\\0")
        return dict(pair.split("=", 1) for pair in pairs if pair)
"""


async def test_the_whole_environment_is_lambdas_and_two_stand_ins(sandbox, logs, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "of-the-developer")
    arn = sandbox.deploy(
        ENVIRON,
        image_environment={"FROM_IMAGE": "1", "BOTH": "image", "TZ": "Europe/Berlin"},
        environment={"DECLARED": "2", "BOTH": "declared"},
    )
    code = str(sandbox.specs[arn].code_root)

    environment = (await sandbox.invoke(arn)).body

    api, stream = environment.pop("AWS_LAMBDA_RUNTIME_API"), environment.pop("AWS_LAMBDA_LOG_STREAM_NAME")
    temporary = environment.pop("TMPDIR")
    assert re.fullmatch(r"127\.0\.0\.1:\d+", api)
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[1\][0-9a-f]{32}", stream)
    assert temporary.startswith(str(sandbox.folder))
    assert environment == {
        "_AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
        "_HANDLER": "app.handler",
        "AWS_ACCESS_KEY_ID": "ASIA0001",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": logs.url,
        "AWS_EXECUTION_ENV": "AWS_Lambda_Image",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_NAME": "echo",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/echo",
        "AWS_REGION": "eu-central-1",
        "AWS_SECRET_ACCESS_KEY": "secret-of-the-role",
        "AWS_SESSION_TOKEN": "token-of-the-role",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "BOTH": "declared",
        "DECLARED": "2",
        "FROM_IMAGE": "1",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": code,
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "PYTHONPATH": code,
        "TZ": "Europe/Berlin",
    }


async def test_each_call_has_its_trace_and_each_instance_its_own_tmp(sandbox):
    arn = sandbox.deploy("""
        import os, tempfile, time
        def handler(event, context):
            time.sleep(0.3)
            return [os.environ["_X_AMZN_TRACE_ID"], tempfile.gettempdir(), os.getcwd()]
    """)
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

    one = await sandbox.invoke(arn, X_Amzn_Trace_Id=trace)
    two = await sandbox.invoke(arn)

    assert one.body[0] == trace
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0", two.body[0])
    assert one.body[1:] == two.body[1:]
    assert one.body[2] == str(sandbox.specs[arn].code_root)


async def test_what_the_image_says_of_reserved_names_does_not_count(sandbox):
    arn = sandbox.deploy(ENVIRON, image_environment={"AWS_REGION": "mars-1", "LAMBDA_TASK_ROOT": "/var/task"})

    environment = (await sandbox.invoke(arn)).body

    assert environment["AWS_REGION"] == "eu-central-1"
    assert environment["LAMBDA_TASK_ROOT"] == str(sandbox.specs[arn].code_root)


async def test_a_function_that_declares_a_reserved_name_is_refused_in_the_words_of_lambda(sandbox):
    arn = sandbox.deploy(ENVIRON, environment={"AWS_REGION": "mars-1", "_HANDLER": "x", "FINE": "1"})

    reply = await sandbox.invoke(arn)

    assert (reply.status, reply.headers["X-Amzn-ErrorType"]) == (400, "InvalidParameterValueException")
    assert reply.body["Message"].endswith("Reserved keys used in this request: AWS_REGION, _HANDLER")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"AWS_SESSION_TOKEN": "x"}, "reserved keys"),
        ({"1ST": "x"}, "not allowed: 1ST"),
        ({"A": "x"}, "at least two characters"),
        ({"BIG": "x" * 4094}, "4097 bytes of 4096"),
    ],
)
def test_an_environment_that_lambda_would_refuse_is_refused(environment, words):
    with pytest.raises(InvalidEnvironmentError, match=words):
        refuse_invalid(environment)


def test_an_environment_of_just_four_kilobytes_is_allowed():
    refuse_invalid(
        {
            "BIG": "x" * 4093,
        }
    )
