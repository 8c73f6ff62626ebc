"""Redis shares answers between pods, and whatever happens to it, requests go on as if there were none."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from services.sentiment.batching import BatchLimits
from services.sentiment.cache import Cache, MemoryCache, encode, key_of
from services.sentiment.predictor import Predictor
from services.sentiment.redis_store import PREFIX, SLOW_IN_A_ROW, RedisStore, RedisTimes
from tests.ports import free_port
from tests.services.sentiment.gated_backend import GatedBackend, Recorder, until

# More patient than in service: the machine of the tests is busy, and what is tested is not its speed.
TIMES = RedisTimes(budget=0.1, round_trip=0.5, connect=2.0, first_pause=0.02, last_pause=0.1)
LIMITS = BatchLimits(max_batch_tokens=256, max_queue_tokens=2000, target_p95_ms=100)


class Server:
    """A redis-server of the test's own."""

    def __init__(self, path: str, folder, port: int) -> None:
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self._command = [path, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGCONT)
            self._process.kill()
            self._process.wait()


@pytest.fixture
def server(tool, tmp_path):
    server = Server(tool("redis-server"), tmp_path, free_port())
    server.start()
    yield server
    server.kill()


class Lines:
    """A logger that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict]] = []

    def warning(self, msg, *, extra) -> None:
        self.lines.append((msg, extra))


class Pod:
    """One of several pods on one Redis."""

    def __init__(self, url: str, *, times: RedisTimes = TIMES, ttl_seconds: int = 60) -> None:
        self.logger = Lines()
        self.store = RedisStore(url, ttl_seconds=ttl_seconds, logger=self.logger, times=times)
        self.cache = Cache(MemoryCache(100, 60), self.store)
        self.backend = GatedBackend()
        self.observer = Recorder()
        self.predictor = Predictor(self.backend, "v1", limits=LIMITS, cache=self.cache, observer=self.observer)

    async def label(self, text: str) -> str:
        return (await self.predictor.predict(text)).label

    def looked_up(self) -> list[str]:
        return [result for store, result in self.observer.of("cache") if store == "redis"]


@contextlib.asynccontextmanager
async def pod(url: str, *, connected: bool = True, **options):
    one = Pod(url, **options)
    await one.cache.start()
    await one.predictor.start()
    try:
        if connected:
            await until(lambda: one.store.is_up)
        yield one
    finally:
        await one.predictor.drain(5)
        await one.cache.close()


@contextlib.asynccontextmanager
async def client(server: Server):
    redis = Redis.from_url(server.url)
    try:
        yield redis
    finally:
        await redis.aclose()


async def written(server: Server, count: int) -> None:
    """Waits until so many answers are in Redis."""
    async with client(server) as redis:
        end = time.monotonic() + 10
        while await redis.dbsize() < count:
            assert time.monotonic() < end, "it was not written"
            await asyncio.sleep(0.01)


async def test_an_answer_of_one_pod_is_another_ones(server):
    async with pod(server.url) as first, pod(server.url) as second:
        assert await first.label("+same") == "positive"
        await written(server, 1)
        assert await second.label("+same") == "positive"
        assert await second.label("+same") == "positive"

    assert second.backend.texts == []
    assert second.looked_up() == ["hit"]  # the second time it was in memory
    assert first.looked_up() == ["miss"]


async def test_the_texts_of_a_request_are_looked_up_together(server):
    texts = [f"{'+-'[number % 2]}{number}" for number in range(40)]
    async with pod(server.url) as first, pod(server.url) as second:
        await first.predictor.predict_many(texts[:20])
        await written(server, 20)
        found = await second.predictor.predict_many(texts)

    assert [prediction.label for prediction in found] == ["positive", "negative"] * 20
    assert sorted(second.backend.texts) == sorted(texts[20:])


async def test_redis_holds_no_text_and_forgets_after_a_while(server):
    async with pod(server.url, ttl_seconds=77) as one, client(server) as redis:
        await one.label("+very private text")
        await written(server, 1)
        (key,) = await redis.keys("*")
        value = await redis.get(key)

        assert key == PREFIX + key_of("v1 on gated", "+very private text")
        assert 70 <= await redis.ttl(key) <= 77
        assert b"private" not in key + value
        assert len(value) == 16


@pytest.mark.parametrize(
    "value", [b"", b"nonsense", b"\x00" * 16, encode(b"another key", (0.0, 0.0, 1.0)), encode(b"", (1.0,))]
)
async def test_a_damaged_value_is_a_miss_and_is_replaced(server, value):
    key = key_of("v1 on gated", "+same")
    async with pod(server.url) as one, client(server) as redis:
        await redis.set(PREFIX + key, value)
        assert await one.label("+same") == "positive"
        for _ in range(500):
            if (replaced := await redis.get(PREFIX + key)) != value:
                break
            await asyncio.sleep(0.01)

    assert one.backend.texts == ["+same"]
    assert len(replaced) == 16


async def test_a_sound_value_of_another_number_of_labels_is_a_miss(server):
    key = key_of("v1 on gated", "+same")
    async with pod(server.url) as one, client(server) as redis:
        await redis.set(PREFIX + key, encode(key, (0.5, 0.5)))

        assert await one.label("+same") == "positive"


async def test_a_value_of_another_type_is_a_miss(server):
    async with pod(server.url) as one, client(server) as redis:
        await redis.lpush(PREFIX + key_of("v1 on gated", "+same"), b"a list")

        assert await one.label("+same") == "positive"
        assert one.store.is_up


async def test_redis_that_is_killed_is_not_missed_and_used_again_when_it_is_back(server):
    async with pod(server.url) as one:
        await one.label("+before")
        await written(server, 1)

        server.kill()
        assert await one.label("+during") == "positive"
        await until(lambda: not one.store.is_up)
        assert await one.label("-during") == "negative"
        assert "error" not in one.looked_up()[2:]  # nothing was asked any more

        server.start()
        await until(lambda: one.store.is_up)
        await one.label("+after")
        await written(server, 1)

    messages = [line for line, _ in one.logger.lines]
    assert messages[:3] == ["Redis is used", "Redis is not used", "Redis is used"]
    assert "+d" not in str(one.logger.lines)


async def test_redis_that_stands_still_costs_a_request_its_budget_and_then_nothing(server):
    times = replace(TIMES, budget=0.03)
    async with pod(server.url, times=times) as one:
        server.signal(signal.SIGSTOP)
        began = time.monotonic()
        assert await one.label("+first") == "positive"
        first = time.monotonic() - began
        await until(lambda: not one.store.is_up)
        asked = len(one.looked_up())
        assert await one.label("+second") == "positive"

        assert first < times.round_trip  # it did not wait for the connection's own timeout
        assert len(one.looked_up()) == asked
        assert one.looked_up() == ["error"]

        server.signal(signal.SIGCONT)
        await until(lambda: one.store.is_up)
        await one.label("+third")
        assert one.looked_up()[-1] == "miss"


async def test_many_requests_at_once_are_answered_while_redis_stands_still(server):
    async with pod(server.url) as one:
        server.signal(signal.SIGSTOP)
        labels = await asyncio.wait_for(asyncio.gather(*[one.label(f"+{number}") for number in range(200)]), 10)

    assert set(labels) == {"positive"}


async def test_no_redis_at_all_is_no_fault():
    async with pod(f"redis://127.0.0.1:{free_port()}/0", connected=False) as one:
        assert await one.label("+same") == "positive"

    assert one.looked_up() == []
    assert one.logger.lines == []


@contextlib.asynccontextmanager
async def speaking(answer, *, delay: float = 0.0):
    """A server that answers everything but PING in its own way."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            command = data.split(b"\r\n")[2].upper() if data.startswith(b"*") else b""
            if command == b"MGET":
                await asyncio.sleep(delay)
                writer.write(answer)
            else:
                names = (b"PING", b"HELLO", b"CLIENT", b"SELECT", b"SET")
                commands = [part for part in data.upper().split(b"\r\n") if part in names]
                writer.write(b"".join(b"+PONG\r\n" if name == b"PING" else b"+OK\r\n" for name in commands))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0?protocol=2"
    finally:
        server.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"*0\r\n",
        b"*2\r\n$-1\r\n$-1\r\n",
        b":7\r\n",
        b"-NOAUTH Authentication required.\r\n",
        b"HTTP/1.1 400 Bad\r\n\r\n",
    ],
)
async def test_wrong_answers_are_none_and_open_the_circuit(answer):
    async with speaking(answer) as url, pod(url, times=replace(TIMES, first_pause=5.0, last_pause=5.0)) as one:
        assert await one.label("+same") == "positive"
        await until(lambda: not one.store.is_up)
        assert await one.label("-other") == "negative"

    assert one.looked_up() == ["error"]
    assert one.logger.lines[-1][0] == "Redis is not used"


async def test_answers_that_are_always_slow_open_the_circuit():
    times = replace(TIMES, budget=0.01, first_pause=5.0, last_pause=5.0)
    async with speaking(b"*1\r\n$-1\r\n", delay=0.05) as url, pod(url, times=times) as one:
        for number in range(SLOW_IN_A_ROW):
            assert one.store.is_up
            assert await one.label(f"+{number}") == "positive"
            await asyncio.sleep(0.1)
        await until(lambda: not one.store.is_up)
        assert await one.label("+more") == "positive"

    assert one.looked_up() == ["error"] * SLOW_IN_A_ROW


async def test_attempts_become_ever_rarer_while_redis_is_away(monkeypatch):
    pauses = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await real(0)

    store = RedisStore(f"redis://127.0.0.1:{free_port()}/0", ttl_seconds=60, logger=Lines())
    monkeypatch.setattr("services.sentiment.redis_store.asyncio.sleep", sleep)
    store.start()
    while len([pause for pause in pauses if pause]) < 7:
        await real(0.005)
    await store.close()

    assert [pause for pause in pauses if pause][:7] == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
