"""An emulated AWS for the session, and a moderation service over a model small enough to be read."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import httpx
import pytest
from botocore.config import Config
from fastapi.testclient import TestClient

from quintet.sandbox.emulator import REGION, ROOT_KEY, Emulator
from services.common import artifacts
from services.common.lambda_environment import LambdaEnvironment
from services.moderation.app import create_app
from services.moderation.settings import Settings
from services.moderation.wiring import Services
from tests.ports import free_port
from tests.services.tiny_model import write_model

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "moderation/tiny-1/"
TABLE = "decisions"


@dataclass(frozen=True)
class Aws:
    """The emulated AWS with the table, the bucket and the key that moderation stands on."""

    url: str
    bucket: str
    table: str
    hash_key_id: str

    def client(self, service: str):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ROOT_KEY,
            aws_secret_access_key=ROOT_KEY,
            config=Config(retries={"total_max_attempts": 2}),
        )

    def rows(self) -> dict[str, dict]:
        table = boto3.resource(
            "dynamodb",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ROOT_KEY,
            aws_secret_access_key=ROOT_KEY,
        ).Table(self.table)
        return {row["decision_id"]: row for row in table.scan(ConsistentRead=True)["Items"]}


@pytest.fixture(scope="session")
def aws(tmp_path_factory) -> Iterator[Aws]:
    emulator = Emulator(tmp_path_factory.mktemp("aws"), free_port())
    emulator.start()
    found = Aws(emulator.url, "models", TABLE, "")
    try:
        found.client("s3").create_bucket(Bucket=found.bucket)
        found.client("dynamodb").create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("decision_id", "day_shard", "decided_at")
            ],
            KeySchema=[{"AttributeName": "decision_id", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-day",
                    "KeySchema": [
                        {"AttributeName": "day_shard", "KeyType": "HASH"},
                        {"AttributeName": "decided_at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
        key = found.client("kms").create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        yield Aws(found.url, found.bucket, TABLE, key["KeyMetadata"]["Arn"])
    finally:
        emulator.stop()


@pytest.fixture(autouse=True)
def closed_aws(monkeypatch, tmp_path) -> None:
    """Unless a test says otherwise, AWS is a port where nobody listens, and the temporary folder the test's own."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    use_aws(monkeypatch, f"http://127.0.0.1:{free_port()}")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


def use_aws(monkeypatch, url: str, *, key: str = ROOT_KEY, secret: str = ROOT_KEY, token: str = "") -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)


@pytest.fixture
def settings() -> Settings:
    return Settings(
        models_bucket="models",
        model_prefix=PREFIX,
        decisions_table=TABLE,
        decision_ttl_days=30,
        hash_key_id="alias/hash",
        environment="test",
        log_level="INFO",
    )


@pytest.fixture
def cached_model() -> Path:
    """The tiny model, where an earlier download would have left it."""
    return write_model(artifacts.folder_of(PREFIX))


@dataclass
class Moderation:
    """A running service: its HTTP side, and what it has behind it."""

    client: TestClient
    services: Services

    def moderate(self, text: str, **kwargs) -> httpx.Response:
        return self.client.post("/moderate", json={"text": text}, **kwargs)

    def flush(self) -> None:
        """Waits until nothing is left to be done after the answers."""
        self.services.after.close(timeout_seconds=20)


@pytest.fixture
def moderation(cached_model, settings) -> Iterator[Moderation]:
    yield from serve(settings)


def serve(settings: Settings) -> Iterator[Moderation]:
    services = Services(settings, LambdaEnvironment(runtime_api=None, memory_mb=None))
    client = TestClient(create_app(services), raise_server_exceptions=False)
    yield Moderation(client, services)
    services.after.close(timeout_seconds=20)


@dataclass
class Lines:
    """What a service printed: its log and its metrics."""

    text: str

    @property
    def log(self) -> list[dict]:
        return [line for line in self._all() if "_aws" not in line]

    def metric(self, name: str) -> float:
        return sum(line[name][0] for line in self._all() if "_aws" in line and name in line)

    def _all(self) -> list[dict]:
        return [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]


@pytest.fixture
def printed(capsys):
    """What was printed since it was last asked for."""

    def read() -> Lines:
        out, err = capsys.readouterr()
        return Lines(out + err)

    return read
