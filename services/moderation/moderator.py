"""Texts to judgements: the model's probabilities under a policy."""

from __future__ import annotations

from collections.abc import Sequence

from services.common.artifacts import LocalModel
from services.common.errors import ModelUnavailable
from services.common.text_classifier import TextClassifier
from services.moderation.policy import LABELS, Judgement, Policy

OVERLAP_TOKENS = 16
"""What two windows of a long text share, so that an insult on their border is read whole by one of them."""


class Moderator:
    """A loaded model and the policy that it is judged under."""

    def __init__(self, model: LocalModel, policy: Policy, *, threads: int | None = None) -> None:
        """Loads the model; raises `ModelUnavailable` where it does not know exactly the six labels."""
        if set(model.manifest.labels) != set(LABELS) or len(model.manifest.labels) != len(LABELS):
            raise ModelUnavailable(
                f"manifest.json names the wrong labels: expected {', '.join(LABELS)}, "
                f"found {', '.join(model.manifest.labels)}."
            )
        overlap_tokens = min(OVERLAP_TOKENS, model.manifest.max_length // 4)
        self._classifier = TextClassifier(model, threads=threads, overlap_tokens=overlap_tokens)
        self.policy = policy
        self.model_version = model.manifest.version

    def judge(self, texts: Sequence[str]) -> list[Judgement]:
        """One judgement a text, in order. Long texts are read to their end, in windows."""
        probabilities = self._classifier.probabilities(texts)
        labels = self._classifier.labels
        return [
            self.policy.judge({label: float(row[labels.index(label)]) for label in LABELS}) for row in probabilities
        ]
