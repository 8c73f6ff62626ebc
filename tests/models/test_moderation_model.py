"""The moderation model that ships: it is what its manifest says, and it is worth what its card says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from models.build import measure
from models.build.moderation import slices
from services.common.artifacts import Manifest, read_manifest, verify
from services.common.text_classifier import TextClassifier, sigmoid

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "models" / "moderation"
BLIND = ROOT / "models" / "blind" / "moderation.jsonl"
LABELS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")


@pytest.fixture(scope="module")
def model() -> TextClassifier:
    return measure.classifier(FOLDER)


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return read_manifest(FOLDER)


@pytest.fixture(scope="module")
def blind(model: TextClassifier) -> dict:
    return measure.set_scores(model, BLIND)


def test_every_file_is_the_one_that_the_manifest_names(manifest: Manifest):
    verified = verify(FOLDER)

    assert set(verified.manifest.files) == {"model.onnx", "tokenizer.json"}
    assert manifest.version.endswith(manifest.files["model.onnx"].sha256[:8])


def test_the_labels_come_in_the_order_of_the_jigsaw_data(manifest: Manifest):
    assert manifest.labels == LABELS


def test_the_model_takes_ids_and_mask_of_any_size_and_gives_logits():
    session = onnxruntime.InferenceSession(str(FOLDER / "model.onnx"), providers=["CPUExecutionProvider"])

    inputs = {node.name: node.type for node in session.get_inputs()}
    shapes = []
    for batch, length in ((1, 2), (3, 17), (2, 128)):
        ids = np.full((batch, length), 5, dtype=np.int64)
        (logits,) = session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        shapes.append((logits.dtype, logits.shape))

    assert inputs == {"input_ids": "tensor(int64)", "attention_mask": "tensor(int64)"}
    assert shapes == [(np.float32, (batch, 6)) for batch in (1, 3, 2)]


def test_the_folder_stays_small_enough_to_be_kept_in_the_repository():
    sizes = [path.stat().st_size for path in FOLDER.iterdir()]

    assert sum(sizes) < 6_000_000


def test_the_weights_are_quantized(manifest: Manifest):
    # Two million parameters: float32 would be four times as large.
    assert manifest.files["model.onnx"].bytes < 3_000_000


def test_the_model_file_names_no_path_of_the_machine_that_made_it():
    content = (FOLDER / "model.onnx").read_bytes()

    assert b".py" not in content
    assert b"site-packages" not in content


def test_padding_does_not_change_a_score(model: TextClassifier):
    texts = ["You are an idiot.", "Thanks for the lovely dinner, see you on Sunday at the station after the concert."]

    alone = np.concatenate([model.logits([text]) for text in texts])
    session = model._session
    encodings = [model._tokenizer.encode(text) for text in texts]
    longest = max(len(encoding.ids) for encoding in encodings)
    ids = np.array([encoding.ids + [0] * (longest - len(encoding.ids)) for encoding in encodings], dtype=np.int64)
    mask = (np.arange(longest) < [[len(encoding.ids)] for encoding in encodings]).astype(np.int64)
    (together,) = session.run(["logits"], {"input_ids": ids, "attention_mask": mask})

    # Dynamic quantization scales activations by the whole batch: close, not equal.
    assert np.abs(sigmoid(alone) - sigmoid(together)).max() < 0.05


def test_sentences_of_another_writer_are_mostly_judged_right(blind: dict):
    assert blind["accuracy"] >= 0.86
    assert blind["false_positive_rate"] <= 0.18


@pytest.mark.parametrize(
    ("label", "floor"),
    [("toxic", 0.86), ("obscene", 0.92), ("insult", 0.81), ("threat", 0.76), ("identity_hate", 0.76)],
)
def test_each_label_keeps_its_f1_on_sentences_of_another_writer(blind: dict, label: str, floor: float):
    assert blind["labels"][label]["f1"] >= floor


def test_naming_who_somebody_is_is_seldom_flagged(blind: dict):
    # Five of forty where it was measured, one more than aimed at; a sixth where a processor rounds differently.
    assert blind["flagged_by_slice"]["identity_mention"] <= 0.15


def test_the_manifest_and_the_card_state_what_is_measured(manifest: Manifest, blind: dict):
    stated = manifest.metrics["blind"]
    card = (FOLDER / "README.md").read_text(encoding="utf-8")

    # Processors round int8 sums differently: a text or two of 400 may fall on the other side of the threshold.
    assert stated["accuracy"] == pytest.approx(blind["accuracy"], abs=0.01)
    assert f"{stated['accuracy']:.1%}" in card
    assert manifest.version in card


def test_a_harmless_sentence_stays_harmless_whoever_it_is_about(model: TextClassifier):
    gap = slices.identity_gap(model.probabilities)

    assert gap["kind_flagged"] <= 0.05
    assert gap["kind_gap"] <= 0.1


def test_hostility_is_found_whomever_it_is_aimed_at(model: TextClassifier):
    gap = slices.identity_gap(model.probabilities)

    assert gap["hostile_found"] >= 0.95
    assert gap["hostile_gap"] <= 0.25


@pytest.mark.parametrize("disguise", ["plain", *slices.DISGUISES])
def test_an_insult_is_found_in_disguise(evasion: dict[str, float], disguise: str):
    assert evasion[disguise] >= 0.8


@pytest.fixture(scope="module")
def evasion(model: TextClassifier) -> dict[str, float]:
    return slices.evasion_recall(model.probabilities)


def test_an_insult_is_found_at_any_place_of_a_long_text(model: TextClassifier):
    filler = ["The bakery opens at seven.", "We walked along the river.", "My sister sent a postcard."] * 2
    texts = [
        " ".join([*filler[:place], "You are a pathetic idiot.", *filler[place:]]) for place in range(len(filler) + 1)
    ]

    found = model.probabilities(texts)[:, LABELS.index("insult")]

    assert (found >= 0.5).all()
    assert measure.flagged_share(model.probabilities([" ".join(filler)])) == 0


def test_a_short_text_takes_a_few_milliseconds_at_most(model: TextClassifier):
    # Measured 0.4 ms; the bound leaves room for a busy machine, not for a model ten times as large.
    assert measure.milliseconds_per_text(model, runs=30) < 10
