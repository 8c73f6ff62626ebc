"""The sentiment model that ships: it is what its manifest says, and it is worth what its card says."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from models.build import classes, measure
from models.build.measure import Predict
from models.build.sentiment import slices
from models.build.sentiment.predict import predictor
from services.common.artifacts import Manifest, read_manifest, verify
from services.common.text_classifier import TextClassifier

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "models" / "sentiment"
BLIND = ROOT / "models" / "blind" / "sentiment.jsonl"
LABELS = ("negative", "neutral", "positive")
# A little below what was measured: processors round int8 sums differently.
BLIND_ACCURACY, BLIND_LABEL_F1 = 0.84, 0.82
SUITE_FLOORS = {
    "negation": 0.9,
    "contrast": 0.8,
    "understatement": 0.9,
    "facts": 0.9,
    "questions": 0.8,
    "emoji": 0.75,
}


@pytest.fixture(scope="module")
def model() -> TextClassifier:
    return measure.classifier(FOLDER)


@pytest.fixture(scope="module")
def predict(model: TextClassifier) -> Predict:
    return predictor(model)


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return read_manifest(FOLDER)


@pytest.fixture(scope="module")
def blind(predict: Predict) -> dict:
    return classes.set_scores(predict, BLIND, LABELS)


@pytest.fixture(scope="module")
def suites(predict: Predict) -> dict[str, float]:
    return slices.accuracies(predict)


def test_every_file_is_the_one_that_the_manifest_names(manifest: Manifest):
    verified = verify(FOLDER)

    assert set(verified.manifest.files) == {"model.onnx", "tokenizer.json", "config.json", "model.safetensors"}
    assert manifest.version.endswith(manifest.files["model.onnx"].sha256[:8])


def test_the_labels_are_ordered_from_negative_to_positive_everywhere(manifest: Manifest):
    config = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))

    assert manifest.labels == LABELS
    assert [config["id2label"][str(index)] for index in range(3)] == list(LABELS)


def test_the_model_takes_ids_and_mask_of_any_size_and_gives_logits(manifest: Manifest):
    session = onnxruntime.InferenceSession(str(FOLDER / "model.onnx"), providers=["CPUExecutionProvider"])

    inputs = {node.name: node.type for node in session.get_inputs()}
    shapes = []
    for batch, length in ((1, 2), (3, 17), (2, manifest.max_length)):
        ids = np.full((batch, length), 5, dtype=np.int64)
        (logits,) = session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        shapes.append((logits.dtype, logits.shape))

    assert manifest.max_length >= 128
    assert inputs == {"input_ids": "tensor(int64)", "attention_mask": "tensor(int64)"}
    assert shapes == [(np.float32, (batch, 3)) for batch in (1, 3, 2)]


def test_the_folder_stays_small_enough_to_be_kept_in_the_repository(manifest: Manifest):
    sizes = [path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()]

    assert sum(sizes) < 12_000_000
    # One byte a parameter, where the weights for torch take two.
    assert manifest.files["model.onnx"].bytes < 0.7 * manifest.files["model.safetensors"].bytes


def test_the_weights_for_torch_fit_the_configuration_beside_them():
    config = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
    with (FOLDER / "model.safetensors").open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        tensors = json.loads(file.read(size))

    assert config["architectures"] == ["BertForSequenceClassification"]
    # Saved in half precision, asked for in full: int8 and float32 shall agree, float16 is slow on CPUs.
    assert config["dtype"] == "float32"
    assert tensors["bert.embeddings.word_embeddings.weight"]["shape"] == [config["vocab_size"], config["hidden_size"]]
    assert tensors["classifier.weight"]["shape"] == [3, config["hidden_size"]]


def test_the_model_file_names_no_path_of_the_machine_that_made_it():
    content = (FOLDER / "model.onnx").read_bytes()

    assert b".py" not in content
    assert b"site-packages" not in content


def test_sentences_of_another_writer_are_mostly_judged_right(blind: dict):
    assert blind["accuracy"] >= BLIND_ACCURACY
    assert blind["macro_f1"] >= BLIND_ACCURACY


@pytest.mark.parametrize("label", LABELS)
def test_each_label_keeps_its_f1_on_sentences_of_another_writer(blind: dict, label: str):
    assert blind["labels"][label]["f1"] >= BLIND_LABEL_F1


@pytest.mark.parametrize(("slice_", "floor"), [("negation", 0.7), ("plain", 0.85), ("fact", 0.9), ("support", 0.75)])
def test_the_larger_slices_of_the_blind_set_hold(blind: dict, slice_: str, floor: float):
    assert blind["accuracy_by_slice"][slice_] >= floor


def test_the_manifest_and_the_card_state_what_is_measured(manifest: Manifest, blind: dict):
    stated = manifest.metrics["blind"]
    card = (FOLDER / "card" / "README.md").read_text(encoding="utf-8")

    # Processors round int8 sums differently: a few of 451 texts may fall on the other side.
    assert stated["accuracy"] == pytest.approx(blind["accuracy"], abs=0.012)
    assert f"{stated['accuracy']:.1%}" in card
    assert manifest.version in card


@pytest.mark.parametrize("suite", list(slices.read_suites()))
def test_a_suite_of_minimal_pairs_is_mostly_right(suites: dict[str, float], suite: str):
    assert suites[suite] >= SUITE_FLOORS[suite]


def test_naming_who_somebody_is_is_no_opinion(suites: dict[str, float]):
    # Measured 0.936: "Jewish" and "straight" lean to praise, see the card.
    assert suites["identity_neutral"] >= 0.92


@pytest.mark.parametrize("who", slices.IDENTITIES)
def test_naming_who_somebody_is_is_never_blame(predict: Predict, who: str):
    texts = [frame.format(who) for frame in slices.MENTIONS]

    assert "negative" not in classes.best(predict, texts, LABELS)


@pytest.mark.parametrize(
    ("change", "floor"),
    [("capitals", 0.98), ("lower_case", 0.98), ("bare", 0.9), ("exclaimed", 0.85), ("typo", 0.75), ("elongated", 0.7)],
)
def test_a_change_of_spelling_leaves_most_labels(suites: dict[str, float], change: str, floor: float):
    assert suites[f"same_{change}"] >= floor


def test_the_company_a_text_keeps_in_a_batch_does_not_change_its_label(predict: Predict):
    texts = [text for suite in slices.read_suites().values() for text in suite]

    forwards = classes.best(predict, texts, LABELS)
    backwards = classes.best(predict, texts[::-1], LABELS)[::-1]

    # Dynamic quantization scales activations by the whole batch: close, not equal.
    assert sum(a != b for a, b in zip(forwards, backwards, strict=True)) <= 2


def test_padding_hardly_changes_a_score(model: TextClassifier):
    tokens = model._tokenizer.encode("The soup was cold and the waiter ignored us.").ids
    ids = np.array([tokens + [0] * 40], dtype=np.int64)
    mask = (np.arange(ids.shape[1]) < len(tokens)).astype(np.int64)[None, :]

    (alone,) = model._session.run(
        ["logits"], {"input_ids": ids[:, : len(tokens)], "attention_mask": mask[:, : len(tokens)]}
    )
    (padded,) = model._session.run(["logits"], {"input_ids": ids, "attention_mask": mask})

    assert np.abs(classes.softmax(alone) - classes.softmax(padded)).max() < 0.05


@pytest.mark.parametrize(
    ("opinion", "label"), [("It is a complete disaster.", "negative"), ("It is simply wonderful.", "positive")]
)
def test_a_fact_beside_an_opinion_does_not_drown_it(predict: Predict, opinion: str, label: str):
    facts = ["The shop opens at nine.", "We took the bus to the station.", "The box has two handles."]
    texts = [text for fact in facts for text in (f"{fact} {opinion}", f"{opinion} {fact}")]

    found = classes.best(predict, texts, LABELS)

    assert found == [label] * len(texts)
    assert classes.best(predict, [" ".join(facts)], LABELS) == ["neutral"]


@pytest.mark.parametrize(
    "text", ["", " ", "?", "\x00", "日本語のテキスト", "12345", "a" * 5000, "@someone https://example.com"]
)
def test_any_text_gets_three_probabilities(predict: Predict, text: str):
    probabilities = predict([text])

    assert probabilities.shape == (1, 3)
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_a_text_too_long_to_read_whole_is_cut_off_and_answered(predict: Predict):
    assert classes.best(predict, ["I loved every minute of it. " * 200], LABELS) == ["positive"]


def test_a_short_text_takes_a_few_milliseconds_at_most(model: TextClassifier):
    # Measured 0.3 ms; the bound leaves room for a busy machine, not for a model ten times as large.
    assert measure.milliseconds_per_text(model, runs=30) < 10
