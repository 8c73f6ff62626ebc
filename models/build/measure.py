"""What a classifier is worth: precision, recall and F1 per label, accuracy, and the time of one text."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.common.artifacts import verify
from services.common.text_classifier import TextClassifier

Probabilities = NDArray[np.float32]
Predict = Callable[[Sequence[str]], Probabilities]
THRESHOLD = 0.5


def classifier(folder: Path, *, threads: int = 1) -> TextClassifier:
    """The model of a folder through the runtime that serves it: what is measured is what is shipped."""
    return TextClassifier(verify(folder), threads=threads)


def read_set(path: Path, labels: Sequence[str]) -> tuple[list[str], NDArray[np.bool_], list[str]]:
    """Reads lines of `{"text", "labels", "slice"}`: texts, truth as bool [texts, labels], slices."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return (
        [row["text"] for row in rows],
        truth_of([row["labels"] for row in rows], labels),
        [row.get("slice", "") for row in rows],
    )


def truth_of(given: Sequence[Sequence[str] | frozenset[str]], labels: Sequence[str]) -> NDArray[np.bool_]:
    """Sets of labels as bool [texts, labels]."""
    return np.array([[label in row for label in labels] for row in given], dtype=np.bool_)


def scores(truth: NDArray[np.bool_], probabilities: Probabilities, labels: Sequence[str]) -> dict[str, object]:
    """Accuracy and false-positive rate of toxic or not (any label at the threshold), and each label's scores."""
    found = probabilities >= THRESHOLD
    toxic, flagged = truth.any(axis=1), found.any(axis=1)
    return {
        "texts": len(truth),
        "accuracy": _ratio(int((toxic == flagged).sum()), len(truth)),
        "false_positive_rate": _ratio(int((flagged & ~toxic).sum()), int((~toxic).sum())),
        "labels": {label: _label_scores(truth[:, i], found[:, i]) for i, label in enumerate(labels)},
    }


def set_scores(model: TextClassifier, path: Path) -> dict[str, object]:
    """Scores on a labelled file such as the blind set, and the share of each of its slices that is flagged."""
    texts, truth, parts = read_set(path, model.labels)
    probabilities = model.probabilities(texts)
    flagged = {part: flagged_share(probabilities[[other == part for other in parts]]) for part in sorted(set(parts))}
    return {**scores(truth, probabilities, model.labels), "flagged_by_slice": flagged}


def flagged_share(probabilities: Probabilities) -> float:
    """The share of texts that any label flags."""
    return _ratio(int((probabilities >= THRESHOLD).any(axis=1).sum()), len(probabilities))


def milliseconds_per_text(model: TextClassifier, *, tokens: int = 32, runs: int = 200) -> float:
    """The median time of one text of about so many tokens, tokenized and judged alone, in milliseconds."""
    text = " ".join(["table"] * (tokens - 2))
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        model.logits([text])
        times.append(time.perf_counter() - started)
    return round(float(np.median(times)) * 1000, 2)


def _label_scores(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> dict[str, float | int]:
    right = int((truth & found).sum())
    precision, recall = _ratio(right, int(found.sum())), _ratio(right, int(truth.sum()))
    f1 = round(2 * precision * recall / (precision + recall), 4) if right else 0.0
    return {"precision": precision, "recall": recall, "f1": f1, "texts": int(truth.sum())}


def _ratio(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
