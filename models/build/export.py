"""A trained classifier as an ONNX file with 8-bit weights."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic

from models.build.network import Exportable


def export(network: Exportable, path: Path) -> float:
    """Writes the int8 model.

    Returns:
        The largest difference between a probability of the float and of the int8 model over random token ids: the
        quantization's worst case, as these are no text.
    """
    with tempfile.TemporaryDirectory() as folder:
        exact, bare = Path(folder, "float.onnx"), Path(folder, "bare.onnx")
        _export_float(network, exact)
        graph = onnx.load(exact)
        # The exporter's shape annotations contradict the quantizer's own inference.
        del graph.graph.value_info[:]
        onnx.save(graph, bare)
        quantize_dynamic(bare, path, weight_type=QuantType.QInt8, per_channel=True)
        _drop_notes(path)
        return _difference(exact, path, network.config.vocab_size)


def _export_float(network: Exportable, path: Path) -> None:
    ids = torch.ones((2, 12), dtype=torch.int64)
    batch, length = (
        torch.export.Dim("batch", min=1),
        torch.export.Dim("length", min=2, max=network.config.max_position_embeddings),
    )
    shapes = {"input_ids": {0: batch, 1: length}, "attention_mask": {0: batch, 1: length}}
    torch.onnx.export(
        network,
        (ids, torch.ones_like(ids)),
        str(path),
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_shapes=shapes,
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def _drop_notes(path: Path) -> None:
    """Removes the exporter's notes on where each node came from: they hold stack traces and paths of this machine."""
    model = onnx.load(path)
    del model.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.value_info[:]
    onnx.save(model, path)


def _difference(exact: Path, quantized: Path, vocabulary: int) -> float:
    rng = np.random.default_rng(7)
    worst = 0.0
    for length in (4, 16, 64):
        ids = rng.integers(4, vocabulary, size=(16, length), dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        worst = max(worst, float(np.abs(_probabilities(exact, inputs) - _probabilities(quantized, inputs)).max()))
    return worst


def _probabilities(path: Path, inputs: dict[str, NDArray[np.int64]]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], inputs)
    return np.asarray(1 / (1 + np.exp(-logits)))
