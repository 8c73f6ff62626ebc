"""What the model says about one text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SCORE_DIGITS = 6
"""Of a score in an answer; the model's own numbers mean less than that."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A label and how sure the model is.

    Attributes:
        label: The one with the highest score.
        scores: A probability for each label; they add up to 1.
        confidence: The score of the label.
    """

    label: str
    scores: Mapping[str, float]
    confidence: float

    @classmethod
    def of(cls, labels: Sequence[str], probabilities: Sequence[float]) -> Prediction:
        """The prediction that these probabilities make; on a tie, the first label."""
        scores = {
            label: round(probability, SCORE_DIGITS) for label, probability in zip(labels, probabilities, strict=True)
        }
        label = max(scores, key=scores.__getitem__)
        return cls(label, scores, scores[label])
