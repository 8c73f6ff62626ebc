"""Texts become predictions: in order, each inferred once, and only for as long as somebody waits."""

import asyncio
import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import DeadlineExceeded, ModelUnavailable, Overloaded
from services.sentiment.batching import BatchLimits
from services.sentiment.cache import Cache, MemoryCache
from services.sentiment.predictor import MAX_CHARACTERS_AT_ONCE, Predictor, Queue
from tests.services.sentiment.gated_backend import FAILURE, GatedBackend, Recorder, until

LIMITS = BatchLimits(max_batch_tokens=256, max_queue_tokens=2000, target_p95_ms=100)
LABEL = {"+": "positive", "-": "negative"}


def memory() -> Cache:
    return Cache(MemoryCache(100, 60))


class Bench:
    def __init__(self, backend: GatedBackend, cache: Cache | None) -> None:
        self.backend = backend
        self.observer = Recorder()
        self.predictor = Predictor(backend, "v1", limits=LIMITS, cache=cache, observer=self.observer)

    def ask(self, text: str, **options) -> asyncio.Task:
        return asyncio.create_task(self.predictor.predict(text, **options))

    async def busy(self) -> asyncio.Task:
        """Lets an inference run that ends only when it is let to."""
        task = self.ask("busy")
        await until(lambda: "busy" in self.backend.texts)
        return task


@contextlib.asynccontextmanager
async def running(*, cache: Cache | None = None, **options):
    bench = Bench(GatedBackend(**options), cache)
    await bench.predictor.start()
    try:
        yield bench
    finally:
        bench.backend.let()
        await bench.predictor.drain(5)


async def test_a_prediction_has_a_label_scores_and_a_confidence():
    async with running() as bench:
        prediction = await bench.predictor.predict("+fine")

    assert prediction.label == "positive"
    assert list(prediction.scores) == ["negative", "neutral", "positive"]
    assert sum(prediction.scores.values()) == pytest.approx(1, abs=1e-5)
    assert prediction.confidence == prediction.scores["positive"] == max(prediction.scores.values())


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.tuples(st.sampled_from("+-n"), st.integers(0, 30)), max_size=128), parallel=st.integers(1, 3))
def test_a_batch_answers_in_the_order_of_its_texts(texts, parallel):
    async def ask():
        async with running(parallel=parallel, cache=memory()) as bench:
            return await bench.predictor.predict_many([sign + "x" * length for sign, length in texts])

    predictions = asyncio.run(ask())

    assert [prediction.label for prediction in predictions] == [LABEL.get(sign, "neutral") for sign, _ in texts]


async def test_a_text_is_cleaned_before_it_is_read():
    async with running() as bench:
        await bench.predictor.predict("+great\x00  \n&amp; @you")

    assert bench.backend.texts == ["+great & username"]


async def test_a_text_of_which_nothing_is_left_is_answered():
    async with running() as bench:
        assert (await bench.predictor.predict("\x00 ")).label == "neutral"


async def test_identical_texts_in_flight_share_one_inference():
    async with running(is_open=False) as bench:
        await bench.busy()
        tasks = [bench.ask(text) for text in ("+same", "+same", " +same\n")]
        await until(lambda: bench.predictor.snapshot().texts == 1)
        bench.backend.let()
        predictions = await asyncio.gather(*tasks)

    assert [prediction.label for prediction in predictions] == ["positive"] * 3
    assert bench.backend.texts == ["busy", "+same"]
    assert len(bench.observer.of("coalesced")) == 2


async def test_identical_texts_of_one_request_share_one_inference():
    async with running() as bench:
        predictions = await bench.predictor.predict_many(["-a", "+b", "-a"])

    assert [prediction.label for prediction in predictions] == ["negative", "positive", "negative"]
    assert sorted(bench.backend.texts) == ["+b", "-a"]


async def test_a_leader_that_goes_away_does_not_fail_its_followers():
    async with running(is_open=False) as bench:
        await bench.busy()
        leader, follower = bench.ask("+same"), bench.ask("+same")
        await until(lambda: len(bench.observer.of("coalesced")) == 1)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        bench.backend.let()

        assert (await follower).label == "positive"

    assert bench.backend.texts == ["busy", "+same"]
    assert bench.observer.of("dropped") == [("disconnected",)]


async def test_a_follower_with_more_time_is_answered_after_the_leader_expired():
    async with running(is_open=False) as bench:
        await bench.busy()
        leader = bench.ask("+same", deadline=time.monotonic() + 0.05)
        follower = bench.ask("+same", deadline=time.monotonic() + 30)
        with pytest.raises(DeadlineExceeded):
            await leader
        bench.backend.let()

        assert (await follower).label == "positive"


