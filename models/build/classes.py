"""What a classifier of exclusive labels is worth: accuracy, macro F1, scores a label, accuracy a slice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.build.measure import Predict, read_set


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities that add up to one a row: float32 [texts, labels]."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)


def scores(truth: Sequence[str], found: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
    """Accuracy, macro F1, and precision, recall and F1 of each label; between 0 and 1, four digits."""
    per_label = {label: _label_scores(truth, found, label) for label in labels}
    return {
        "texts": len(truth),
        "accuracy": _ratio(sum(a == b for a, b in zip(truth, found, strict=True)), len(truth)),
        "macro_f1": round(sum(row["f1"] for row in per_label.values()) / len(labels), 4),
        "labels": per_label,
    }


def set_scores(predict: Predict, path: Path, labels: Sequence[str]) -> dict[str, Any]:
    """Scores on a labelled file such as the blind set, and the accuracy of each of its slices."""
    texts, rows, parts = read_set(path, labels)
    truth = [labels[index] for index in rows.argmax(axis=1)]
    found = best(predict, texts, labels)
    right: dict[str, list[bool]] = {}
    for part, a, b in zip(parts, truth, found, strict=True):
        right.setdefault(part, []).append(a == b)
    slices = {part: _ratio(sum(hits), len(hits)) for part, hits in sorted(right.items())}
    return {**scores(truth, found, labels), "accuracy_by_slice": slices}


def best(predict: Predict, texts: Sequence[str], labels: Sequence[str]) -> list[str]:
    """The most probable label of each text."""
    return [labels[index] for index in predict(texts).argmax(axis=1)]


def _label_scores(truth: Sequence[str], found: Sequence[str], label: str) -> dict[str, float | int]:
    right = sum(a == b == label for a, b in zip(truth, found, strict=True))
    precision, recall = _ratio(right, found.count(label)), _ratio(right, truth.count(label))
    f1 = round(2 * precision * recall / (precision + recall), 4) if right else 0.0
    return {"precision": precision, "recall": recall, "f1": f1, "texts": truth.count(label)}


def _ratio(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
