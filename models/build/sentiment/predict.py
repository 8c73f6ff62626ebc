"""The model as the service uses it: text cleaned first, probabilities that add up to one."""

from __future__ import annotations

from models.build.classes import softmax
from models.build.measure import Predict
from services.common.text_classifier import TextClassifier
from services.sentiment.preprocess import clean


def predictor(model: TextClassifier) -> Predict:
    """From texts as people wrote them to float32 [texts, labels]."""
    return lambda texts: softmax(model.logits([clean(text) for text in texts]))