async def test_a_text_that_nobody_waits_for_any_more_is_not_inferred():
    async with running(is_open=False) as bench:
        await bench.busy()
        tasks = [bench.ask("+same"), bench.ask("+same")]
        await until(lambda: bench.predictor.snapshot().texts == 1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

        assert bench.predictor.snapshot() == Queue(0, 0)
        bench.backend.let()
        await bench.predictor.predict("+other")

    assert bench.backend.texts == ["busy", "+other"]


async def test_work_that_expired_while_it_waited_is_not_inferred():
    async with running(is_open=False) as bench:
        await bench.busy()
        with pytest.raises(DeadlineExceeded, match="within the request's time"):
            await bench.predictor.predict_many(["+a", "-b"], deadline=time.monotonic() + 0.05)
        bench.backend.let()
        await bench.predictor.predict("+other")

    assert bench.backend.texts == ["busy", "+other"]
    assert bench.observer.of("dropped") == [("expired",)]


async def test_a_request_whose_time_is_over_asks_for_nothing():
    async with running() as bench:
        with pytest.raises(DeadlineExceeded):
            await bench.predictor.predict("+late", deadline=time.monotonic() - 1)

    assert bench.backend.texts == []


async def test_a_text_asked_for_again_after_it_expired_is_answered():
    async with running(is_open=False) as bench:
        await bench.busy()
        with pytest.raises(DeadlineExceeded):
            await bench.predictor.predict("+again", deadline=time.monotonic() + 0.02)
        again = bench.ask("+again", deadline=time.monotonic() + 30)
        await asyncio.sleep(0)
        bench.backend.let()

        assert (await again).label == "positive"


async def test_an_answer_that_came_too_late_is_kept_for_the_next():
    async with running(is_open=False, cache=memory()) as bench:
        with pytest.raises(DeadlineExceeded):
            await bench.predictor.predict("+slow", deadline=time.monotonic() + 0.05)
        bench.backend.let()

        assert (await bench.predictor.predict("+slow")).label == "positive"

    assert bench.backend.texts == ["+slow"]


async def test_a_text_answered_before_needs_no_inference():
    async with running(cache=memory()) as bench:
        first = await bench.predictor.predict("+once")
        second = await bench.predictor.predict("  +once ")

    assert first == second
    assert bench.backend.texts == ["+once"]
    assert bench.observer.of("cache") == [("memory", "miss"), ("memory", "hit")]
    assert bench.observer.of("prediction") == [("positive",), ("positive",)]


async def test_another_version_does_not_get_the_answers_of_this_one():
    cache, backend = memory(), GatedBackend()
    for version in ("v1", "v2"):
        predictor = Predictor(backend, version, limits=LIMITS, cache=cache)
        await predictor.start()
        await predictor.predict("+same")
        await predictor.drain(5)

    assert backend.texts == ["+same", "+same"]


async def test_a_full_queue_refuses_the_whole_request_and_leaves_no_trace():
    async with running(is_open=False) as bench:
        await bench.busy()
        waiting = bench.ask("w" * 1500)
        await until(lambda: bench.predictor.snapshot().texts == 1)

        with pytest.raises(Overloaded) as refused:
            await bench.predictor.predict_many(["+a", "x" * 600])
        assert refused.value.retry_after_seconds >= 1
        assert bench.predictor.snapshot() == Queue(1, 1500)

        bench.backend.let()
        await waiting
        assert (await bench.predictor.predict("+a")).label == "positive"
    assert bench.observer.of("dropped") == [("queue_full",)]


async def test_a_backend_that_fails_tells_all_who_wait_and_is_asked_again():
    async with running() as bench:
        bench.backend.failing = FAILURE
        answers = await asyncio.gather(bench.ask("+a"), bench.ask("+a"), bench.ask("-b"), return_exceptions=True)
        assert all(isinstance(answer, ModelUnavailable) for answer in answers)
        assert bench.predictor.failures > 0

        bench.backend.failing = None
        assert (await bench.predictor.predict("+a")).label == "positive"
        assert bench.predictor.failures == 0


async def test_a_text_that_cannot_be_encoded_is_told():
    async with running() as bench:
        bench.backend.encode = lambda texts: 1 / 0

        with pytest.raises(ModelUnavailable, match="could not be encoded: ZeroDivisionError"):
            await bench.predictor.predict("+a")


async def test_long_texts_do_not_hold_up_the_event_loop():
    async with running() as bench:
        texts = [f"{'+-'[number % 2]}{number} " + "word &amp; 😂 " * 350 for number in range(40)]
        gaps, began = [], time.perf_counter()
        asking = asyncio.create_task(bench.predictor.predict_many(texts))
        while not asking.done():
            await asyncio.sleep(0)
            gaps.append(time.perf_counter() - began)
            began = time.perf_counter()

    assert sum(map(len, texts)) > MAX_CHARACTERS_AT_ONCE
    assert [prediction.label for prediction in asking.result()] == ["positive", "negative"] * 20
    assert len(gaps) > 5  # the loop went on meanwhile


async def test_draining_answers_what_was_asked_and_takes_no_more():
    async with running(is_open=False) as bench:
        tasks = [bench.ask(f"+{number}") for number in range(10)]
        await until(lambda: bench.predictor.snapshot().texts + len(bench.backend.texts) == 10)
        bench.backend.let()

        await bench.predictor.drain(5)

        assert [(await task).label for task in tasks] == ["positive"] * 10
        with pytest.raises(ModelUnavailable, match="stopped"):
            await bench.predictor.predict("+more")


async def test_draining_ends_though_an_inference_does_not():
    async with running(is_open=False) as bench:
        stuck = await bench.busy()

        await asyncio.wait_for(bench.predictor.drain(0.1), 3)

        with pytest.raises(ModelUnavailable):
            await stuck


async def test_nothing_is_predicted_before_the_start():
    with pytest.raises(ModelUnavailable, match="not started"):
        await Predictor(GatedBackend(), "v1", limits=LIMITS).predict("+a")


async def test_callers_that_come_and_go_leave_nothing_behind():
    async with running(parallel=2, cache=Cache(MemoryCache(5, 60))) as bench:
        tasks = [bench.ask(f"+{number % 40}", deadline=time.monotonic() + 20) for number in range(600)]
        for task in tasks[::3]:
            await asyncio.sleep(0)
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        await until(lambda: not bench.predictor._flights)

    kept = [answer for answer in answers if not isinstance(answer, asyncio.CancelledError)]
    assert len(kept) >= 400
    assert {answer.label for answer in kept} == {"positive"}
