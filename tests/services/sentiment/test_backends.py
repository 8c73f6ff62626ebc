"""Each backend answers as its model says; which one runs, and why others do not, is known."""

import subprocess
import sys
import threading

import numpy as np
import onnxruntime
import pytest

from services.common import artifacts
from services.common.errors import ModelUnavailable
from services.sentiment.backends import choose_backend
from services.sentiment.backends.mock import MockBackend
from services.sentiment.backends.onnx import CUDA, OnnxBackend
from tests.conftest import ROOT
from tests.services.tiny_model import LABELS, write_manifest, write_sentiment_model

NEGATIVE, NEUTRAL, POSITIVE = range(3)


@pytest.fixture
def model(tmp_path):
    return artifacts.verify(write_sentiment_model(tmp_path))


def labels_of(backend, *texts: str, **options) -> list[int]:
    return backend.infer(backend.encode(texts), **options).argmax(axis=1).tolist()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("alone", [False, True])
def test_onnx_answers_as_its_model_says(model, threads, alone):
    backend = OnnxBackend(model, threads=threads)

    assert labels_of(backend, "bad", "a table", "so good", "bad", alone=alone) == [
        NEGATIVE,
        NEUTRAL,
        POSITIVE,
        NEGATIVE,
    ]
    assert (backend.name, backend.device, backend.parallel) == ("onnx", "cpu", threads)


def test_a_text_is_cut_off_at_the_length_of_the_manifest(model):
    backend = OnnxBackend(model, threads=1)

    (ids,) = backend.encode(["word " * 100])

    assert (ids.dtype, len(ids)) == (np.int64, model.manifest.max_length)


def test_onnx_answers_several_threads_at_once(model):
    backend = OnnxBackend(model, threads=2)
    texts = ["bad", "good", "table", "good bad good"] * 5
    expected, found = labels_of(backend, *texts), []

    def ask() -> None:
        found.extend(labels_of(backend, *texts) == expected for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [True] * 200


def test_cuda_is_asked_for_where_onnxruntime_brings_it(model, monkeypatch):
    asked = []
    real = onnxruntime.InferenceSession

    def session(path, options, *, providers):
        asked.append(providers)
        return real(path, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, "CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    backend = OnnxBackend(model, threads=1)

    assert asked == [[CUDA, "CPUExecutionProvider"]]
    assert backend.device == "cpu"  # onnxruntime found no GPU, and that is what is said


def test_weights_that_are_no_model_are_refused(tmp_path):
    folder = write_sentiment_model(tmp_path)
    (folder / "model.onnx").write_bytes(b"weights")
    write_manifest(folder, labels=("negative", "neutral", "positive"))

    with pytest.raises(ModelUnavailable, match=r"onnx: model\.onnx is no model that onnxruntime can load"):
        choose_backend("onnx", artifacts.verify(folder), threads=1)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("What a lovely day, thanks!", POSITIVE),
        ("This is terrible.", NEGATIVE),
        ("It was not good.", NEGATIVE),
        ("It isn\u2019t a bad idea", POSITIVE),
        ("The parcel arrives on Monday.", NEUTRAL),
        ("good and bad", NEUTRAL),
        ("emojilove", POSITIVE),
        ("", NEUTRAL),
    ],
)
def test_the_mock_counts_words(text, label):
    backend = MockBackend()

    logits = backend.infer(backend.encode([text]))

    if text != "good and bad":
        assert logits.argmax() == label
    else:
        assert logits[0, POSITIVE] == logits[0, NEGATIVE]


def test_the_mock_gives_the_same_every_time_and_says_what_it_is(model):
    backend = choose_backend("mock", model, threads=4).backend

    texts = ["good", "bad", "word " * 50]

    assert backend.name == "mock"
    assert np.array_equal(
        backend.infer(backend.encode(texts)), MockBackend(model).infer(MockBackend(model).encode(texts))
    )
    assert max(map(len, backend.encode(texts))) == model.manifest.max_length


def test_auto_takes_onnx_first(model):
    choice = choose_backend("auto", model, threads=1)

    assert (choice.backend.name, choice.tried) == ("onnx", {})


def absent(monkeypatch, *modules: str) -> None:
    """Makes these modules as if they were not installed."""
    for name in modules:
        monkeypatch.setitem(sys.modules, name, None)
    for backend in ("onnx", "torch"):
        monkeypatch.delitem(sys.modules, f"services.sentiment.backends.{backend}", raising=False)


def test_auto_says_why_others_do_not_run(model, monkeypatch):
    absent(monkeypatch, "onnxruntime", "torch")

    choice = choose_backend("auto", model, threads=1)

    assert choice.backend.name == "mock"
    assert choice.tried == {
        "onnx": "onnxruntime is not installed: pip install 'quintet[sentiment]'.",
        "torch": "torch is not installed: pip install 'quintet[sentiment,torch]'.",
    }


def test_without_any_runtime_the_mock_still_runs(model):
    program = """if True:
        import sys
        from pathlib import Path
        for name in ("onnxruntime", "torch", "transformers"):
            sys.modules[name] = None
        from services.common import artifacts
        from services.sentiment.backends import choose_backend
        from services.sentiment.predictor import Predictor
        sys.stdout.write(choose_backend("auto", artifacts.verify(Path(sys.argv[1])), threads=1).backend.name)
    """

    found = subprocess.run(
        [sys.executable, "-c", program, str(model.folder)], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert (found.stdout, found.stderr) == ("mock", "")


def test_auto_does_not_cover_up_a_model_that_is_refused(tmp_path, monkeypatch):
    absent(monkeypatch, "torch")
    folder = write_sentiment_model(tmp_path)
    (folder / "model.onnx").write_bytes(b"weights")
    write_manifest(folder, labels=("negative", "neutral", "positive"))

    with pytest.raises(ModelUnavailable, match=r"onnx: model\.onnx is no model .*torch: torch is not installed"):
        choose_backend("auto", artifacts.verify(folder), threads=1)


def test_a_backend_that_is_asked_for_and_absent_is_told(model, monkeypatch):
    absent(monkeypatch, "torch")

    with pytest.raises(ModelUnavailable, match=r"torch is not installed: pip install 'quintet\[sentiment,torch\]'"):
        choose_backend("torch", model, threads=1)


def test_a_backend_that_does_not_exist_is_told(model):
    with pytest.raises(ModelUnavailable, match="no backend 'tensorflow'; choose one of auto, onnx, torch, mock"):
        choose_backend("tensorflow", model, threads=1)


@pytest.mark.parametrize(
    "labels",
    [LABELS, ("negative", "positive"), ("positive", "neutral", "negative"), ("negative", "neutral", "neutral")],
)
def test_a_model_of_other_labels_or_another_order_is_refused(tmp_path, labels):
    model = artifacts.verify(write_sentiment_model(tmp_path, labels=labels))

    with pytest.raises(ModelUnavailable, match="wrong labels: expected negative, neutral, positive"):
        choose_backend("mock", model, threads=1)
