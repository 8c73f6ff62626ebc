"""Brings the lines of a function to its log group, in the background and with the rights of its role."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from quintet.sandbox.functions.metrics import EmbeddedMetrics
from quintet.sandbox.functions.spec import Credentials

INTERVAL_SECONDS = 0.5
# PutLogEvents takes 10 000 events and 1 MiB, each event counted with 26 bytes more.
_BATCH_EVENTS = 10_000
_BATCH_BYTES = 1024 * 1024
_EVENT_OVERHEAD_BYTES = 26
# What waits for the emulator is bounded; older lines are lost first, and counted.
_WAITING_EVENTS = 50_000


@dataclass(frozen=True)
class LogEvent:
    """One line of one instance."""

    stream: str
    timestamp_ms: int
    message: str


class LogGroupWriter:
    """Writes the events of one function; a role that may not write logs loses them, which is told once."""

    def __init__(
        self,
        log_group: str,
        *,
        region: str,
        endpoint_url: str,
        metrics: EmbeddedMetrics,
        on_loss: Callable[[str], None],
    ) -> None:
        """Prepares a writer; nothing is sent before `credentials` are set.

        Args:
            log_group: its name.
            region: of the function.
            endpoint_url: the emulated AWS.
            metrics: gets the lines that have been written, as CloudWatch reads metrics from what it stored.
            on_loss: told, once each, why lines or metrics are being lost; called from a thread.
        """
        self.credentials: Credentials | None = None
        self.lost = 0
        self._log_group, self._region, self._endpoint_url = log_group, region, endpoint_url
        self._metrics, self._on_loss = metrics, on_loss
        self._waiting: deque[LogEvent] = deque()
        self._sending = threading.Lock()
        self._streams: set[str] = set()
        self._client: Any = None
        self._client_for: Credentials | None = None
        self._told: set[str] = set()

    def add(self, event: LogEvent) -> None:
        """Takes an event; it is sent later."""
        if len(self._waiting) >= _WAITING_EVENTS:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(event)

    async def run(self) -> None:
        """Sends what has come, again and again, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Sends what has come so far."""
        if self._waiting and self.credentials:
            events = [self._waiting.popleft() for _ in range(len(self._waiting))]
            await asyncio.to_thread(self._send_all, events, self.credentials)

    def _send_all(self, events: list[LogEvent], credentials: Credentials) -> None:
        with self._sending:
            client = self._client_with(credentials)
            ordered = sorted(events, key=lambda event: (event.stream, event.timestamp_ms))
            for stream, of_stream in groupby(ordered, key=lambda event: event.stream):
                for batch in _batches(list(of_stream)):
                    self._send(client, stream, batch)

    def _send(self, client: Any, stream: str, batch: list[LogEvent]) -> None:  # noqa: ANN401  a boto3 client
        events = [{"timestamp": event.timestamp_ms, "message": event.message or " "} for event in batch]
        try:
            self._make_stream(client, stream)
            client.put_log_events(logGroupName=self._log_group, logStreamName=stream, logEvents=events)
        except (ClientError, BotoCoreError) as error:
            self.lost += len(batch)
            self._tell_once(f"lines do not reach the log group {self._log_group}", error)
            return
        try:
            self._metrics.put(event.message for event in batch)
        except (ClientError, BotoCoreError) as error:
            self._tell_once("metrics in the log do not reach CloudWatch", error)

    def _make_stream(self, client: Any, stream: str) -> None:  # noqa: ANN401  a boto3 client
        if stream in self._streams:
            return
        try:
            _unless_it_exists(client.create_log_stream, logGroupName=self._log_group, logStreamName=stream)
        except client.exceptions.ResourceNotFoundException:
            _unless_it_exists(client.create_log_group, logGroupName=self._log_group)
            _unless_it_exists(client.create_log_stream, logGroupName=self._log_group, logStreamName=stream)
        self._streams.add(stream)

    def _client_with(self, credentials: Credentials) -> Any:  # noqa: ANN401  a boto3 client
        if self._client_for is not credentials:
            session = boto3.session.Session(
                aws_access_key_id=credentials.access_key_id,
                aws_secret_access_key=credentials.secret_access_key,
                aws_session_token=credentials.session_token,
                region_name=self._region,
            )
            config = Config(connect_timeout=1, read_timeout=5, retries={"total_max_attempts": 1})
            self._client = session.client("logs", endpoint_url=self._endpoint_url, config=config)
            self._client_for = credentials
        return self._client

    def _tell_once(self, what: str, error: Exception) -> None:
        if what not in self._told:
            self._told.add(what)
            self._on_loss(f"{what}: {error}")


def _unless_it_exists(create: Any, **names: str) -> None:  # noqa: ANN401  a method of a boto3 client
    try:
        create(**names)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise


def _batches(events: list[LogEvent]) -> Iterator[list[LogEvent]]:
    batch: list[LogEvent] = []
    size = 0
    for event in events:
        event_size = len(event.message.encode()) + _EVENT_OVERHEAD_BYTES
        if batch and (len(batch) == _BATCH_EVENTS or size + event_size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += event_size
    if batch:
        yield batch
