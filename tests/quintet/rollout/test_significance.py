"""The statistics against scipy's own and against numbers worked out by hand."""

import pytest
from scipy.stats import fisher_exact

from quintet.rollout.significance import chi_square, fisher, holm, total_variation


@pytest.mark.parametrize("table", [(0, 100, 0, 10), (3, 400, 4, 60), (50, 1000, 60, 1000), (7, 7, 3, 3)])
def test_fishers_test_is_scipys(table: tuple[int, int, int, int]):
    hits, total, hits_now, total_now = table

    expected = fisher_exact([[hits_now, total_now - hits_now], [hits, total - hits]], alternative="greater").pvalue

    assert fisher(*table) == pytest.approx(expected)


def test_fishers_test_of_two_of_two_after_none_of_two_is_one_in_six():
    assert fisher(0, 2, 2, 2) == pytest.approx(1 / 6)


def test_an_empty_sample_has_no_p_value():
    assert fisher(0, 0, 1, 5) is None
    assert fisher(0, 5, 0, 0) is None


def test_holm_rejects_step_by_step():
    # The smallest is held against a third of 0.05, the next against a half, the last against all of it.
    assert holm([0.04, 0.01, 0.02], 0.05) == pytest.approx([0.05, 0.05 / 3, 0.025])


def test_holm_stops_at_the_first_that_is_not_rejected():
    # 0.03 exceeds a half of 0.05, so that 0.04 is not rejected either, though it is below 0.05
    assert holm([0.01, 0.03, 0.04], 0.05) == pytest.approx([0.05 / 3, 0.025, 0.0])


def test_what_could_not_be_tested_makes_the_others_no_harder():
    assert holm([None, 0.01, None, 0.02], 0.05) == [None, 0.025, None, 0.05]


def test_the_chi_square_test_of_a_textbook_table():
    # (30, 20, 50) against (20, 30, 50): 2 + 2 + 0 = 4 with two degrees of freedom, exp(-2)
    assert chi_square({"a": 30, "b": 20, "c": 50}, {"a": 20, "b": 30, "c": 50}) == pytest.approx(0.135335, abs=1e-6)


def test_a_label_that_only_one_has_is_a_difference():
    assert chi_square({"a": 100}, {"a": 50, "b": 50}) < 1e-9


def test_the_total_variation_is_the_share_that_would_have_to_move():
    assert total_variation({"a": 50, "b": 50}, {"a": 300, "b": 700}) == pytest.approx(0.2)
    assert total_variation({"a": 10}, {"b": 1}) == 1.0
