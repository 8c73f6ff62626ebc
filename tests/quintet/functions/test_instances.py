"""How many instances there are, which of them gets a call, and when they end."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from quintet.sandbox.functions import service

PID = """
    import os, time
    def handler(event, context):
        time.sleep(event or 0)
        return os.getpid()
"""


async def pids(sandbox, arn, event=None, *, times):
    return [reply.body for reply in await asyncio.gather(*(sandbox.invoke(arn, event) for _ in range(times)))]


async def test_nothing_runs_before_the_first_call(sandbox):
    sandbox.deploy(PID)

    assert sandbox.functions.snapshot() == []
    assert sandbox.assumed == []


async def test_calls_one_after_the_other_share_an_instance(sandbox):
    arn = sandbox.deploy(PID)

    answers = {(await sandbox.invoke(arn)).body for _ in range(20)}

    assert len(answers) == 1


async def test_parallel_calls_get_an_instance_each(sandbox):
    arn = sandbox.deploy(PID)

    answers = await pids(sandbox, arn, 0.5, times=3)

    assert len(set(answers)) == 3


async def test_calls_beyond_the_bound_wait_for_an_instance(start_sandbox):
    sandbox = await start_sandbox(concurrency=2)
    arn = sandbox.deploy(PID)

    answers = await pids(sandbox, arn, 0.2, times=6)

    assert len(set(answers)) == 2


async def test_a_call_that_waits_too_long_is_throttled(start_sandbox):
    sandbox = await start_sandbox(concurrency=1, queue_seconds=0.2)
    arn = sandbox.deploy(PID)
    await sandbox.invoke(arn)

    replies = await asyncio.gather(sandbox.invoke(arn, 1), sandbox.invoke(arn, 1))

    assert sorted(reply.status for reply in replies) == [200, 429]
    throttled = next(reply for reply in replies if reply.status == 429)
    assert throttled.headers["X-Amzn-ErrorType"] == "TooManyRequestsException"
    assert throttled.body["Reason"] == "ConcurrentInvocationLimitExceeded"


async def test_instances_beyond_one_end_when_idle_and_the_last_one_stays(start_sandbox, monkeypatch, eventually, alive):
    monkeypatch.setattr(service, "_REAP_SECONDS", 0.1)
    sandbox = await start_sandbox(idle_seconds=0.3)
    arn = sandbox.deploy(PID)
    answers = await pids(sandbox, arn, 0.3, times=3)

    await eventually(lambda: len(sandbox.pids) == 1)
    await asyncio.sleep(0.5)

    assert [pid for pid in answers if alive(pid)] == sandbox.pids


async def test_an_old_version_keeps_no_instance(start_sandbox, monkeypatch, eventually):
    monkeypatch.setattr(service, "_REAP_SECONDS", 0.1)
    sandbox = await start_sandbox(idle_seconds=0.3)
    await sandbox.invoke(sandbox.deploy(PID, version="1"))
    await sandbox.invoke(sandbox.deploy(PID, version="2"))

    await eventually(lambda: len(sandbox.pids) == 1)

    assert [i.version for i in sandbox.functions.snapshot()] == ["2"]


async def test_an_instance_that_died_while_idle_is_replaced(sandbox, alive, eventually):
    arn = sandbox.deploy("import os\ndef handler(event, context): return os.getpid()")
    first = await sandbox.invoke(arn)
    await eventually(lambda: [i.state for i in sandbox.functions.snapshot()] == ["idle"])
    sandbox.functions._pools[arn].instances[0]._group.kill()
    await eventually(lambda: not alive(first.body))

    second = await sandbox.invoke(arn)

    assert not second.failed
    assert second.body != first.body


async def test_an_instance_whose_credentials_run_out_is_not_used_again(sandbox):
    sandbox.credential_life = timedelta(minutes=5)
    arn = sandbox.deploy(PID)

    first = await sandbox.invoke(arn)
    second = await sandbox.invoke(arn)

    assert first.body != second.body
    assert sandbox.assumed == ["echo", "echo"]


async def test_a_new_version_gets_new_instances_and_forget_ends_the_old(sandbox, eventually, alive):
    old = await sandbox.invoke(sandbox.deploy(PID, version="1"))
    sandbox.deploy("def handler(event, context): return 'other'", name="other")
    other = await sandbox.invoke("arn:aws:lambda:eu-central-1:123456789012:function:other:1")

    await asyncio.to_thread(sandbox.functions.forget, "echo")
    await eventually(lambda: not alive(old.body))
    new = await sandbox.invoke(sandbox.deploy(PID, version="2"))

    assert other.body == "other"
    assert {(i.function, i.version) for i in sandbox.functions.snapshot()} == {("echo", "2"), ("other", "1")}
    assert new.body in sandbox.pids


async def test_forget_lets_a_call_under_way_finish(sandbox, eventually, alive):
    arn = sandbox.deploy(PID)
    await sandbox.invoke(arn)
    call = asyncio.create_task(sandbox.invoke(arn, 0.5))
    await eventually(lambda: [(i.state, i.invocations) for i in sandbox.functions.snapshot()] == [("busy", 2)])

    sandbox.functions.forget("echo")
    reply = await call

    assert not reply.failed
    await eventually(lambda: not alive(reply.body))


async def test_a_changed_latest_version_is_noticed_without_being_told(sandbox):
    arn = sandbox.deploy(PID, version="$LATEST")
    first = await sandbox.invoke(arn)
    unchanged = await sandbox.invoke(arn)
    sandbox.specs[arn] = replace(sandbox.specs[arn], environment={"STAGE": "dev"})

    changed = await sandbox.invoke(arn)

    assert first.body == unchanged.body
    assert changed.body != first.body


async def test_a_snapshot_tells_what_each_instance_does(sandbox, eventually):
    arn = sandbox.deploy(PID)
    pid = (await sandbox.invoke(arn)).body
    await eventually(lambda: sandbox.functions.snapshot()[0].state == "idle")

    (status,) = sandbox.functions.snapshot()

    assert (status.function, status.version, status.state, status.pid) == ("echo", "1", "idle", pid)
    assert status.invocations == 1
    assert 5 < status.max_memory_mb < 200
