"""Nothing of a sandbox's functions outlives it, however it ends."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from quintet.errors import Exit, QuintetError
from quintet.sandbox.functions import Functions

# Starts a child that leaves the session, which killing the group alone would miss.
FAMILY = """
    import os, subprocess
    def handler(event, context):
        inside = subprocess.Popen(["sleep", "600"])
        outside = subprocess.Popen(["sleep", "600"], start_new_session=True)
        return [os.getpid(), inside.pid, outside.pid]
"""

PARENT = """
    import asyncio, sys
    from datetime import UTC, datetime, timedelta
    from pathlib import Path

    import httpx
    from quintet.sandbox.functions import Credentials, Functions, FunctionSpec

    FOLDER = Path(sys.argv[1])
    ARN = "arn:aws:lambda:eu-central-1:123456789012:function:family:1"
    SPEC = FunctionSpec(
        arn=ARN, name="family", version="1", handler="app.handler", code_root=FOLDER, image_environment={},
        environment={}, timeout_seconds=5, memory_mb=512, role_arn="role", log_group="group",
    )

    def credentials(role, session):
        later = datetime.now(UTC) + timedelta(hours=1)
        return Credentials(access_key_id="a", secret_access_key="b", session_token="c", expires_at=later)

    async def main():
        functions = Functions(
            describe=lambda arn: SPEC, credentials=credentials, endpoint_url="http://127.0.0.1:9",
            scratch=FOLDER / "scratch", logs=FOLDER / "logs",
        )
        await functions.start()
        async with httpx.AsyncClient() as client:
            reply = await client.post(functions.url, content=b"{}", headers={"X-Amzn-Lambda-Function-Arn": ARN})
        while functions.snapshot()[0].state != "idle":
            await asyncio.sleep(0.01)
        print(*reply.json(), functions._watchdog.pid, flush=True)
        await asyncio.sleep(600)

    asyncio.run(main())
"""


@pytest.fixture
def parent(tmp_path):
    """A process that runs functions, of which one instance is frozen; and all pids that must go with it."""
    (tmp_path / "app.py").write_text(textwrap.dedent(FAMILY))
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    yield process, [int(pid) for pid in process.stdout.readline().split()]
    process.kill()
    process.communicate()


async def test_stopping_leaves_no_process_no_port_and_no_scratch(start_sandbox, alive, tmp_path):
    sandbox = await start_sandbox()
    family = (await sandbox.invoke(sandbox.deploy(FAMILY))).body
    watchdog = sandbox.functions._watchdog.pid

    await sandbox.functions.stop()

    assert [pid for pid in [*family, watchdog] if alive(pid)] == []
    assert list((tmp_path / "scratch").iterdir()) == []
    with pytest.raises(Exception, match="connection"):
        await sandbox.invoke(sandbox.deploy(FAMILY))


async def test_a_port_that_is_taken_is_said_and_leaves_nothing(start_sandbox, alive, tmp_path):
    first = await start_sandbox()
    taken = int(first.functions.url.rpartition(":")[2])
    second = Functions(
        describe=first.describe,
        credentials=first.credentials,
        endpoint_url="http://127.0.0.1:9",
        scratch=tmp_path / "second",
        logs=tmp_path / "logs",
    )

    with pytest.raises(QuintetError, match=f"port {taken}") as raised:
        await second.start(taken)

    assert raised.value.exit_code is Exit.PORT_IN_USE
    assert not alive(second._watchdog.pid)
    assert list((tmp_path / "second").iterdir()) == []


async def test_stopping_ends_a_call_under_way_and_says_so(start_sandbox, eventually):
    sandbox = await start_sandbox()
    arn = sandbox.deploy("import time\ndef handler(event, context): time.sleep(60)", timeout_seconds=60)
    call = asyncio.create_task(sandbox.invoke(arn))
    (status,) = await eventually(lambda: [i for i in sandbox.functions.snapshot() if i.state == "busy"])

    await sandbox.functions.stop()

    assert (await call).status == 503
    with pytest.raises(ProcessLookupError):
        os.kill(status.pid, 0)


async def test_killing_the_sandbox_outright_leaves_nothing(parent, alive, eventually):
    process, pids = parent
    assert len(pids) == 4
    assert all(map(alive, pids))

    process.send_signal(signal.SIGKILL)
    process.wait()

    await eventually(lambda: not any(map(alive, pids)))


async def test_the_watchdog_outlives_an_interrupt_that_was_meant_for_the_sandbox(parent, alive, eventually):
    process, pids = parent
    watchdog = pids[-1]
    os.kill(watchdog, signal.SIGINT)
    os.kill(watchdog, signal.SIGTERM)

    still = alive(watchdog)
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert still
    await eventually(lambda: not any(map(alive, pids)))
