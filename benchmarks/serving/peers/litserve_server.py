"""LitServe with dynamic batching: `python litserve_server.py torch|int8 FOLDER PORT`."""

import sys
from pathlib import Path
from typing import Any

import litserve
import numpy as np

LABELS = ("negative", "neutral", "positive")
BATCH, WAIT_SECONDS = 32, 0.005


class TorchApi(litserve.LitAPI):
    """`transformers.pipeline` over whole batches."""

    def setup(self, device: str) -> None:
        """Loads the model."""
        from transformers import pipeline  # noqa: PLC0415 - LitServe imports this in the worker

        self.classify = pipeline("text-classification", model=f"{sys.argv[2]}/hf", top_k=None, device=device)

    def decode_request(self, request: dict[str, Any]) -> str:
        """The text."""
        return str(request["text"])

    def predict(self, texts: list[str]) -> list[Any]:
        """A list of scores a text."""
        return list(self.classify(texts, batch_size=len(texts)))

    def encode_response(self, output: list[dict[str, Any]]) -> dict[str, float]:
        """A score a label."""
        return {score["label"]: score["score"] for score in output}


class Int8Api(TorchApi):
    """The same int8 file that Quintet serves, padded to the longest of the batch."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's signature
        """Loads the model."""
        import onnxruntime  # noqa: PLC0415 - as above
        from tokenizers import Tokenizer  # noqa: PLC0415

        folder = Path(sys.argv[2]) / "int8"
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_padding()
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"))

    def predict(self, texts: list[str]) -> list[Any]:
        """Probabilities a text."""
        encoded = self.tokenizer.encode_batch(texts)
        ids = np.array([encoding.ids for encoding in encoded], dtype=np.int64)
        mask = np.array([encoding.attention_mask for encoding in encoded], dtype=np.int64)
        (logits,) = self.session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return list(odds / odds.sum(axis=1, keepdims=True))

    def encode_response(self, output: np.ndarray) -> dict[str, float]:
        """A score a label."""
        return dict(zip(LABELS, map(float, output), strict=True))


if __name__ == "__main__":
    api = (Int8Api if sys.argv[1] == "int8" else TorchApi)(max_batch_size=BATCH, batch_timeout=WAIT_SECONDS)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[3]), generate_client_file=False, log_level="warning")
