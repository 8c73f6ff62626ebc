"""From sentences to a model folder: what `python -m models.build sentiment` does."""

from __future__ import annotations

import itertools
import json
import logging
import random
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from models.build import artifact, classes, measure, tokenizer
from models.build.examples import Example
from models.build.export import export
from models.build.grammar import Lexicon, Template, read_lexicon, read_templates
from models.build.network import Size, StandardClassifier, small_bert
from models.build.sentiment import card, slices
from models.build.sentiment.predict import predictor
from models.build.sentiment.writer import LABELS, Mixture, Writer, read_frames
from models.build.training import Encoder, Schedule, exclusive, train
from services.sentiment.preprocess import clean

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
EVERYDAY = HERE.parent / "moderation" / "lexicon_everyday.txt"
"""Names, things, places and tasks are the same for every model."""
POLAR_CATEGORIES = frozenset({"good", "bad", "feeling", "word"})
"""Categories of the everyday words that praise or blame here, or that may."""
MAX_LENGTH = 256
VOCABULARY = 10000
SIZE = Size(hidden=160, layers=2, heads=5, feed_forward=384)
"""What two busy cores train in a quarter of an hour; most of what there is to learn is in the words."""
HELD_OUT_ONE_IN = 25
MINUTES = 14
"""What the training took where it was made."""
SEED = 20261121
TRAINING = Mixture(single=52000, contrasted=13000, mixed=2000, joined=8000, salad=1000)
HELD_OUT = Mixture(single=2000, contrasted=400, mixed=0, joined=400, salad=0)
SCHEDULE = Schedule(epochs=13, peak_rate=1.1e-3, smoothing=0.05, word_dropout=0.02)

DESCRIPTION: dict[str, Any] = {
    "architecture": "BertForSequenceClassification, 2 layers of 160, 5 heads; dynamic int8 ONNX, float16 safetensors",
    "license": "Apache-2.0",
    "source": "models/build: trained from nothing on sentences written for it",
}
FILES = ("model.onnx", "tokenizer.json", "config.json", "model.safetensors")


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
        (example.text for example in learning.epoch(TRAINING, random.Random(SEED))),
        vocabulary=VOCABULARY,
        normalizer=tokenizer.everyday_spelling(),
        min_frequency=3,
    )
    network = StandardClassifier(small_bert(pieces.get_vocab_size(), len(LABELS), max_length=MAX_LENGTH, size=SIZE))
    network.lean(leanings(pieces))
    log.info("%d parameters, vocabulary %d", sum(p.numel() for p in network.parameters()), pieces.get_vocab_size())
    train(
        network,
        Encoder(pieces, LABELS, schedule, max_length=MAX_LENGTH),
        lambda rng: learning.epoch(TRAINING, rng),
        schedule,
        seed=SEED,
        loss_of=exclusive,
    )
    out.mkdir(parents=True, exist_ok=True)
    difference = export(network, out / "model.onnx")
    pieces.save(str(out / "tokenizer.json"))
    save_for_torch(network, out)
    finish(out, held_out.epoch(HELD_OUT, random.Random(SEED + 1), rough=False), blind, difference)


def leanings(pieces: Tokenizer) -> torch.Tensor:
    """How much each token stands in words that praise and not in those that blame: float [vocabulary], -1 to 1."""
    counts = torch.zeros(2, pieces.get_vocab_size())
    for row, name in enumerate(("lexicon_negative.txt", "lexicon_positive.txt")):
        for phrase in itertools.chain.from_iterable(read_lexicon(HERE / name).values()):
            for token in pieces.encode(clean(phrase), add_special_tokens=False).ids:
                counts[row, token] += 1
    return (counts[1] - counts[0]) / (counts.sum(dim=0) + 1)


def save_for_torch(network: StandardClassifier, out: Path) -> None:
    """Writes config.json and model.safetensors as `AutoModelForSequenceClassification.from_pretrained` reads them.

    The weights are float16 to save half of the space; the configuration asks for float32 when they are loaded.
    """
    config = network.model.config
    config.id2label = dict(enumerate(LABELS))
    config.label2id = {label: index for index, label in enumerate(LABELS)}
    config.architectures = ["BertForSequenceClassification"]
    written = {**config.to_diff_dict(), "dtype": "float32"}
    (out / "config.json").write_text(json.dumps(written, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    weights = network.model.state_dict()
    halves = {name: weight.detach().to(torch.float16).contiguous() for name, weight in weights.items()}
    save_file(halves, out / "model.safetensors", metadata={"format": "pt"})
    # Made readable for its owner alone, unlike the other files.
    (out / "model.safetensors").chmod(0o644)


def finish(out: Path, held_out: list[Example], blind: Path | None, difference: float) -> None:
    """Measures the exported files through the serving runtime and writes manifest and card."""
    write_manifest(out, {})
    metrics = evaluate(out, held_out, blind)
    metrics["int8_probability_difference"] = round(difference, 4)
    version = write_manifest(out, metrics)
    (out / "card").mkdir(exist_ok=True)
    (out / "card" / "README.md").write_text(
        card.text(
            version,
            metrics,
            {name: (out / name).stat().st_size for name in FILES},
            length=MAX_LENGTH,
            held_out=HELD_OUT_ONE_IN,
            minutes=MINUTES,
        ),
        encoding="utf-8",
    )
    log.info("%s", json.dumps(metrics, indent=1))


def write_manifest(out: Path, metrics: dict[str, Any]) -> str:
    """Writes the manifest of all files and returns the version."""
    return artifact.write_manifest(
        out, name="sentiment", labels=LABELS, max_length=MAX_LENGTH, metrics=metrics, files=FILES, **DESCRIPTION
    )


def evaluate(folder: Path, held_out: list[Example], blind: Path | None) -> dict[str, Any]:
    """All metrics of the model in a folder; of the blind set aggregates only."""
    model = measure.classifier(folder)
    predict = predictor(model)
    metrics: dict[str, Any] = {
        "held_out": classes.scores(
            [next(iter(example.labels)) for example in held_out],
            classes.best(predict, [example.text for example in held_out], LABELS),
            LABELS,
        ),
        "suites": slices.accuracies(predict),
        "milliseconds_32_tokens_1_thread": measure.milliseconds_per_text(model),
    }
    if blind is not None:
        metrics["blind"] = classes.set_scores(predict, blind, LABELS)
    return metrics


def writers() -> tuple[Writer, Writer]:
    """The writer of the training part and that of the held-out part; they share the words."""
    charged = {
        **read_lexicon(HERE / "lexicon_positive.txt"),
        **read_lexicon(HERE / "lexicon_negative.txt"),
        **read_lexicon(HERE / "lexicon_things.txt"),
    }
    everyday = {name: words for name, words in read_lexicon(EVERYDAY).items() if name not in POLAR_CATEGORIES}
    lexicon = Lexicon(everyday, charged)
    emoji = {
        "positive": lexicon.words("pos_emoji"),
        "negative": lexicon.words("neg_emoji"),
        "neutral": lexicon.words("neu_emoji"),
    }
    parts: tuple[list[Template], list[Template]] = ([], [])
    for template in read_templates(sorted((HERE / "sentences").glob("*.txt"))):
        parts[template.held_out(HELD_OUT_ONE_IN)].append(template)
    frames = read_frames(HERE / "frames.txt")
    return Writer(parts[0], lexicon, emoji, frames), Writer(parts[1], lexicon, emoji, frames)
