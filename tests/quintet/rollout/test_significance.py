"""The statistics against scipy's own and against numbers worked out by hand."""

import pytest
from scipy.stats import fisher_exact

from quintet.rollout.significance import chi_square, fisher, holm, more_often_than, total_variation


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


def test_holm_counts_the_smallest_as_often_as_there_are_checks_and_each_next_once_less():
    assert holm([0.04, 0.01, 0.015]) == pytest.approx([0.04, 0.03, 0.03])


def test_holm_makes_none_less_than_the_one_before_it():
    # 0.05 would be rejected by itself at 0.05; as 0.03 is not (twice 0.03), it is not either.
    assert holm([0.01, 0.03, 0.05]) == pytest.approx([0.03, 0.06, 0.06])


def test_holm_goes_no_further_than_one():
    assert holm([0.7, 0.8]) == [1.0, 1.0]


def test_what_could_not_be_tested_makes_the_others_no_harder():
    assert holm([None, 0.01, None, 0.02]) == [None, 0.02, None, 0.02]


def test_the_binomial_test_of_two_of_two_at_a_half_is_one_in_four():
    assert more_often_than(0.5, 2, 2) == pytest.approx(0.25)
    assert more_often_than(0.5, 0, 2) == 1.0
    assert more_often_than(0.5, 0, 0) is None


def test_the_chi_square_test_of_a_textbook_table():
    # (30, 20, 50) against (20, 30, 50): 2 + 2 + 0 = 4 with two degrees of freedom, exp(-2)
    assert chi_square({"a": 30, "b": 20, "c": 50}, {"a": 20, "b": 30, "c": 50}) == pytest.approx(0.135335, abs=1e-6)


def test_a_label_that_only_one_has_is_a_difference():
    assert chi_square({"a": 100}, {"a": 50, "b": 50}) < 1e-9


def test_the_total_variation_is_the_share_that_would_have_to_move():
    assert total_variation({"a": 50, "b": 50}, {"a": 300, "b": 700}) == pytest.approx(0.2)
    assert total_variation({"a": 10}, {"b": 1}) == 1.0
