"""The moderation function alone, as the sandbox runs it: the Runtime API and awslambdaric, no HTTP API before it."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from benchmarks.live import ROOT
from quintet.sandbox.functions import Credentials, Functions, FunctionSpec
from services.common import artifacts

ARN = "arn:aws:lambda:us-east-1:123456789012:function:moderation:1"
PREFIX = "moderation/benchmark/"
TEXT = "The delivery was late again, but the people at the desk were friendly and sorted it out within ten minutes."
EVENT = json.dumps(
    {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/moderate",
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "127.0.0.1"},
        "requestContext": {"http": {"method": "POST", "path": "/moderate", "sourceIp": "127.0.0.1"}},
        "body": json.dumps({"text": TEXT}),
        "isBase64Encoded": False,
    }
)


class LocalFunction:
    """Calls the function; every answer must be one of a judged text."""

    def __init__(self, functions: Functions, session: aiohttp.ClientSession) -> None:
        self._functions, self._session = functions, session

    async def moderate(self) -> None:
        """One call of POST /moderate."""
        headers = {
            "X-Amzn-Lambda-Function-Arn": ARN,
            "X-Amzn-Lambda-Request-Id": "00000000-0000-0000-0000-000000000000",
        }
        async with self._session.post(self._functions.url, data=EVENT, headers=headers) as response:
            answer = json.loads(await response.text())
        if answer.get("statusCode") != 200:
            raise RuntimeError(f"the function did not judge the text: {answer}")

    async def end_instances(self) -> None:
        """The next call is a cold start."""
        self._functions.forget("moderation")
        await asyncio.sleep(1)


@asynccontextmanager
async def local_function(aws_url: str) -> AsyncIterator[LocalFunction]:
    """The function with the repository's model on its disk; it writes its decisions to `aws_url`."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / "tmp"
        shutil.copytree(ROOT / "models" / "moderation", artifacts.folder_of(PREFIX, temporary / "models"))
        spec = FunctionSpec(
            arn=ARN,
            name="moderation",
            version="1",
            handler="services.moderation.app.handler",
            code_root=ROOT,
            image_environment={},
            environment={
                "MODELS_BUCKET": "none",
                "MODEL_PREFIX": PREFIX,
                "DECISIONS_TABLE": "decisions",
                "DECISION_TTL_DAYS": "1",
                "HASH_KEY_ID": "key",
                "ENVIRONMENT": "benchmark",
                "LOG_LEVEL": "WARNING",
                "TMPDIR": str(temporary),
            },
            timeout_seconds=29,
            memory_mb=1769,
            role_arn="arn:aws:iam::123456789012:role/benchmark",
            log_group="/benchmark",
        )
        functions = Functions(
            describe=lambda _: spec,
            credentials=lambda *_: Credentials(
                access_key_id="test",
                secret_access_key="test",
                session_token="test",
                expires_at=datetime.now(UTC) + timedelta(hours=1),
            ),
            endpoint_url=aws_url,
            scratch=Path(folder) / "scratch",
            logs=Path(folder),
        )
        await functions.start()
        try:
            async with aiohttp.ClientSession() as session:
                yield LocalFunction(functions, session)
        finally:
            await functions.stop()
