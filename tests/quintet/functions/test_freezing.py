"""An instance runs only while it has an invocation, and as long as its extensions work on one."""

import asyncio

# An internal extension, as a service writes one: a thread that asks for events and works after each.
EXTENSION = """
    import json, os, sys, threading, time, urllib.error, urllib.request
    from pathlib import Path

    API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension"
    FOLDER = Path(os.environ["FOLDER"])

    def ask(path, body=None, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(API + path, body, named)
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            answer = error
        return answer.status, dict(answer.headers), json.loads(answer.read())

    def register(name="flush", events=("INVOKE",)):
        return ask("/register", json.dumps({"events": events}).encode(), Lambda_Extension_Name=name)

    def work(identifier, seconds):
        while True:
            _, _, event = ask("/event/next", Lambda_Extension_Identifier=identifier)
            time.sleep(seconds)
            (FOLDER / event["requestId"]).write_text(json.dumps(event))
"""
TICKING = """
    import os, threading, time
    from pathlib import Path

    ticks = Path(os.environ["FOLDER"]) / "ticks"

    def tick():
        while True:
            with ticks.open("a") as file:
                file.write(".")
            time.sleep(0.005)

    def handler(event, context):
        if event == "start":
            threading.Thread(target=tick, daemon=True).start()
        time.sleep(0.1)
"""


def folder(path):
    return {"FOLDER": str(path)}


async def frozen(sandbox, eventually):
    """Waits until the one instance rests."""
    await eventually(lambda: [i.state for i in sandbox.functions.snapshot()] == ["idle"])


async def test_a_thread_left_behind_does_not_run_between_calls_and_runs_again_in_the_next(
    sandbox, tmp_path, eventually
):
    arn = sandbox.deploy(TICKING, environment=folder(tmp_path))
    ticks = tmp_path / "ticks"
    await sandbox.invoke(arn, "start")
    await frozen(sandbox, eventually)
    at_first = ticks.stat().st_size

    await asyncio.sleep(0.4)
    still = ticks.stat().st_size
    await sandbox.invoke(arn)

    assert at_first > 0
    assert still == at_first
    assert ticks.stat().st_size > still


async def test_a_child_process_that_left_the_group_is_frozen_too(sandbox, tmp_path, eventually):
    arn = sandbox.deploy(
        """
        import os, subprocess, time
        LOOP = "while true; do echo . >> $FOLDER/ticks; sleep 0.01; done"
        def handler(event, context):
            if event:
                subprocess.Popen(["setsid", "sh", "-c", LOOP])
            time.sleep(0.2)
        """,
        environment=folder(tmp_path),
    )
    ticks = tmp_path / "ticks"
    await sandbox.invoke(arn, "start")
    await frozen(sandbox, eventually)
    await asyncio.sleep(0.1)
    at_first = ticks.stat().st_size

    await asyncio.sleep(0.4)
    still = ticks.stat().st_size
    await sandbox.invoke(arn)

    assert still == at_first > 0
    assert ticks.stat().st_size > still


async def test_an_extension_finishes_its_work_before_the_freeze_and_does_not_delay_the_answer(
    sandbox, tmp_path, eventually
):
    arn = sandbox.deploy(
        EXTENSION
        + """
    _, headers, registered = register()
    threading.Thread(target=work, args=(headers["Lambda-Extension-Identifier"], 1), daemon=True).start()
    def handler(event, context):
        return registered
""",
        environment=folder(tmp_path),
    )
    await sandbox.invoke(arn, X_Amzn_Lambda_Request_Id="r-0")
    await frozen(sandbox, eventually)

    reply = await sandbox.invoke(arn, X_Amzn_Lambda_Request_Id="r-1")
    written_at_the_answer = (tmp_path / "r-1").exists()
    await frozen(sandbox, eventually)

    assert reply.body == {"functionName": "echo", "functionVersion": "1", "handler": "app.handler"}
    assert not written_at_the_answer
    event = (tmp_path / "r-1").read_text()
    assert '"eventType": "INVOKE"' in event
    assert arn in event


async def test_an_instance_whose_extension_works_gets_no_other_call(sandbox, tmp_path):
    arn = sandbox.deploy(
        EXTENSION
        + """
    _, headers, _ = register()
    threading.Thread(target=work, args=(headers["Lambda-Extension-Identifier"], 1), daemon=True).start()
    def handler(event, context):
        return os.getpid()
""",
        environment=folder(tmp_path),
    )

    first = await sandbox.invoke(arn)
    second = await sandbox.invoke(arn)

    assert first.body != second.body


