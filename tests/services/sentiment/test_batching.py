"""Texts run together as soon as a thread is free; the queue is bounded; whatever a backend does, callers are told."""

import asyncio
import math
import random

import numpy as np
import pytest

from services.common.errors import DeadlineExceeded, ModelUnavailable, Overloaded
from services.sentiment.batching import Batching, BatchLimits, softmax
from services.sentiment.waiting import Job
from tests.services.sentiment.gated_backend import FAILURE, GatedBackend, Recorder, until

LIMITS = BatchLimits(max_batch_tokens=64, max_queue_tokens=200, target_p95_ms=100)


class Bench:
    """A running queue, and what came of the texts put into it."""

    def __init__(self, backend: GatedBackend, *, limits: BatchLimits = LIMITS) -> None:
        self.backend = backend
        self.observer = Recorder()
        self.clock = 100.0
        self.batching = Batching(backend, limits, self.observer, clock=lambda: self.clock)
        self.results: dict[str, object] = {}

    def put(self, *texts: str, deadline: float = math.inf) -> list[Job]:
        jobs = [
            Job(ids, lambda result, text=text: self.results.__setitem__(text, result), deadline)
            for text, ids in zip(texts, self.backend.encode(texts), strict=True)
        ]
        self.batching.submit(jobs)
        return jobs

    async def have(self, *texts: str) -> None:
        await until(lambda: all(text in self.results for text in texts))


@pytest.fixture
async def started():
    benches = []

    def start(**options) -> Bench:
        limits = options.pop("limits", LIMITS)
        bench = Bench(GatedBackend(**options), limits=limits)
        bench.batching.start()
        benches.append(bench)
        return bench

    yield start
    for bench in benches:
        bench.backend.let()
        await bench.batching.stop(5)


async def test_a_lone_text_runs_at_once_with_the_whole_machine(started):
    bench = started(parallel=2)

    bench.put("+one")
    await bench.have("+one")

    assert bench.backend.alone == [True]
    assert np.argmax(bench.results["+one"]) == 2
    assert sum(bench.results["+one"]) == pytest.approx(1)


async def test_what_comes_while_an_inference_runs_runs_together(started):
    bench = started(is_open=False)
    bench.put("first")
    await until(lambda: bench.backend.batches == [["first"]])

    for text in ("aaaa", "bbbb", "cccc"):
        bench.put(text)
    bench.backend.let()
    await bench.have("aaaa", "bbbb", "cccc")

    assert bench.backend.batches[1:] == [["aaaa", "bbbb", "cccc"]]
    assert bench.backend.alone == [True, False]
    assert (3, 12, 0) in bench.observer.of("batch")


async def test_what_waits_is_shared_out_among_free_threads(started):
    bench = started(parallel=2, is_open=False)

    bench.put("aaaa", "bbbb", "cccc", "dddd")
    await until(lambda: len(bench.backend.batches) == 2)

    assert sorted(map(len, bench.backend.batches)) == [2, 2]
    assert bench.backend.alone == [False, False]


async def test_nothing_else_runs_beside_a_text_that_has_the_whole_machine(started):
    bench = started(parallel=2, is_open=False)
    bench.put("first")
    await until(lambda: bench.backend.batches == [["first"]])

    bench.put("second")
    await asyncio.sleep(0.05)
    assert bench.backend.batches == [["first"]]

    bench.backend.let()
    await bench.have("first", "second")


async def test_a_long_text_does_not_starve_under_a_stream_of_short_ones(started):
    bench = started(is_open=False)
    bench.put("first")
    bench.put("x" * 60)
    for number in range(100):
        bench.put(f"{number:02}"[:1])
    bench.backend.let(2)

    await bench.have("first", "x" * 60)

    assert bench.backend.batches[1] == ["x" * 60]


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(started):
    bench = started(is_open=False)
    bench.put("first")
    await until(lambda: bench.backend.batches == [["first"]])
    bench.put("y" * 150)

    with pytest.raises(Overloaded) as refused:
        bench.put("z" * 51)

    assert refused.value.retry_after_seconds == 1
    assert (bench.batching.texts, bench.batching.tokens) == (1, 150)
    bench.put("z" * 50)


async def test_a_request_larger_than_the_queue_is_taken_when_nothing_waits(started):
    bench = started()
    texts = [f"{number:<100}" for number in range(5)]

    bench.put(*texts)

    await bench.have(*texts)


