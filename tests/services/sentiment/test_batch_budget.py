"""The size of a batch is moved only while answers are late, and to where they are less late."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sentiment.batch_budget import FIRST_TOKENS, SMALLEST_TOKENS, WINDOW, BatchBudget


def settle(latency: Callable[[int], float], *, target: float, largest: int = 4096) -> BatchBudget:
    """A budget after a long time on a machine whose answers take so long with so many tokens a batch."""
    budget = BatchBudget(largest, target_seconds=target)
    for _ in range(100 * WINDOW):
        budget.observe(latency(budget.tokens))
    return budget


def like_a_cpu(tokens: int) -> float:
    """64 clients, two CPUs: 0.50 s with 128 tokens, 0.64 s with 512, measured."""
    return 0.45 + tokens * 0.0004


def like_a_gpu(tokens: int) -> float:
    """Each call costs the same: large batches do more."""
    return 0.1 + 500 / tokens


def test_a_fixed_budget_fails_where_the_moved_one_holds_the_target():
    assert like_a_cpu(512) > 0.55

    budget = settle(like_a_cpu, target=0.55)

    assert like_a_cpu(budget.tokens) <= 0.55


def test_a_machine_that_needs_large_batches_gets_them():
    budget = settle(like_a_gpu, target=0.05)

    assert budget.tokens > 2000


def test_a_target_out_of_reach_ends_at_the_smallest_where_that_is_best():
    assert settle(like_a_cpu, target=0.01).tokens == SMALLEST_TOKENS


def test_nothing_is_changed_while_answers_are_in_time():
    assert settle(like_a_cpu, target=10).tokens == FIRST_TOKENS


@pytest.mark.parametrize("late", [5, 95])
def test_only_the_p95_counts(late):
    budget = BatchBudget(4096, target_seconds=0.1)

    for number in range(WINDOW):
        budget.observe(1.0 if number % 100 >= 100 - late else 0.01)

    assert (budget.tokens < FIRST_TOKENS) == (late > 5)


@given(st.lists(st.floats(0, 10), min_size=10, max_size=30), st.integers(1, 5000))
def test_the_budget_stays_within_its_bounds(levels, largest):
    budget = BatchBudget(largest, target_seconds=1)

    for level in levels:
        for _ in range(WINDOW):
            budget.observe(level)
        assert min(SMALLEST_TOKENS, largest) <= budget.tokens <= largest