async def test_an_extension_that_outlasts_the_timeout_ends_the_instance_and_the_answer_stands(
    sandbox, tmp_path, eventually
):
    arn = sandbox.deploy(
        EXTENSION
        + """
    _, headers, _ = register()
    threading.Thread(target=work, args=(headers["Lambda-Extension-Identifier"], 60), daemon=True).start()
    def handler(event, context):
        return "given"
""",
        environment=folder(tmp_path),
        timeout_seconds=1,
    )

    reply = await sandbox.invoke(arn)
    await eventually(lambda: sandbox.functions.snapshot() == [])

    assert (reply.body, reply.failed) == ("given", False)
    assert any("Task timed out after 1.00 seconds" in line for line in sandbox.log())


async def test_an_internal_extension_may_not_ask_for_shutdown_nor_register_late_or_twice(sandbox, tmp_path):
    arn = sandbox.deploy(
        EXTENSION
        + """
    shutdown = register("a", ["INVOKE", "SHUTDOWN"])
    nameless = ask("/register", b"{}")
    malformed = ask("/register", b"[", Lambda_Extension_Name="b")
    _, headers, _ = register("c")
    again = register("c")
    unknown = ask("/event/next", Lambda_Extension_Identifier="0")
    anonymous = ask("/event/next")
    threading.Thread(target=work, args=(headers["Lambda-Extension-Identifier"], 0), daemon=True).start()
    def handler(event, context):
        answers = [shutdown, nameless, malformed, again, unknown, anonymous, register("late")]
        return [[status, body["errorType"]] for status, _, body in answers]
""",
        environment=folder(tmp_path),
    )

    reply = await sandbox.invoke(arn)

    assert reply.body == [
        [403, "Extension.InvalidEventType"],
        [403, "Extension.InvalidExtensionName"],
        [403, "InvalidRequestFormat"],
        [403, "Extension.InvalidExtensionState"],
        [403, "Extension.UnknownExtensionIdentifier"],
        [403, "Extension.MissingExtensionIdentifier"],
        [403, "Extension.RegistrationClosed"],
    ]


async def test_an_extension_that_asks_for_it_is_told_the_account(sandbox, tmp_path):
    arn = sandbox.deploy(
        EXTENSION
        + """
    _, headers, told = ask("/register", b"{}", Lambda_Extension_Name="a", Lambda_Extension_Accept_Feature="accountId")
    threading.Thread(target=work, args=(headers["Lambda-Extension-Identifier"], 0), daemon=True).start()
    def handler(event, context):
        return told["accountId"]
""",
        environment=folder(tmp_path),
    )

    reply = await sandbox.invoke(arn)

    assert reply.body == "123456789012"


async def test_an_eleventh_extension_is_refused(sandbox, tmp_path):
    arn = sandbox.deploy(
        EXTENSION
        + """
    ids = [register(str(n), [])[1]["Lambda-Extension-Identifier"] for n in range(10)]
    eleventh = register("11", [])
    for identifier in ids:
        threading.Thread(target=work, args=(identifier, 0), daemon=True).start()
    def handler(event, context):
        return eleventh[2]["errorType"]
""",
        environment=folder(tmp_path),
    )

    reply = await sandbox.invoke(arn)

    assert reply.body == "Extension.TooManyExtensions"


async def test_an_extension_that_fails_to_start_fails_the_call(sandbox, tmp_path):
    arn = sandbox.deploy(
        EXTENSION
        + """
    _, headers, _ = register()
    own = {"Lambda_Extension_Identifier": headers["Lambda-Extension-Identifier"]}
    print("without a type", ask("/init/error", b"{}", **own)[0])
    ask("/init/error", b"{}", Lambda_Extension_Function_Error_Type="Flush.NoDisk", **own)
    def handler(event, context):
        return 1
""",
        environment=folder(tmp_path),
    )

    reply = await sandbox.invoke(arn)

    assert reply.failed
    assert reply.body["errorType"] == "Extension.InitError"
    assert "Flush.NoDisk" in reply.body["errorMessage"]
    assert "without a type 403" in sandbox.log()


async def test_an_extension_that_gives_up_within_a_call_fails_it(sandbox, tmp_path):
    arn = sandbox.deploy(
        EXTENSION
        + """
    _, headers, _ = register()
    own = {"Lambda_Extension_Identifier": headers["Lambda-Extension-Identifier"]}
    def give_up():
        ask("/event/next", **own)
        ask("/exit/error", b"{}", Lambda_Extension_Function_Error_Type="Flush.Gone", **own)
    threading.Thread(target=give_up, daemon=True).start()
    def handler(event, context):
        time.sleep(30)
""",
        environment=folder(tmp_path),
    )

    reply = await sandbox.invoke(arn)

    assert reply.failed
    assert reply.body["errorType"] == "Extension.ExitError"
