"""From scores to a decision: a threshold for each category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Label = Literal["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
LABELS: tuple[Label, ...] = get_args(Label)
"""The six labels of the Jigsaw toxic comment data, in the order in which they are answered."""

SCORE_DIGITS = 6
"""Scores are rounded before they are judged, so that a logged score gives the same decision again."""


@dataclass(frozen=True)
class Judgement:
    """What a policy makes of one text's scores."""

    scores: Mapping[Label, float]
    flagged: tuple[Label, ...]
    confidence: float

    @property
    def is_toxic(self) -> bool:
        """Whether any category is flagged."""
        return bool(self.flagged)


@dataclass(frozen=True)
class Policy:
    """Thresholds by category; a score that reaches its threshold flags the category."""

    version: str
    thresholds: Mapping[Label, float]

    def judge(self, probabilities: Mapping[Label, float]) -> Judgement:
        """Judges one text.

        Args:
            probabilities: One for each label, from 0 to 1.
        """
        scores = {label: round(float(probabilities[label]), SCORE_DIGITS) for label in LABELS}
        flagged = tuple(label for label in LABELS if scores[label] >= self.thresholds[label])
        confidence = max(scores[label] for label in flagged) if flagged else 1 - max(scores.values())
        return Judgement(scores, flagged, round(confidence, SCORE_DIGITS))


DEFAULT_POLICY = Policy(version="default-1", thresholds=dict.fromkeys(LABELS, 0.5))
