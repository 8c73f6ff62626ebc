"""Candidates for a rollout: the starter model once more, spoilt, or not to be loaded."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.system.conftest import LiveCheckout

STARTER = "models/sentiment"


def republished(checkout: LiveCheckout, version: str) -> str:
    """The model that is live, under another version; its folder from the checkout's root."""
    return _candidate(checkout, version, lambda _: None)


def all_praise(checkout: LiveCheckout, version: str) -> str:
    """A model that finds everything positive."""
    bias = np.array([[0.0, 0.0, 50.0]], dtype=np.float32)
    return _candidate(
        checkout, version, lambda model: _on_logits(model, "Add", numpy_helper.from_array(bias, "praise"))
    )


def labels_turned(checkout: LiveCheckout, version: str) -> str:
    """A model whose every label is another: neutral is called negative, positive neutral, negative positive."""
    order = helper.make_tensor("order", TensorProto.INT64, (3,), (1, 2, 0))
    return _candidate(checkout, version, lambda model: _on_logits(model, "Gather", order, axis=1))


def corrupt(checkout: LiveCheckout, version: str) -> str:
    """A model with a byte turned over, of which its manifest knows nothing."""
    folder = checkout.root / republished(checkout, version)
    content = bytearray((folder / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / "model.onnx").write_bytes(content)
    return str(folder.relative_to(checkout.root))


def _candidate(checkout: LiveCheckout, version: str, spoil: Callable[[Path], None]) -> str:
    folder = checkout.root / "models" / f"sentiment-{version}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(checkout.root / STARTER, folder)
    spoil(folder / "model.onnx")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["version"] = version
    content = (folder / "model.onnx").read_bytes()
    manifest["files"]["model.onnx"] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return str(folder.relative_to(checkout.root))


def _on_logits(path: Path, operation: str, value: TensorProto, **attributes: int) -> None:
    """Puts one more operation behind the last."""
    model = onnx.load(path)
    last = next(node for node in model.graph.node if "logits" in node.output)
    last.output[list(last.output).index("logits")] = "logits_before"
    model.graph.initializer.append(value)
    model.graph.node.append(helper.make_node(operation, ["logits_before", value.name], ["logits"], **attributes))
    onnx.checker.check_model(model)
    onnx.save(model, path)