async def test_the_time_to_come_back_is_what_was_measured(started):
    bench = started(is_open=False, limits=BatchLimits(64, 2000, 100))
    for number in range(60):
        bench.put(f"{number:>10}")
        await until(lambda: len(bench.backend.batches) == number + 1)  # noqa: B023 - awaited at once
        bench.clock += 1.0
        bench.backend.let(1)
        await bench.have(f"{number:>10}")
    bench.put("running")
    await until(lambda: bench.backend.texts[-1] == "running")
    bench.put("w" * 200)

    with pytest.raises(Overloaded) as refused:
        bench.put("x" * 1900)

    assert 15 <= refused.value.retry_after_seconds <= 25  # 200 tokens at 10 tokens a second


async def test_a_text_that_nobody_waits_for_is_dropped_before_its_inference(started):
    bench = started(is_open=False)
    bench.put("first")
    await until(lambda: bench.backend.batches == [["first"]])
    (gone,) = bench.put("gone")
    bench.put("late", deadline=150.0)
    bench.put("kept")

    assert bench.batching.discard(gone)
    bench.clock = 150.0
    bench.backend.let()
    await bench.have("first", "kept", "late")

    assert bench.backend.texts == ["first", "kept"]
    assert isinstance(bench.results["late"], DeadlineExceeded)
    assert "gone" not in bench.results


async def test_a_text_whose_inference_has_begun_cannot_be_taken_out(started):
    bench = started(is_open=False)
    (job,) = bench.put("first")
    await until(lambda: bench.backend.batches == [["first"]])

    assert not bench.batching.discard(job)


@pytest.mark.parametrize("error", [FAILURE, RuntimeError("secret text")])
async def test_a_backend_that_raises_answers_unavailable_and_recovers(started, error):
    bench = started()
    bench.backend.failing = error
    bench.put("one")
    await bench.have("one")
    bench.put("two")
    await bench.have("two")

    failed = bench.results["two"]
    assert isinstance(failed, ModelUnavailable)
    assert failed.retry_after_seconds == 1
    assert "secret" not in failed.detail
    assert bench.batching.failures == 2
    assert len(bench.observer.of("backend_failed")) == 2

    bench.backend.failing = None
    bench.put("+three")
    await bench.have("+three")

    assert np.argmax(bench.results["+three"]) == 2
    assert bench.batching.failures == 0


@pytest.mark.parametrize("poison", [math.nan, math.inf])
async def test_scores_that_are_no_numbers_are_no_answer(started, poison):
    bench = started()
    bench.backend.poison = poison

    bench.put("one")
    await bench.have("one")

    assert isinstance(bench.results["one"], ModelUnavailable)


async def test_the_longest_inference_is_known(started):
    bench = started(is_open=False)
    assert bench.batching.running_seconds == 0
    bench.put("first")
    await until(lambda: bench.backend.batches == [["first"]])

    bench.clock += 7

    assert bench.batching.running_seconds == 7


async def test_stopping_does_what_waits_and_takes_no_more(started):
    bench = started(parallel=2, is_open=False)
    texts = [f"text {number}" for number in range(20)]
    bench.put(*texts)
    bench.backend.let()

    await bench.batching.stop(5)
    await bench.have(*texts)

    with pytest.raises(ModelUnavailable, match="stopped"):
        bench.put("more")


async def test_stopping_gives_up_on_an_inference_that_never_ends(started):
    bench = started(is_open=False)
    bench.put("stuck")
    await until(lambda: bench.backend.batches == [["stuck"]])

    await asyncio.wait_for(bench.batching.stop(0.05), 2)

    assert "stuck" not in bench.results


async def test_no_text_is_lost_or_answered_twice_whatever_comes_and_goes(started):
    bench = started(parallel=3, limits=BatchLimits(64, 10**6, 100))
    rng = random.Random(5)
    answers: list[int] = []
    gone = 0

    for number in range(3000):
        (ids,) = bench.backend.encode(["x" * rng.randint(1, 60)])
        job = Job(ids, lambda result, number=number: answers.append(number))
        bench.batching.submit([job])
        gone += rng.random() < 0.2 and bench.batching.discard(job)
        if rng.random() < 0.02:
            await asyncio.sleep(0)
    await until(lambda: len(answers) + gone == 3000)
    await asyncio.sleep(0.02)

    assert len(set(answers)) == len(answers) == 3000 - gone
    assert (bench.batching.texts, bench.batching.tokens) == (0, 0)


def test_softmax_adds_up_to_one_without_overflow():
    found = softmax(np.array([[1000.0, 999.0, -1000.0], [0, 0, 0]], dtype=np.float32))

    assert found.sum(axis=1).tolist() == pytest.approx([1, 1])
    assert found[0, 0] == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-6)
