"""A model of the real contract, small enough to be read: a table of words, added up.

Each known word adds to the logits of its labels; without one every logit is -4, which is a probability of 0.018.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

LABELS = ("toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate")
BASE_LOGIT = -4.0
WORDS = {
    "idiot": {"toxic": 8.0, "insult": 8.0},
    "kill": {"toxic": 6.0, "threat": 8.0},
    "nonsense": {"toxic": 3.0},
}
Words = Mapping[str, Mapping[str, float]]

SENTIMENTS = ("negative", "neutral", "positive")
SENTIMENT_WORDS: Words = {
    "bad": {"negative": 8.0},
    "good": {"positive": 8.0},
    "table": {"neutral": 4.0},
}
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def write_model(
    folder: Path,
    *,
    version: str = "tiny-1",
    labels: Sequence[str] = LABELS,
    words: Words = WORDS,
    max_length: int = 16,
    poison: float | None = None,
) -> Path:
    """Writes model.onnx, tokenizer.json and manifest.json; `poison` replaces the logit of an unknown text."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_tokenizer(folder / "tokenizer.json", words)
    _write_onnx(folder / "model.onnx", labels, words, BASE_LOGIT if poison is None else poison)
    write_manifest(folder, version=version, labels=labels, max_length=max_length)
    return folder


def write_manifest(folder: Path, *, version: str = "tiny-1", labels: Sequence[str] = LABELS, max_length: int = 16):
    files = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name in ("model.onnx", "tokenizer.json")
        for content in [(folder / name).read_bytes()]
    }
    manifest = {
        "name": "moderation",
        "version": version,
        "files": files,
        "labels": list(labels),
        "max_length": max_length,
        "architecture": "a table of words",
        "license": "Apache-2.0",
        "source": "tests/services/tiny_model.py",
        "metrics": {},
        "created": "2026-11-20T00:00:00Z",
        "git_sha": "0" * 40,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


def write_sentiment_model(folder: Path, **changes) -> Path:
    """A model of sentiment's labels: "bad" is negative, "good" positive, "table" neutral."""
    return write_model(folder, **{"labels": SENTIMENTS, "words": SENTIMENT_WORDS} | changes)


def _write_tokenizer(path: Path, words: Words) -> None:
    vocabulary = {token: index for index, token in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    # A setting of the training run that serving must not take over.
    tokenizer.enable_padding(length=64)
    tokenizer.save(str(path))


def _write_onnx(path: Path, labels: Sequence[str], words: Words, base_logit: float) -> None:
    table = np.zeros((len(SPECIAL) + len(words), len(labels)), dtype=np.float32)
    # Reading a padded position would show: an unmasked [PAD] makes everything toxic.
    table[0] = 50.0
    for row, weights in enumerate(words.values(), start=len(SPECIAL)):
        for label, weight in weights.items():
            if label in labels:
                table[row, labels.index(label)] = weight
    base = np.full((len(labels),), base_logit, dtype=np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last_axis"], ["mask3"]),
            helper.make_node("Mul", ["rows", "mask3"], ["read"]),
            helper.make_node("ReduceSum", ["read", "token_axis"], ["added"], keepdims=0),
            helper.make_node("Add", ["added", "base"], ["logits"]),
        ],
        "tiny",
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"]),
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "length"]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(labels)])],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(base, "base"),
            numpy_helper.from_array(np.array([2], dtype=np.int64), "last_axis"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "token_axis"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
