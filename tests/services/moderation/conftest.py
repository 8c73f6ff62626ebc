"""The function as Lambda runs it: awslambdaric in a process of its own, against stand-ins of Lambda's APIs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from quintet.sandbox.emulator import REGION, ROOT_KEY
from services.common import artifacts
from tests.services.conftest import PREFIX, ROOT, TABLE
from tests.services.extensions_api import Invocation, LambdaApis
from tests.services.tiny_model import write_model


def http_event(method: str, path: str, body: str | None = None, **headers: str) -> dict:
    """An event of an HTTP API, payload format 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "example.com", **headers},
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "192.0.2.1"}},
        "body": body,
        "isBase64Encoded": False,
    }


@dataclass
class Function:
    """A running instance of the function."""

    apis: LambdaApis
    process: subprocess.Popen
    output: Path
    started: float

    def moderate(self, text: str) -> Invocation:
        return self.call(http_event("POST", "/moderate", json.dumps({"text": text})))

    def call(self, event: dict) -> Invocation:
        invocation = self.apis.invoke(event)
        assert invocation.answered.wait(30), self.printed()
        return invocation

    def printed(self) -> str:
        return self.output.read_text()


class Lambda:
    """Starts instances of the function, each with a clean environment as Lambda gives it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = Path(tempfile.gettempdir())
        self.started: list[Function] = []

    def start(self, aws_url: str, *, hash_key_id: str = "k", code: Path = ROOT, **environment: str) -> Function:
        apis = LambdaApis()
        declared = {
            "MODELS_BUCKET": "models",
            "MODEL_PREFIX": PREFIX,
            "DECISIONS_TABLE": TABLE,
            "DECISION_TTL_DAYS": "30",
            "HASH_KEY_ID": hash_key_id,
            "ENVIRONMENT": "test",
            "LOG_LEVEL": "INFO",
        }
        lambdas = {
            "AWS_LAMBDA_RUNTIME_API": apis.address,
            "AWS_LAMBDA_FUNCTION_NAME": "moderation",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ROOT_KEY,
            "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
            "AWS_ENDPOINT_URL": aws_url,
            "TMPDIR": str(self.temporary),
            "LAMBDA_TASK_ROOT": str(code),
            "PATH": "/usr/bin:/bin",
        }
        output = self.folder / f"output-{len(self.started)}.log"
        command = [sys.executable, "-m", "awslambdaric", "services.moderation.app.handler"]
        started = time.monotonic()
        with output.open("wb") as file:
            process = subprocess.Popen(
                command, cwd=code, env=declared | lambdas | environment, stdout=file, stderr=subprocess.STDOUT
            )
        self.started.append(Function(apis, process, output, started))
        return self.started[-1]


@pytest.fixture
def aws_lambda(tmp_path) -> Iterator[Lambda]:
    place = Lambda(tmp_path)
    yield place
    for function in place.started:
        function.process.kill()
        function.process.wait()
        function.apis.close()


@pytest.fixture
def model_on_disk(aws_lambda) -> Path:
    """The tiny model where the function's own process looks for it."""
    return write_model(artifacts.folder_of(PREFIX))
