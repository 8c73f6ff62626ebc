"""From probabilities to a decision."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.moderation.policy import DEFAULT_POLICY, LABELS, Policy

PROBABILITIES = st.fixed_dictionaries({label: st.floats(0, 1) for label in LABELS})


def test_a_score_that_reaches_its_threshold_flags_its_category():
    policy = Policy("p", dict.fromkeys(LABELS, 0.5) | {"threat": 0.2})

    judgement = policy.judge(dict.fromkeys(LABELS, 0.1) | {"threat": 0.2, "insult": 0.499})

    assert (judgement.is_toxic, judgement.flagged, judgement.confidence) == (True, ("threat",), 0.2)


def test_confidence_in_a_harmless_text_falls_with_its_highest_score():
    judgement = DEFAULT_POLICY.judge(dict.fromkeys(LABELS, 0.1) | {"insult": 0.4})

    assert (judgement.is_toxic, judgement.confidence) == (False, 0.6)


@given(PROBABILITIES)
def test_scores_that_were_answered_give_the_same_decision_again(probabilities):
    judgement = DEFAULT_POLICY.judge(probabilities)

    assert DEFAULT_POLICY.judge(judgement.scores) == judgement


@given(PROBABILITIES)
def test_scores_and_confidence_stay_between_0_and_1(probabilities):
    judgement = DEFAULT_POLICY.judge(probabilities)

    assert all(0 <= number <= 1 for number in [judgement.confidence, *judgement.scores.values()])
    assert all(math.isclose(judgement.scores[label], probabilities[label], abs_tol=5e-7) for label in LABELS)


@pytest.mark.parametrize("label", LABELS)
def test_the_default_policy_knows_every_category(label):
    assert DEFAULT_POLICY.judge(dict.fromkeys(LABELS, 0.0) | {label: 0.5}).flagged == (label,)
