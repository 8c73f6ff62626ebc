"""Texts become logits: in order, without padding that is read, and only by a model that keeps its contract."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from services.common import artifacts
from services.common.errors import ModelUnavailable
from services.common.lambda_environment import LambdaEnvironment
from services.common.text_classifier import MAX_PADDING, TextClassifier, sigmoid
from tests.services.tiny_model import LABELS, write_manifest, write_model

TOXIC = LABELS.index("toxic")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> TextClassifier:
    return load(write_model(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def in_windows(tmp_path_factory) -> TextClassifier:
    return load(write_model(tmp_path_factory.mktemp("model")), overlap_tokens=4)


def load(folder, *, overlap_tokens=None) -> TextClassifier:
    return TextClassifier(artifacts.verify(folder), threads=1, overlap_tokens=overlap_tokens)


class Recording:
    """Stands in for the session and keeps the shape of what it is given."""

    def __init__(self, session) -> None:
        self.session = session
        self.masks: list[np.ndarray] = []

    def run(self, outputs, inputs):
        self.masks.append(inputs["attention_mask"])
        return self.session.run(outputs, inputs)


@pytest.fixture
def recording(classifier, monkeypatch) -> Recording:
    recording = Recording(classifier._session)
    monkeypatch.setattr(classifier, "_session", recording)
    return recording


def test_one_row_of_logits_a_text_in_order(classifier):
    logits = classifier.logits(["hello", "you idiot", "hello", "nonsense"])

    assert logits.dtype == np.float32
    assert logits.shape == (4, len(LABELS))
    assert logits[:, TOXIC].tolist() == [-4, 4, -4, -1]


def test_no_texts_give_no_rows(classifier):
    assert classifier.logits([]).shape == (0, len(LABELS))


def test_each_label_has_a_probability_of_its_own(classifier):
    (row,) = classifier.probabilities(["kill the idiot"])

    assert row[LABELS.index("insult")] == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-6)
    assert row.sum() > 1.5


def test_a_batch_is_no_longer_than_its_longest_text(classifier, recording):
    classifier.logits(["one two three"])

    assert [mask.shape for mask in recording.masks] == [(1, 5)]


def test_texts_of_unlike_length_are_not_padded_to_each_other(classifier, recording):
    classifier.logits(["word " * 12, "a", "word " * 12, "b", "c"])

    assert [mask.shape for mask in recording.masks] == [(3, 3), (2, 14)]


@given(lengths=st.lists(st.integers(1, 14), min_size=1, max_size=32))
def test_padding_stays_within_its_bound(classifier, lengths):
    recording = Recording(classifier._session)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "_session", recording)
        logits = classifier.logits(["word " * length for length in lengths])

    assert logits.shape[0] == len(lengths)
    assert all(mask.size <= MAX_PADDING * mask.sum() for mask in recording.masks)


def test_a_text_is_cut_off_at_the_length_of_the_manifest(classifier, recording):
    classifier.logits(["word " * 100])

    assert recording.masks[0].shape == (1, 16)


def test_what_is_cut_off_is_not_read(classifier):
    assert classifier.logits(["word " * 100 + "idiot"])[0, TOXIC] == -4


def test_a_long_text_read_in_windows_is_read_to_its_end(in_windows):
    assert in_windows.logits(["word " * 100 + "idiot"])[0, TOXIC] == 4


def test_windows_stay_with_their_texts(in_windows):
    texts = ["word " * 50, "word " * 100 + "idiot", "kill", "word " * 30 + "nonsense"]

    logits = in_windows.logits(texts)

    assert logits[:, TOXIC].tolist() == [-4, 4, 2, -1]


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_any_text_gets_finite_probabilities(in_windows, text):
    probabilities = in_windows.probabilities([text])

    assert np.isfinite(probabilities).all()
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


@given(value=st.floats(-1e4, 1e4, width=32))
def test_the_sigmoid_never_overflows(value):
    with np.errstate(over="raise", invalid="raise"):
        found = sigmoid(np.array([value], dtype=np.float32))[0]

    assert 0 <= found <= 1
    assert found == pytest.approx(1 - sigmoid(np.array([-value], dtype=np.float32))[0], abs=1e-6)


def test_scores_that_are_no_numbers_are_no_answer(tmp_path):
    classifier = load(write_model(tmp_path, poison=float("nan")))

    with pytest.raises(ModelUnavailable, match="not finite numbers"):
        classifier.logits(["hello"])


def test_weights_that_are_no_model_are_refused(tmp_path):
    folder = write_model(tmp_path)
    (folder / "model.onnx").write_bytes(b"weights")
    write_manifest(folder)

    with pytest.raises(ModelUnavailable, match=r"model\.onnx is no model that onnxruntime can load"):
        load(folder)


def test_a_tokenizer_that_is_none_is_refused(tmp_path):
    folder = write_model(tmp_path)
    (folder / "tokenizer.json").write_text("{}")
    write_manifest(folder)

    with pytest.raises(ModelUnavailable, match=r"tokenizer\.json is no tokenizer"):
        load(folder)


def test_a_model_of_fewer_labels_than_its_manifest_is_refused(tmp_path):
    folder = write_model(tmp_path, labels=["toxic", "insult"])
    write_manifest(folder, labels=LABELS)

    with pytest.raises(ModelUnavailable, match=r"one logit for each of 6 labels, found \(1, 2\)"):
        load(folder)


def test_a_tokenizer_whose_words_the_model_does_not_know_is_refused(tmp_path):
    folder = write_model(tmp_path)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens(["warm"])
    tokenizer.save(str(folder / "tokenizer.json"))
    write_manifest(folder)

    with pytest.raises(ModelUnavailable, match=r"model\.onnx failed to run"):
        load(folder)


@pytest.mark.parametrize(
    ("memory_mb", "cpu_count", "threads"),
    [(None, 8, 8), (None, None, 1), (128, 2, 1), (1769, 2, 1), (2048, 2, 1), (3008, 2, 2), (10240, 6, 6), (3008, 1, 1)],
)
def test_threads_follow_the_share_of_cpu_that_lambda_grants(memory_mb, cpu_count, threads):
    assert LambdaEnvironment(runtime_api=None, memory_mb=memory_mb).cpu_threads(cpu_count) == threads


def test_lambda_is_known_by_its_variables():
    place = LambdaEnvironment.read(
        {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}
    )

    assert place == LambdaEnvironment(runtime_api="127.0.0.1:9001", memory_mb=512)
    assert LambdaEnvironment.read({}) == LambdaEnvironment(runtime_api=None, memory_mb=None)
