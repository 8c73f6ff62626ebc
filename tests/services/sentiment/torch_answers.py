"""Prints, as JSON, what the backends onnx and torch say of texts; run by whichever Python has torch.

Arguments: the model's folder. Standard input: a JSON list of texts.
"""

import json
import sys
from pathlib import Path

from services.common import artifacts
from services.sentiment.backends.choice import choose_backend
from services.sentiment.batching import softmax
from services.sentiment.preprocess import clean

model = artifacts.verify(Path(sys.argv[1]))
texts = [clean(text) for text in json.load(sys.stdin)]
answers = {}
for name in ("onnx", "torch"):
    choice = choose_backend(name, model, threads=1)
    backend = choice.backend
    rows = [row for text in texts for row in softmax(backend.infer(backend.encode([text]))).tolist()]
    together = softmax(backend.infer(backend.encode(texts[:16]))).tolist()
    answers[backend.name] = {"device": backend.device, "rows": rows, "together": together}
sys.stdout.write(json.dumps(answers))
