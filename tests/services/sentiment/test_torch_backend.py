"""The torch backend says what the int8 onnx backend says, and says why where it cannot run."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from services.common.artifacts import sha256_of
from tests.conftest import ROOT, required

STARTER = ROOT / "models" / "sentiment"
BLIND = ROOT / "models" / "blind" / "sentiment.jsonl"
TOLERANCE, MEAN_TOLERANCE = 0.1, 0.01
"""Of a probability: int8 weights and activations against float32; of any text, and on average."""
BATCH_TOLERANCE = 0.02
"""Of int8's own between one text alone and in a batch: activations are quantized by the whole batch's range."""


@pytest.fixture(scope="module")
def torch_python() -> str:
    """A Python that has torch: this one, or that of the environment that trains the models."""
    if importlib.util.find_spec("torch"):
        return sys.executable
    other = ROOT / ".venv-models" / "bin" / "python"
    if other.exists():
        return str(other)
    missing = "torch is not installed, neither here nor in .venv-models (make models)"
    if required("torch"):
        pytest.fail(missing)
    pytest.skip(missing)


def run(python: str, folder: Path, texts: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, str(ROOT / "tests/services/sentiment/torch_answers.py"), str(folder)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HF_HUB_OFFLINE": "1"},
    )


@pytest.fixture(scope="module")
def answers(torch_python) -> dict:
    texts = [json.loads(line)["text"] for line in BLIND.read_text(encoding="utf-8").splitlines()]
    found = run(torch_python, STARTER, texts)
    assert found.returncode == 0, found.stderr
    assert found.stderr == ""
    return json.loads(found.stdout)


def test_both_backends_give_the_same_scores_within_the_tolerance(answers):
    onnx, torch = (np.array(answers[name]["rows"]) for name in ("onnx", "torch"))

    assert onnx.shape == torch.shape
    assert np.abs(onnx - torch).max() < TOLERANCE
    assert np.abs(onnx - torch).mean() < MEAN_TOLERANCE


def test_both_backends_give_the_same_labels_unless_two_are_nearly_equal(answers):
    onnx, torch = (np.array(answers[name]["rows"]) for name in ("onnx", "torch"))
    second, first = np.sort(torch, axis=1)[:, -2:].T
    clear = first - second > TOLERANCE

    assert (onnx.argmax(axis=1) == torch.argmax(axis=1))[clear].all()
    assert clear.mean() > 0.9


@pytest.mark.parametrize(("name", "tolerance"), [("torch", 1e-5), ("onnx", BATCH_TOLERANCE)])
def test_a_text_is_judged_alike_alone_and_in_a_batch(answers, name, tolerance):
    alone, together = np.array(answers[name]["rows"][:16]), np.array(answers[name]["together"])

    assert np.abs(alone - together).max() < tolerance


@pytest.fixture
def copy(tmp_path) -> Path:
    return Path(shutil.copytree(STARTER, tmp_path / "model"))


def keep(folder: Path, *names: str) -> None:
    """Writes the manifest anew, for these files as they are now."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {
        name: {"sha256": sha256_of(folder / name), "bytes": (folder / name).stat().st_size} for name in names
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_model_without_weights_for_torch_is_refused(torch_python, copy):
    keep(copy, "model.onnx", "tokenizer.json", "config.json")

    found = run(torch_python, copy, ["hello"])

    assert "The model's manifest names no model.safetensors, which torch needs." in found.stderr


def test_weights_that_are_no_network_are_refused(torch_python, copy):
    (copy / "model.safetensors").write_bytes(b"weights")
    keep(copy, "model.onnx", "tokenizer.json", "config.json", "model.safetensors")

    found = run(torch_python, copy, ["hello"])

    assert "torch: transformers cannot load the model" in found.stderr


def test_weights_that_lack_a_layer_are_refused(torch_python, copy):
    config = json.loads((copy / "config.json").read_text())
    config["num_hidden_layers"] += 1
    (copy / "config.json").write_text(json.dumps(config))
    keep(copy, "model.onnx", "tokenizer.json", "config.json", "model.safetensors")

    found = run(torch_python, copy, ["hello"])

    assert "model.safetensors lacks weights that config.json asks for" in found.stderr
