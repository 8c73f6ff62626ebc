"""What a caller gets from a function that works, and from one that does not."""

import pytest
from botocore.exceptions import ClientError

from quintet.sandbox.functions import instance
from quintet.sandbox.functions.answers import REQUEST_LIMIT_BYTES, RESPONSE_LIMIT_BYTES

ECHO = """
    def handler(event, context):
        return {"event": event, "id": context.aws_request_id, "arn": context.invoked_function_arn,
                "left": context.get_remaining_time_in_millis()}
"""
PID = """
    import os
    def handler(event, context):
        if event:
            exec(event)
        return os.getpid()
"""


async def test_a_handler_gets_the_event_and_its_value_is_the_answer(sandbox):
    arn = sandbox.deploy(ECHO)

    reply = await sandbox.invoke(arn, {"text": "ä"}, X_Amzn_Lambda_Request_Id="r-1")

    assert (reply.status, reply.failed) == (200, False)
    assert (reply.body["event"], reply.body["id"], reply.body["arn"]) == ({"text": "ä"}, "r-1", arn)


async def test_a_handler_sees_the_alias_that_was_invoked_and_the_time_that_is_left(sandbox):
    arn = sandbox.deploy(ECHO)

    reply = await sandbox.invoke(arn, X_Amzn_Lambda_Invoked_Function_Arn=arn[:-1] + "live")

    assert reply.body["arn"].endswith(":live")
    assert 4000 < reply.body["left"] <= 5000


async def test_bytes_of_a_handler_reach_the_caller_as_they_are(sandbox):
    arn = sandbox.deploy("def handler(event, context): return b'not json'")

    reply = await sandbox.invoke(arn)

    assert (reply.content, reply.failed) == (b"not json", False)


async def test_what_cannot_be_json_is_an_error_of_the_function(sandbox):
    arn = sandbox.deploy("def handler(event, context): return {1, 2}")

    reply = await sandbox.invoke(arn)

    assert reply.failed
    assert reply.body["errorType"] == "Runtime.MarshalError"


async def test_an_exception_is_the_answer_with_its_type_and_trace(sandbox):
    arn = sandbox.deploy("def handler(event, context): raise KeyError('missing')")

    reply = await sandbox.invoke(arn)

    assert (reply.status, reply.failed) == (200, True)
    assert (reply.body["errorType"], reply.body["errorMessage"]) == ("KeyError", "'missing'")
    assert "app.py" in reply.body["stackTrace"][0]


async def test_an_event_that_is_not_json_is_an_error_of_the_function(sandbox):
    arn = sandbox.deploy(ECHO)

    reply = await sandbox.invoke(arn, b"{")

    assert reply.failed
    assert reply.body["errorType"] == "Runtime.UnmarshalError"


async def test_a_module_that_cannot_be_imported_answers_as_lambda_does(sandbox):
    arn = sandbox.deploy("import not_copied")

    reply = await sandbox.invoke(arn)

    assert reply.failed
    assert reply.body["errorType"] == "Runtime.ImportModuleError"
    assert reply.body["errorMessage"] == "Unable to import module 'app': No module named 'not_copied'"


async def test_a_module_of_the_checkout_that_the_image_lacks_is_missing(sandbox):
    arn = sandbox.deploy("import quintet.project")

    reply = await sandbox.invoke(arn)

    assert reply.body["errorMessage"] == "Unable to import module 'app': No module named 'quintet'"


async def test_a_runtime_that_ends_while_it_starts_is_an_exit_error(sandbox):
    arn = sandbox.deploy("import os; os._exit(3)")

    reply = await sandbox.invoke(arn, X_Amzn_Lambda_Request_Id="r-1")

    assert reply.failed
    assert reply.body == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: r-1 Error: Runtime exited with error: exit status 3",
    }


async def test_a_slow_start_is_tried_again_on_the_function_s_own_time(sandbox, monkeypatch):
    monkeypatch.setattr(instance, "INIT_SECONDS", 0.5)
    arn = sandbox.deploy("import time; time.sleep(0.8)\ndef handler(event, context): return 'ready'")

    reply = await sandbox.invoke(arn)

    assert reply.body == "ready"
    assert [line.split("\t")[1:] for line in sandbox.log() if line.startswith("INIT_REPORT")] == [
        ["Phase: init", "Status: timeout"]
    ]


async def test_a_start_that_never_ends_times_out(sandbox, monkeypatch):
    monkeypatch.setattr(instance, "INIT_SECONDS", 0.3)
    arn = sandbox.deploy("import time; time.sleep(60)", timeout_seconds=1)

    reply = await sandbox.invoke(arn)

    assert reply.body["errorType"] == "Sandbox.Timedout"
    assert sandbox.pids == []


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("os._exit(7)", "Runtime exited with error: exit status 7"),
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("os.kill(os.getpid(), 11)", "Runtime exited with error: signal: segmentation fault"),
    ],
)
async def test_a_runtime_that_ends_within_a_call_is_an_exit_error_and_the_next_call_gets_another(sandbox, end, reason):
    arn = sandbox.deploy(PID)
    before = await sandbox.invoke(arn)

    reply = await sandbox.invoke(arn, end, X_Amzn_Lambda_Request_Id="r-1")
    after = await sandbox.invoke(arn)

    assert reply.failed
    assert reply.body == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: r-1 Error: {reason}"}
    assert after.body not in {before.body, None}


