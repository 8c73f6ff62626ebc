"""The sentiment service over a model small enough to be read: in this process, and in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from services.common import artifacts
from services.sentiment.app import create_app
from services.sentiment.settings import Settings
from services.sentiment.wiring import Services
from tests.ports import free_port
from tests.services.conftest import ROOT
from tests.services.tiny_model import write_sentiment_model

PREFIX = "sentiment/tiny-1/"
JSON = {"Content-Type": "application/json"}

VARIABLES = {
    "ENVIRONMENT": "test",
    "LOG_LEVEL": "INFO",
    "HOST": "127.0.0.1",
    "PORT": "8000",
    "MODELS_BUCKET": "models",
    "MODEL_PREFIX": PREFIX,
    "BACKEND": "onnx",
    "THREADS": "1",
    "AUTHORIZATION": "none",
    "API_KEYS": "{}",
    "JWT_ISSUER": "",
    "JWT_AUDIENCES": "[]",
    "JWKS_URL": "",
    "CORS_ORIGINS": "[]",
    "RATE_LIMIT": "0",
    "CONCURRENCY_PER_KEY": "0",
    "MAX_BATCH_TOKENS": "2048",
    "MAX_QUEUE_TOKENS": "100000",
    "TARGET_P95_MS": "100",
    "REQUEST_TIMEOUT_MS": "5000",
    "CACHE_ENTRIES": "0",
    "CACHE_TTL_SECONDS": "60",
    "REDIS_URL": "",
    "DRAIN_SECONDS": "0.5",
}


def settings_of(**changes: str) -> Settings:
    """The settings that these variables make, read as the service reads them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (VARIABLES | changes).items():
            patch.setenv(name, value)
        return Settings()


def wait_for(holds: Callable[[], bool], *, seconds: float = 15.0) -> None:
    """Waits until it holds, or fails."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


@pytest.fixture
def cached_model() -> Path:
    """The tiny model, where an earlier download would have left it."""
    return write_sentiment_model(artifacts.folder_of(PREFIX))


@dataclass
class Sentiment:
    """A running service: its HTTP side, and what it has behind it."""

    client: TestClient
    services: Services

    def predict(self, text: str, **named) -> httpx.Response:
        return self.client.post("/predict", json={"text": text}, **named)

    def metric(self, line: str) -> float:
        """The value of one series, written as Prometheus writes it; 0 where it is absent."""
        lines = self.client.get("/metrics").text.splitlines()
        return sum(float(each.rsplit(" ", 1)[1]) for each in lines if each.startswith(f"{line} "))

    def is_ready(self) -> bool:
        return self.client.get("/readyz").status_code == 200


@contextmanager
def serving(*, ready: bool = True, **changes: str) -> Iterator[Sentiment]:
    """The service with these variables changed."""
    services = Services(settings_of(**changes))
    with TestClient(create_app(services), raise_server_exceptions=False) as client:
        sentiment = Sentiment(client, services)
        if ready:
            wait_for(sentiment.is_ready)
        yield sentiment


@pytest.fixture
def sentiment(cached_model) -> Iterator[Sentiment]:
    with serving() as found:
        yield found


@dataclass
class Pod:
    """The service in a process of its own."""

    process: subprocess.Popen
    port: int
    log: Path
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def printed(self) -> str:
        return self.log.read_text()

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.printed().splitlines() if line.startswith("{")]

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.printed()
        try:
            return httpx.get(f"{self.url}/readyz").status_code == 200
        except httpx.HTTPError:
            return False


class Pods:
    """Starts pods, each with the environment that its Deployment would give it and no other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[Pod] = []

    def start(self, *, ready: bool = True, **changes: str) -> Pod:
        port = free_port()
        place = {
            "PATH": "/usr/bin:/bin",
            "TMPDIR": tempfile.gettempdir(),
            **{name: value for name, value in os.environ.items() if name.startswith("AWS_")},
        }
        log = self.folder / f"pod-{len(self.started)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "services.sentiment"],
                cwd=ROOT,
                env=VARIABLES | {"PORT": str(port)} | place | changes,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self.started.append(Pod(process, port, log))
        if ready:
            wait_for(self.started[-1].is_ready, seconds=30)
        return self.started[-1]


@pytest.fixture
def pods(tmp_path) -> Iterator[Pods]:
    place = Pods(tmp_path)
    yield place
    for pod in place.started:
        pod.process.kill()
        pod.process.wait()
