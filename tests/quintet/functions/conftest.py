"""A front with functions whose code the test writes, and a stand-in for the emulated CloudWatch Logs."""

import asyncio
import json
import textwrap
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from aiohttp import web

from quintet.sandbox.functions import Credentials, Functions, FunctionSpec, Limits

ROLE = "arn:aws:iam::123456789012:role/function"


@dataclass
class Reply:
    """What a caller of the front gets."""

    status: int
    headers: httpx.Headers
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)

    @property
    def failed(self) -> bool:
        return self.headers.get("X-Amz-Function-Error") == "Unhandled"


@dataclass
class LogsStandIn:
    """The part of the CloudWatch Logs API that is written to; `denied` refuses everything as IAM does."""

    url: str = ""
    denied: bool = False
    groups: set[str] = field(default_factory=set)
    streams: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)

    @property
    def messages(self) -> list[str]:
        return [event["message"] for events in self.streams.values() for event in events]

    async def handle(self, request: web.Request) -> web.Response:
        operation = request.headers["X-Amz-Target"].split(".")[1]
        body = await request.json()
        self.calls.append((operation, request.headers["Authorization"].split("Credential=")[1].split("/")[0]))
        if self.denied:
            return self._error("AccessDeniedException", "not authorized to perform: logs:" + operation)
        return getattr(self, "_" + operation)(body)

    def _CreateLogGroup(self, body: dict[str, Any]) -> web.Response:  # noqa: N802  the name of the operation
        self.groups.add(body["logGroupName"])
        return web.json_response({})

    def _CreateLogStream(self, body: dict[str, Any]) -> web.Response:  # noqa: N802  the name of the operation
        if body["logGroupName"] not in self.groups:
            return self._error("ResourceNotFoundException", "no such group")
        self.streams.setdefault(body["logStreamName"], [])
        return web.json_response({})

    def _PutLogEvents(self, body: dict[str, Any]) -> web.Response:  # noqa: N802  the name of the operation
        events = body["logEvents"]
        size = sum(len(event["message"].encode()) + 26 for event in events)
        if len(events) > 10_000 or size > 1024 * 1024 or events != sorted(events, key=lambda event: event["timestamp"]):
            return self._error("InvalidParameterException", "too many events, too large, or not in order")
        self.streams[body["logStreamName"]] += events
        return web.json_response({})

    @staticmethod
    def _error(code: str, message: str) -> web.Response:
        return web.json_response({"__type": code, "message": message}, status=400)


@dataclass
class MetricsStandIn:
    """Keeps what is put; the contract is that of a boto3 `cloudwatch` client."""

    data: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def put_metric_data(self, *, Namespace: str, MetricData: list[dict[str, Any]]) -> None:  # noqa: N803  boto3's names
        self.data += [(Namespace, datum) for datum in MetricData]


@dataclass
class Sandbox:
    """A front and the functions that a test deployed."""

    folder: Path
    logs: LogsStandIn
    metrics: MetricsStandIn
    specs: dict[str, FunctionSpec] = field(default_factory=dict)
    credential_life: timedelta = timedelta(hours=1)
    assumed: list[str] = field(default_factory=list)
    functions: Functions = field(init=False)
    client: httpx.AsyncClient = field(init=False)

    def deploy(self, source: str, *, name: str = "echo", version: str = "1", **changes: Any) -> str:
        """Writes `app.py` and describes a version of a function over it; returns its ARN."""
        code = self.folder / "code" / f"{name}-{version}"
        code.mkdir(parents=True, exist_ok=True)
        (code / "app.py").write_text(textwrap.dedent(source))
        arn = f"arn:aws:lambda:eu-central-1:123456789012:function:{name}:{version}"
        spec = FunctionSpec(
            arn=arn,
            name=name,
            version=version,
            handler="app.handler",
            code_root=code,
            image_environment={},
            environment={},
            timeout_seconds=5,
            memory_mb=512,
            role_arn=ROLE,
            log_group=f"/aws/lambda/{name}",
        )
        self.specs[arn] = replace(spec, **changes)
        return arn

    async def invoke(self, arn: str, event: Any = None, **headers: str) -> Reply:
        """Posts an event to the front as the emulator does; bytes are sent as they are."""
        content = event if isinstance(event, bytes) else json.dumps(event).encode()
        sent = {"X-Amzn-Lambda-Function-Arn": arn, **{name.replace("_", "-"): value for name, value in headers.items()}}
        response = await self.client.post(self.functions.url, content=content, headers=sent)
        return Reply(response.status_code, response.headers, response.content)

    def log(self, name: str = "echo") -> list[str]:
        """The messages in a function's log file, without time and instance."""
        path = self.folder / "logs" / f"{name}.log"
        return [line.split(" ", 2)[2] for line in path.read_text().splitlines()] if path.exists() else []

    def credentials(self, role_arn: str, session: str) -> Credentials:
        self.assumed.append(session)
        return Credentials(
            access_key_id=f"ASIA{len(self.assumed):04d}",
            secret_access_key="secret-of-the-role",
            session_token="token-of-the-role",
            expires_at=datetime.now(UTC) + self.credential_life,
        )

    def describe(self, arn: str) -> FunctionSpec:
        return self.specs[arn]

    @property
    def pids(self) -> list[int]:
        return [instance.pid for instance in self.functions.snapshot() if instance.pid]


StartSandbox = Callable[..., Any]


@pytest.fixture
async def logs() -> AsyncIterator[LogsStandIn]:
    stand_in = LogsStandIn()
    application = web.Application(client_max_size=0)
    application.router.add_post("/", stand_in.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stand_in.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield stand_in
    await runner.cleanup()


@pytest.fixture
async def start_sandbox(tmp_path: Path, logs: LogsStandIn) -> AsyncIterator[StartSandbox]:
    """Starts a front with the limits that a test needs."""
    started: list[Sandbox] = []

    async def start(**limits: Any) -> Sandbox:
        sandbox = Sandbox(tmp_path, logs, MetricsStandIn())
        sandbox.functions = Functions(
            describe=sandbox.describe,
            credentials=sandbox.credentials,
            endpoint_url=logs.url,
            scratch=tmp_path / "scratch",
            logs=tmp_path / "logs",
            metrics=sandbox.metrics,
            limits=Limits(**limits),
        )
        await sandbox.functions.start()
        sandbox.client = httpx.AsyncClient(timeout=60)
        started.append(sandbox)
        return sandbox

    yield start
    for sandbox in started:
        await sandbox.client.aclose()
        await sandbox.functions.stop()


@pytest.fixture
async def sandbox(start_sandbox: StartSandbox) -> Sandbox:
    return await start_sandbox()


async def eventually(holds: Callable[[], Any], *, seconds: float = 10) -> Any:
    """Waits until something holds, and fails with what it last was."""
    async with asyncio.timeout(seconds):
        while not (value := holds()):  # noqa: ASYNC110  what is waited for is outside this loop
            await asyncio.sleep(0.02)
    return value


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., Any]:
    return eventually


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(name="alive")
def alive_fixture() -> Callable[[int], bool]:
    return alive
