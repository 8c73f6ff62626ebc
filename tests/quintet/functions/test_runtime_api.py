"""The Runtime API, asked by a runtime that is not awslambdaric: what it takes and what it refuses."""

import asyncio

import httpx
import pytest

from quintet.sandbox.functions.answers import RESPONSE_LIMIT_BYTES, Answer, Invocation
from quintet.sandbox.functions.runtime_api import PREFIX, RuntimeApi
from quintet.sandbox.functions.spec import FunctionSpec

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:echo:1"


class Heard:
    """Keeps what the API tells."""

    def __init__(self):
        self.settlements = 0
        self.failures = []

    def settled(self):
        self.settlements += 1

    def init_failed(self, answer):
        self.failures.append(answer)

    def extension_failed(self, kind, error_type):
        self.failures.append((kind, error_type))


class Runtime:
    """An API, a client of it, and what it told."""

    def __init__(self, api, heard, client):
        self.api, self.heard, self.client = api, heard, client

    async def take(self, request_id="r-1"):
        """Asks for an invocation and is given one."""
        asking = asyncio.create_task(self.client.get(f"{PREFIX}/invocation/next"))
        settled = self.heard.settlements
        async with asyncio.timeout(5):
            while self.heard.settlements == settled:  # noqa: ASYNC110  told by the server, which is not awaited here
                await asyncio.sleep(0.01)
        invocation = Invocation(b'{"n": 1}', ARN, request_id, "Root=1-0-0", 1700000000000)
        self.api.deliver(invocation)
        return invocation, await asking


@pytest.fixture
async def runtime(tmp_path):
    spec = FunctionSpec(
        arn=ARN,
        name="echo",
        version="1",
        handler="app.handler",
        code_root=tmp_path,
        image_environment={},
        environment={},
        timeout_seconds=5,
        memory_mb=128,
        role_arn="role",
        log_group="group",
    )
    heard = Heard()
    api = RuntimeApi(spec, heard, accept=lambda invocation, answer: invocation.resolve(answer))
    await api.start()
    async with httpx.AsyncClient(base_url=f"http://{api.address}") as client:
        yield Runtime(api, heard, client)
        await api.stop()


async def test_an_invocation_carries_its_event_and_its_context(runtime):
    _, given = await runtime.take()

    assert given.json() == {"n": 1}
    assert {name: value for name, value in given.headers.items() if name.startswith("lambda-runtime")} == {
        "lambda-runtime-aws-request-id": "r-1",
        "lambda-runtime-deadline-ms": "1700000000000",
        "lambda-runtime-invoked-function-arn": ARN,
        "lambda-runtime-trace-id": "Root=1-0-0",
    }


async def test_an_answer_may_come_in_chunks(runtime):
    invocation, _ = await runtime.take()

    async def chunks():
        yield b'{"a":'
        yield b" 1}"

    taken = await runtime.client.post(f"{PREFIX}/invocation/r-1/response", content=chunks())

    assert taken.status_code == 202
    assert (await invocation.answer).body == b'{"a": 1}'


async def test_an_answer_in_chunks_that_grows_too_large_is_refused(runtime):
    invocation, _ = await runtime.take()

    async def chunks():
        for _ in range(7):
            yield b"x" * 1024 * 1024

    refused = await runtime.client.post(f"{PREFIX}/invocation/r-1/response", content=chunks())

    assert (refused.status_code, refused.json()["errorType"]) == (413, "RequestEntityTooLarge")
    assert str(RESPONSE_LIMIT_BYTES) in refused.json()["errorMessage"]
    assert (await invocation.answer).error_type == "Function.ResponseSizeTooLarge"


async def test_an_error_reaches_the_caller_with_its_type(runtime):
    invocation, _ = await runtime.take()
    headers = {"Lambda-Runtime-Function-Error-Type": "Runtime.BadWeather", "Content-Type": "application/json"}

    taken = await runtime.client.post(f"{PREFIX}/invocation/r-1/error", content=b"{}", headers=headers)

    assert taken.status_code == 202
    assert await invocation.answer == Answer(b"{}", "application/json", "Runtime.BadWeather")


@pytest.mark.parametrize("kind", ["response", "error"])
async def test_an_answer_to_another_invocation_is_refused(runtime, kind):
    invocation, _ = await runtime.take()

    refused = await runtime.client.post(f"{PREFIX}/invocation/r-2/{kind}", content=b"{}")

    assert (refused.status_code, refused.json()["errorType"]) == (400, "InvalidRequestID")
    assert not invocation.answered


async def test_a_second_answer_is_refused_and_the_first_stands(runtime):
    invocation, _ = await runtime.take()
    await runtime.client.post(f"{PREFIX}/invocation/r-1/response", content=b"1")

    refused = await runtime.client.post(f"{PREFIX}/invocation/r-1/response", content=b"2")

    assert (refused.status_code, refused.json()["errorType"]) == (403, "InvalidStateTransition")
    assert (await invocation.answer).body == b"1"


async def test_a_failed_start_is_told_and_after_the_start_refused(runtime):
    failed = {"errorType": "Runtime.NoModel", "errorMessage": "no model"}

    told = await runtime.client.post(f"{PREFIX}/init/error", json=failed)
    await runtime.take()
    late = await runtime.client.post(f"{PREFIX}/init/error", json=failed)

    assert (told.status_code, late.status_code) == (202, 403)
    (answer,) = runtime.heard.failures
    assert answer.error_type == "Runtime.InitError"


async def test_a_runtime_that_asks_twice_loses_its_first_connection(runtime):
    first = asyncio.create_task(runtime.client.get(f"{PREFIX}/invocation/next"))
    while not runtime.heard.settlements:  # noqa: ASYNC110  told by the server, which is not awaited here
        await asyncio.sleep(0.01)

    _, given = await runtime.take()

    assert (await first).status_code == 503
    assert given.status_code == 200


async def test_an_invocation_for_a_runtime_that_did_not_ask_is_a_fault(runtime):
    with pytest.raises(RuntimeError, match="has not asked"):
        runtime.api.deliver(Invocation(b"", ARN))
