"""What one caller may ask for: texts a minute, in memory and over several pods; requests at the same time."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from services.common.logging import service_logger
from services.sentiment.limits import (
    REDIS_FAILURES,
    REDIS_PAUSE_SECONDS,
    REDIS_TIMEOUT_SECONDS,
    WINDOW_SECONDS,
    Concurrency,
    MemoryCounters,
    RateLimit,
    RateLimited,
    RedisCounters,
    TooManyAtOnce,
    Usage,
)
from tests.ports import free_port
from tests.services.sentiment.conftest import serving, wait_for

LOGGER = service_logger("limits-test", "INFO")


class Clock:
    def __init__(self, now: float = 6000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def in_memory(limit: int, clock=time.monotonic, **named) -> RateLimit:
    return RateLimit(limit, memory=MemoryCounters(clock=clock, **named), redis=None, logger=LOGGER)


async def admitted(limit: RateLimit, key: str, attempts: int) -> int:
    found = await asyncio.gather(*(limit.take(key, 1) for _ in range(attempts)), return_exceptions=True)
    assert all(each is None or isinstance(each, RateLimited) for each in found), found
    return sum(each is None for each in found)


async def test_a_caller_may_send_so_many_texts_a_minute():
    limit = in_memory(10, Clock())

    assert await admitted(limit, "alice", 25) == 10
    assert await admitted(limit, "bob", 5) == 5


async def test_who_waits_as_long_as_it_is_told_is_admitted():
    clock = Clock(6017.3)
    limit = in_memory(10, clock)
    await limit.take("alice", 10)
    for texts in (1, 5, 10):
        with pytest.raises(RateLimited) as raised:
            await limit.take("alice", texts)
        assert raised.value.retry_after_seconds is not None
        clock.now += raised.value.retry_after_seconds

        await limit.take("alice", texts)


@given(st.lists(st.tuples(st.floats(0, 90), st.integers(1, 12)), min_size=1, max_size=40), st.integers(1, 12))
def test_no_minute_holds_much_more_than_the_limit_and_waiting_always_helps(steps, limit):
    clock, taken = Clock(), []
    counters = MemoryCounters(clock=clock)
    for pause, texts in steps:
        clock.now += pause
        usage = counters.take("alice", texts, limit) if texts <= limit else None
        if usage is not None:
            clock.now += usage.seconds_until(texts, limit)
            assert counters.take("alice", texts, limit) is None
        if texts <= limit:
            taken.append((clock.now, texts))

    # The estimate takes the previous minute as evenly spread: at worst all of it lay at its end.
    for end, _ in taken:
        assert sum(texts for at, texts in taken if end - WINDOW_SECONDS < at <= end) <= 2 * limit


async def test_a_batch_counts_each_of_its_texts():
    limit = in_memory(10, Clock())
    await limit.take("alice", 8)

    with pytest.raises(RateLimited, match="You may send 10 texts a minute"):
        await limit.take("alice", 3)
    await limit.take("alice", 2)


async def test_a_batch_beyond_the_limit_is_told_to_be_smaller():
    with pytest.raises(RateLimited, match="12 texts are more than the 10 of a minute; send fewer at once"):
        await in_memory(10, Clock()).take("alice", 12)


@pytest.mark.parametrize("jump", [-86_400 * 365, -60, 60, 86_400 * 365])
async def test_a_jump_of_the_clock_on_the_wall_changes_nothing(monkeypatch, jump):
    limit = in_memory(10)
    await limit.take("alice", 10)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)

    with pytest.raises(RateLimited) as raised:
        await limit.take("alice", 1)

    assert 1 <= raised.value.retry_after_seconds <= 2 * WINDOW_SECONDS


async def test_memory_for_callers_is_bounded_and_the_busy_ones_stay():
    counters = MemoryCounters(clock=Clock(), max_keys=100)
    for number in range(1000):
        counters.take(f"caller-{number}", 1, 10)
        counters.take("busy", 0, 10)

    assert len(counters._counts) == 100
    assert "busy" in counters._counts


@pytest.mark.parametrize("previous", [0, 1, 7])
@pytest.mark.parametrize("current", [0, 3, 10])
def test_the_wait_that_is_told_is_the_shortest_whole_one(previous, current):
    usage = Usage(previous, 20.0, current, 20.0)
    if usage.fits(1, 10):
        return

    wait = usage.seconds_until(1, 10)

    def later(seconds: float) -> bool:
        if seconds < 20:
            return Usage(previous, 20 - seconds, current, 20 - seconds).fits(1, 10)
        return Usage(current, 80 - seconds, 0, 80 - seconds).fits(1, 10)

    assert later(wait)
    assert not later(wait - 1.001)


class RedisServer:
    """Debian's redis-server, on a port of its own, keeping nothing on disk."""

    def __init__(self, program: str, folder) -> None:
        self.program = program
        self.folder = folder
        self.port = free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.folder]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for(self._answers)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        return False


@pytest.fixture
def redis(tool, tmp_path):
    server = RedisServer(tool("redis-server"), str(tmp_path))
    yield server
    server.process.send_signal(signal.SIGCONT)
    server.kill()


@contextlib.asynccontextmanager
async def in_redis(limit: int, url: str, clock=time.monotonic, timeout_seconds=5.0):
    """Patient unless a test says otherwise: on a busy machine any answer may take a while."""
    counters = RedisCounters(url, timeout_seconds=timeout_seconds)
    made = RateLimit(limit, memory=MemoryCounters(clock=clock), redis=counters, logger=LOGGER, clock=clock)
    yield made
    await made.close()


