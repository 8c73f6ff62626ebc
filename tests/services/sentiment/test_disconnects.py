"""What nobody waits for any more is not computed: clients that went away, deadlines that are over."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from services.common.errors import ClientGone
from services.sentiment import wiring
from services.sentiment.app import create_app
from services.sentiment.backends.choice import Choice
from services.sentiment.disconnects import unless_gone
from services.sentiment.wiring import Services
from tests.services.sentiment.conftest import settings_of
from tests.services.sentiment.test_health import Breakable


class Recording(Breakable):
    """Remembers what it was asked to infer."""

    def __init__(self) -> None:
        super().__init__()
        self.inferred = 0

    def infer(self, batch, *, alone=False):
        logits = super().infer(batch, alone=alone)
        self.inferred += len(batch)
        return logits


class Client:
    """One connection, as a server shows it to an app."""

    def __init__(self, app, text: str, **headers: str) -> None:
        self.sent: list[dict] = []
        self._gone = asyncio.Event()
        self._body = [json.dumps({"text": text}).encode()]
        named = {"content-type": "application/json"} | headers
        self._scope = {
            "type": "http",
            "method": "POST",
            "path": "/predict",
            "raw_path": b"/predict",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
            "client": ("192.0.2.1", 1),
            "http_version": "1.1",
            "scheme": "http",
        }
        self.task = asyncio.create_task(app(self._scope, self._receive, self._send))

    def leave(self) -> None:
        self._gone.set()

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    async def _receive(self):
        if self._body:
            return {"type": "http.request", "body": self._body.pop(), "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message) -> None:
        self.sent.append(message)


@asynccontextmanager
async def running(monkeypatch, **changes):
    backend = Recording()
    monkeypatch.setattr(wiring, "choose_backend", lambda *_, **__: Choice(backend))
    services = Services(settings_of(**changes))
    app = create_app(services)
    async with services.running():
        while services.model.state().fault:  # noqa: ASYNC110 - a state, not an event
            await asyncio.sleep(0.01)
        backend.inferred = 0
        try:
            yield app, backend, services
        finally:
            backend.gate.set()


async def test_the_work_of_clients_that_went_away_is_never_inferred(cached_model, monkeypatch):
    async with running(monkeypatch) as (app, backend, services):
        backend.gate.clear()
        first = Client(app, "good first")
        await asyncio.sleep(0.1)
        gone = [Client(app, f"good {number}") for number in range(20)]
        await asyncio.sleep(0.1)
        waiting = services.model.get().queue.texts
        for client in gone:
            client.leave()
        await asyncio.gather(*(client.task for client in gone))
        left = services.model.get().queue.texts
        backend.gate.set()
        await first.task

    assert (waiting, left) == (20, 0)
    assert backend.inferred == 1
    assert first.status == 200
    assert {client.status for client in gone} == {499}
    counted = services.metrics.exposition().decode()
    assert 'sentiment_refused_total{reason="disconnected"} 20.0' in counted


async def test_work_that_expired_while_it_waited_is_never_inferred(cached_model, monkeypatch):
    async with running(monkeypatch) as (app, backend, services):
        backend.gate.clear()
        first = Client(app, "good first")
        await asyncio.sleep(0.1)
        late = [Client(app, f"good {number}", **{"x-request-timeout-ms": "50"}) for number in range(20)]
        await asyncio.gather(*(client.task for client in late))
        backend.gate.set()
        await first.task

    assert backend.inferred == 1
    assert (first.status, {client.status for client in late}) == (200, {504})
    counted = services.metrics.exposition().decode()
    assert 'sentiment_refused_total{reason="expired"} 20.0' in counted


async def test_one_of_two_that_ask_the_same_may_go_away(cached_model, monkeypatch):
    async with running(monkeypatch) as (app, backend, _):
        backend.gate.clear()
        await asyncio.sleep(0)
        first, second = Client(app, "good"), Client(app, "good")
        await asyncio.sleep(0.1)
        first.leave()
        await first.task
        backend.gate.set()
        await second.task

    assert (first.status, second.status, backend.inferred) == (499, 200, 1)


async def test_a_result_is_handed_on_and_the_watch_ends():
    async def never():
        await asyncio.Event().wait()

    before = len(asyncio.all_tasks())

    assert await unless_gone(never, asyncio.sleep(0.01, "done")) == "done"
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before


async def test_an_error_of_the_work_is_handed_on():
    async def never():
        await asyncio.Event().wait()

    async def fail():
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        await unless_gone(never, fail())


async def test_somebody_elses_cancellation_is_not_taken_for_a_lost_connection():
    async def never():
        await asyncio.Event().wait()

    task = asyncio.create_task(unless_gone(never, asyncio.sleep(10)))
    await asyncio.sleep(0.01)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_after_a_lost_connection_its_task_can_go_on():
    async def gone():
        return {"type": "http.disconnect"}

    async def answer():
        with pytest.raises(ClientGone):
            await unless_gone(gone, asyncio.sleep(10))
        await asyncio.sleep(0.01)
        return asyncio.current_task().cancelling()

    assert await asyncio.create_task(answer()) == 0
