"""What runs together: the oldest text and those of like length, within a budget; nothing lost, nothing starved."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.waiting import MAX_PADDING, Job, Waiting

LENGTHS = st.lists(st.integers(1, 128), max_size=60)


def job(length: int, *, deadline: float = math.inf) -> Job:
    return Job(np.zeros(length, dtype=np.int64), lambda result: None, deadline)


def queue(lengths) -> tuple[Waiting, list[Job]]:
    waiting, jobs = Waiting(), [job(length) for length in lengths]
    for one in jobs:
        waiting.add(one)
    return waiting, jobs


@given(lengths=LENGTHS, budget=st.integers(1, 2000))
def test_every_text_runs_once_and_the_oldest_always_next(lengths, budget):
    waiting, jobs = queue(lengths)
    left = list(jobs)

    while left:
        batch, late = waiting.take(budget, 0.0)
        assert left[0] in batch
        assert late == []
        left = [one for one in left if one not in batch]

    assert waiting.take(budget, 0.0) == ([], [])
    assert (len(waiting), waiting.tokens) == (0, 0)


@given(lengths=LENGTHS, budget=st.integers(1, 2000))
def test_a_batch_keeps_to_its_budget_and_has_little_padding(lengths, budget):
    waiting, _ = queue(lengths)

    while jobs := waiting.take(budget, 0.0)[0]:
        padded = len(jobs) * max(one.length for one in jobs)
        assert padded <= budget or len(jobs) == 1
        assert padded <= MAX_PADDING * sum(one.length for one in jobs)


@given(lengths=st.lists(st.integers(1, 128), min_size=1, max_size=40), data=st.data())
def test_a_text_that_is_taken_out_does_not_run(lengths, data):
    waiting, jobs = queue(lengths)
    gone = data.draw(st.sets(st.sampled_from(jobs)))

    assert all(waiting.discard(one) for one in gone)

    assert not any(waiting.discard(one) for one in gone)
    assert waiting.tokens == sum(one.length for one in jobs if one not in gone)
    ran = []
    while batch := waiting.take(256, 0.0)[0]:
        ran += batch
    assert set(ran) == set(jobs) - gone


def test_texts_of_like_length_run_together():
    waiting, _ = queue([10, 100, 11, 99, 9, 12])

    batch, _ = waiting.take(1000, 0.0)

    assert [one.length for one in batch] == [9, 10, 11, 12]


def test_the_budget_is_spent_on_the_nearest_lengths():
    waiting, _ = queue([50, 49, 60, 51, 45])

    batch, _ = waiting.take(155, 0.0)

    assert [one.length for one in batch] == [49, 50, 51]


def test_a_text_longer_than_the_budget_runs_alone():
    waiting, jobs = queue([500, 499])

    batch, _ = waiting.take(100, 0.0)

    assert batch == [jobs[0]]


@pytest.mark.parametrize("deadlines", [(5.0, math.inf), (math.inf, 5.0)])
def test_a_text_that_is_too_late_is_told_apart(deadlines):
    waiting = Waiting()
    jobs = [job(10, deadline=deadline) for deadline in deadlines]
    for one in jobs:
        waiting.add(one)

    batch, late = waiting.take(100, 5.0)

    assert [one.deadline for one in batch] == [math.inf]
    assert [one.deadline for one in late] == [5.0]


def test_only_late_texts_make_no_batch():
    waiting = Waiting()
    for length in (10, 100):
        waiting.add(job(length, deadline=1.0))

    batch, late = waiting.take(100, 2.0)

    assert (batch, len(late), waiting.tokens) == ([], 2, 0)
