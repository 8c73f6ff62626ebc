"""From sentences to a model folder: what `python -m models.build moderation` does."""

from __future__ import annotations

import json
import logging
import random
from pathlib import Path
from typing import Any

import torch

from models.build import artifact, measure, tokenizer
from models.build.examples import Example, Mixture, Writer
from models.build.export import export
from models.build.grammar import Lexicon, Template, read_lexicon, read_templates
from models.build.moderation import card, slices
from models.build.network import Classifier, small_bert
from models.build.training import Encoder, Schedule, train

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
LABELS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
MAX_LENGTH = 128
VOCABULARY = 5000
HELD_OUT_ONE_IN = 13
SEED = 20261120
QUOTABLE = frozenset({"toxic", "insult", "threat", "identity_hate"})
"""Quoted profanity is still obscene, so only texts without it are put into quoting frames."""
TRAINING = Mixture(harmless=28000, harmful=13000, joined=9000, quoted=1200, salad=3000, spliced=9000)
HELD_OUT = Mixture(harmless=1000, harmful=1000, joined=200, quoted=0, salad=0, spliced=0, evasive_rate=0.0)

SCHEDULE = Schedule()

DESCRIPTION: dict[str, Any] = {
    "architecture": "BERT, 3 layers of 192, 6 heads, first token and maximum over tokens, dynamic int8 ONNX",
    "license": "Apache-2.0",
    "source": "models/build: trained from nothing on sentences written for it",
}


def build(out: Path, *, blind: Path | None, threads: int = 1, schedule: Schedule | None = None) -> None:
    """Trains, exports, measures and writes the folder `out`; takes some minutes on two cores.

    Args:
        out: The folder of the model; files of an earlier one are replaced.
        blind: The blind set, or None to leave its metrics out.
        threads: Of torch.
        schedule: Of the training; the default is the one the shipped model had.
    """
    torch.manual_seed(SEED)
    torch.set_num_threads(threads)
    schedule = schedule or SCHEDULE
    learning, held_out = writers()
    pieces = tokenizer.train(
        (example.text for example in learning.epoch(TRAINING, random.Random(SEED))), vocabulary=VOCABULARY
    )
    network = Classifier(small_bert(pieces.get_vocab_size(), len(LABELS), max_length=MAX_LENGTH))
    log.info("%d parameters, vocabulary %d", sum(p.numel() for p in network.parameters()), pieces.get_vocab_size())
    train(
        network,
        Encoder(pieces, LABELS, schedule, max_length=MAX_LENGTH),
        lambda rng: learning.epoch(TRAINING, rng),
        schedule,
        seed=SEED,
    )
    out.mkdir(parents=True, exist_ok=True)
    difference = export(network, out / "model.onnx")
    pieces.save(str(out / "tokenizer.json"))
    finish(out, held_out.epoch(HELD_OUT, random.Random(SEED + 1)), blind, difference)


def finish(out: Path, held_out: list[Example], blind: Path | None, difference: float) -> None:
    """Measures the exported files through the serving runtime and writes manifest and card."""
    artifact.write_manifest(out, name="moderation", labels=LABELS, max_length=MAX_LENGTH, metrics={}, **DESCRIPTION)
    metrics = evaluate(out, held_out, blind)
    metrics["int8_probability_difference"] = round(difference, 4)
    version = artifact.write_manifest(
        out, name="moderation", labels=LABELS, max_length=MAX_LENGTH, metrics=metrics, **DESCRIPTION
    )
    (out / "README.md").write_text(
        card.text(version, metrics, sum((out / name).stat().st_size for name in artifact.FILES)), encoding="utf-8"
    )
    log.info("%s", json.dumps(metrics, indent=1))


def evaluate(folder: Path, held_out: list[Example], blind: Path | None) -> dict[str, object]:
    """All metrics of the model in a folder; of the blind set aggregates only."""
    model = measure.classifier(folder)
    metrics: dict[str, object] = {
        "held_out": measure.scores(
            measure.truth_of([example.labels for example in held_out], LABELS),
            model.probabilities([example.text for example in held_out]),
            LABELS,
        ),
        "identity_swap": slices.identity_gap(model.probabilities),
        "evasion_recall": slices.evasion_recall(model.probabilities),
        "milliseconds_32_tokens_1_thread": measure.milliseconds_per_text(model),
    }
    if blind is not None:
        metrics["blind"] = measure.set_scores(model, blind)
    return metrics


def writers() -> tuple[Writer, Writer]:
    """The writer of the training part and that of the held-out part."""
    lexicon = Lexicon(read_lexicon(HERE / "lexicon_everyday.txt"), read_lexicon(HERE / "lexicon_charged.txt"))
    templates = read_templates(sorted((HERE / "sentences").glob("*.txt")))
    quotes = [
        line
        for line in (HERE / "quotes.txt").read_text(encoding="utf-8").splitlines()
        if "<quote>" in line and line[0] != "#"
    ]
    parts: tuple[list[Template], list[Template]] = ([], [])
    for template in templates:
        parts[template.held_out(HELD_OUT_ONE_IN)].append(template)
    return Writer(parts[0], lexicon, quotes, QUOTABLE), Writer(parts[1], lexicon, quotes, QUOTABLE)