async def test_pods_count_together(redis):
    async with in_redis(50, redis.url) as one, in_redis(50, redis.url) as other:
        found = await asyncio.gather(admitted(one, "alice", 60), admitted(other, "alice", 60))

        assert sum(found) == 50
        assert await admitted(other, "bob", 5) == 5


async def test_what_redis_is_asked_names_no_caller(redis):
    async with in_redis(5, redis.url) as limit, Redis(port=redis.port) as client:
        await limit.take("alice@example.com", 1)
        keys = [key.decode() for key in await client.keys("*")]

    assert keys
    assert all("alice" not in key and key.startswith("quintet-sentiment") for key in keys)


async def test_redis_keeps_counts_no_longer_than_they_matter(redis):
    async with in_redis(5, redis.url) as limit, Redis(port=redis.port) as client:
        await limit.take("alice", 5)
        lifetimes = [await client.ttl(key) for key in await client.keys("*")]

    assert all(0 < lifetime <= 2 * WINDOW_SECONDS for lifetime in lifetimes)


async def test_redis_tells_how_long_to_wait(redis):
    async with in_redis(5, redis.url) as limit:
        await limit.take("alice", 5)

        with pytest.raises(RateLimited) as raised:
            await limit.take("alice", 1)

    assert 1 <= raised.value.retry_after_seconds <= 2 * WINDOW_SECONDS


@pytest.mark.parametrize("jump", [-86_400, 86_400])
async def test_a_pod_whose_clock_is_wrong_counts_as_the_others_do(redis, monkeypatch, jump):
    async with in_redis(5, redis.url) as right, in_redis(5, redis.url) as wrong:
        await right.take("alice", 5)
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + jump)

        with pytest.raises(RateLimited) as raised:
            await wrong.take("alice", 1)

    assert 1 <= raised.value.retry_after_seconds <= 2 * WINDOW_SECONDS


async def test_when_redis_is_killed_requests_go_on_and_when_it_is_back_it_counts_again(redis, printed):
    clock = Clock()
    async with in_redis(5, redis.url, clock) as limit:
        await limit.take("alice", 5)
        redis.kill()
        in_between = await admitted(limit, "alice", 9)
        redis.start()
        clock.now += REDIS_PAUSE_SECONDS
        again = await admitted(limit, "alice", 9)

    told = [line["message"] for line in printed().log]
    assert (in_between, again) == (5, 5)
    assert told == ["Rate limits are counted in memory", "Rate limits are counted in Redis again"]


async def test_a_redis_that_hangs_costs_a_few_short_waits_and_then_nothing(redis):
    async with in_redis(1000, redis.url, timeout_seconds=REDIS_TIMEOUT_SECONDS) as limit:
        await limit.take("alice", 1)
        redis.process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        for _ in range(REDIS_FAILURES):
            await limit.take("alice", 1)
        first = time.monotonic() - started
        started = time.monotonic()
        for _ in range(100):
            await limit.take("alice", 1)
        others = time.monotonic() - started

    assert first < 2 * REDIS_FAILURES * REDIS_TIMEOUT_SECONDS
    assert others < REDIS_TIMEOUT_SECONDS


async def test_one_slow_answer_does_not_part_a_pod_from_the_others(redis, printed):
    async with in_redis(1000, redis.url, timeout_seconds=0.5) as limit, in_redis(1000, redis.url) as other:
        await limit.take("alice", 500)
        redis.process.send_signal(signal.SIGSTOP)
        await limit.take("alice", 1)
        redis.process.send_signal(signal.SIGCONT)
        await limit.take("alice", 400)

        with pytest.raises(RateLimited):
            await other.take("alice", 200)

    assert printed().log == []


async def test_a_redis_that_never_was_there_hurts_no_request():
    async with in_redis(3, f"redis://127.0.0.1:{free_port()}") as limit:
        assert await admitted(limit, "alice", 9) == 3


def test_only_so_many_requests_of_a_caller_run_at_once():
    concurrency = Concurrency(2)
    with concurrency.hold("alice"), concurrency.hold("alice"):
        with pytest.raises(TooManyAtOnce) as raised, concurrency.hold("alice"):
            pytest.fail("a third request runs")
        with concurrency.hold("bob"):
            pass
    with concurrency.hold("alice"):
        pass

    assert raised.value.retry_after_seconds == 1
    assert concurrency._running == {}


def test_without_a_limit_any_number_runs_at_once():
    concurrency = Concurrency(0)

    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(concurrency.hold("alice"))


def test_the_service_answers_429_with_the_time_to_wait(cached_model):
    with serving(RATE_LIMIT="5") as sentiment:
        batch = sentiment.client.post("/predict/batch", json={"texts": ["good"] * 5})
        refused = sentiment.predict("good")
        other = sentiment.predict("good", headers={"X-Real-Ip": "192.0.2.7"})
        counted = sentiment.metric('sentiment_refused_total{reason="rate_limited"}')

    assert (batch.status_code, refused.status_code, other.status_code) == (200, 429, 200)
    assert 1 <= int(refused.headers["retry-after"]) <= 120
    assert refused.json()["type"] == "urn:problem-type:too-many-requests"
    assert counted == 1
