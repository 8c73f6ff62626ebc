"""The model by onnxruntime: int8 on CPUs, CUDA where onnxruntime brings it."""

from __future__ import annotations

from collections.abc import Sequence

import onnxruntime

from services.common.artifacts import LocalModel
from services.common.text_classifier import (
    CPU,
    MODEL_FILE,
    WARM_UP,
    Logits,
    TokenIds,
    check_interface,
    check_shape,
    load_session,
    run_padded,
)
from services.sentiment.backends.encoding import TextEncoder

CUDA = "CUDAExecutionProvider"


class OnnxBackend:
    """Two sessions over one file where there are several CPUs: which one is faster depends on how much waits.

    Under load each CPU runs a batch of its own, on one thread: no thread waits for another at the end of each layer,
    which gives a tenth to a third more texts a second than one batch on all CPUs, most where the CPUs are also busy
    with HTTP. A text alone is spread over all CPUs: it has its answer in two thirds of the time that one CPU takes.
    """

    name = "onnx"

    def __init__(self, model: LocalModel, *, threads: int) -> None:
        """Loads the model and runs one short text.

        Args:
            model: What `services.common.artifacts` verified.
            threads: CPUs that may be used.

        Raises:
            ModelUnavailable: The files are sound but are no model of the expected inputs and outputs.
        """
        self.labels = model.manifest.labels
        self.max_length = model.manifest.max_length
        self._encoder = TextEncoder(model)
        path = model.folder / MODEL_FILE
        providers = (CUDA, CPU) if CUDA in onnxruntime.get_available_providers() else (CPU,)
        self._wide = load_session(path, threads=threads, spins=True, providers=providers)
        # Asked for CUDA, onnxruntime takes the CPU where there is no GPU.
        self.device = "cuda" if CUDA in self._wide.get_providers() else "cpu"
        self.parallel = 1 if self.device == "cuda" else threads
        self._narrow = load_session(path, threads=1) if self.parallel > 1 else self._wide
        check_interface(self._wide)
        for session in (self._wide, self._narrow):
            check_shape(run_padded(session, self.encode([WARM_UP])), self.labels)

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """See `Backend.encode`."""
        return self._encoder.encode(texts)

    def infer(self, batch: Sequence[TokenIds], *, alone: bool = False) -> Logits:
        """See `Backend.infer`."""
        return run_padded(self._wide if alone else self._narrow, batch)