async def test_a_call_that_takes_too_long_is_ended_with_all_that_it_started(sandbox, alive, eventually):
    arn = sandbox.deploy(
        """
        import subprocess, time
        def handler(event, context):
            child = subprocess.Popen(["sleep", "600"])
            print("child", child.pid)
            time.sleep(600)
        """,
        timeout_seconds=1,
    )

    reply = await sandbox.invoke(arn, X_Amzn_Lambda_Request_Id="r-1")

    assert reply.failed
    assert reply.body == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: r-1 Error: Task timed out after 1.00 seconds",
    }
    child = await eventually(lambda: [line for line in sandbox.log() if line.startswith("child")])
    await eventually(lambda: not alive(int(child[0].split()[1])))


async def test_more_memory_than_the_function_has_kills_it(sandbox):
    arn = sandbox.deploy(
        """
        import time
        def handler(event, context):
            held = bytearray(300_000_000)
            time.sleep(event)
            return len(held)
        """,
        memory_mb=128,
    )

    slow = await sandbox.invoke(arn, 30, X_Amzn_Lambda_Request_Id="r-1")
    between_two_looks = await sandbox.invoke(arn, 0)

    message = "RequestId: r-1 Error: Runtime exited with error: signal: killed"
    assert slow.body == {"errorType": "Runtime.OutOfMemory", "errorMessage": message}
    assert between_two_looks.body["errorType"] == "Runtime.OutOfMemory"


async def test_an_event_over_six_megabytes_is_refused(sandbox):
    arn = sandbox.deploy(ECHO)

    reply = await sandbox.invoke(arn, b" " * (REQUEST_LIMIT_BYTES + 1))

    assert (reply.status, reply.headers["X-Amzn-ErrorType"]) == (413, "RequestEntityTooLargeException")
    assert "6291456" in reply.body["Message"]


async def test_an_answer_of_six_megabytes_is_given_and_a_larger_one_is_an_error(sandbox):
    arn = sandbox.deploy("def handler(event, context): return 'x' * event")

    largest = await sandbox.invoke(arn, RESPONSE_LIMIT_BYTES - 2)
    larger = await sandbox.invoke(arn, RESPONSE_LIMIT_BYTES - 1)
    after = await sandbox.invoke(arn, 1)

    assert len(largest.content) == RESPONSE_LIMIT_BYTES
    assert larger.failed
    assert larger.body == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size (6291557 bytes) exceeded maximum allowed payload size (6291556 bytes).",
    }
    assert after.body == "x"


async def test_an_unknown_function_is_not_found(sandbox):
    reply = await sandbox.invoke("arn:aws:lambda:eu-central-1:123456789012:function:nothing:1")

    assert (reply.status, reply.headers["X-Amzn-ErrorType"]) == (404, "ResourceNotFoundException")
    assert "nothing:1" in reply.body["Message"]


@pytest.mark.parametrize(
    ("code", "status", "words"), [("ResourceNotFoundException", 404, "Function not found"), ("Throttling", 500, "Slow")]
)
async def test_what_the_emulator_says_of_a_function_decides_the_refusal(sandbox, monkeypatch, code, status, words):
    def refuse(arn):
        raise ClientError({"Error": {"Code": code, "Message": "Slow down"}}, "GetFunction")

    monkeypatch.setattr(sandbox.functions, "_describe", refuse)

    reply = await sandbox.invoke("arn:aws:lambda:eu-central-1:123456789012:function:some:1")

    assert reply.status == status
    assert words in reply.body["Message"]


async def test_a_call_that_names_no_function_is_refused(sandbox):
    reply = await sandbox.client.post(sandbox.functions.url, content=b"{}")

    assert reply.status_code == 400
    assert "X-Amzn-Lambda-Function-Arn" in reply.json()["Message"]


async def test_a_role_that_cannot_be_assumed_refuses_the_call_and_says_why_in_the_log(sandbox, monkeypatch):
    arn = sandbox.deploy(ECHO)

    def refuse(role_arn, session):
        raise PermissionError("the trust policy lacks lambda.amazonaws.com")

    monkeypatch.setattr(sandbox.functions, "_credentials", refuse)

    reply = await sandbox.invoke(arn)

    assert (reply.status, reply.headers["X-Amzn-ErrorType"]) == (403, "AccessDeniedException")
    assert "the trust policy lacks lambda.amazonaws.com" in sandbox.log()[0]


async def test_a_missing_code_folder_is_a_fault_of_the_sandbox_and_not_of_the_function(sandbox, tmp_path):
    arn = sandbox.deploy(ECHO, code_root=tmp_path / "gone")

    reply = await sandbox.invoke(arn)

    assert reply.status == 500
    assert "gone" in reply.body["Message"]
    assert sandbox.functions.snapshot() == []
