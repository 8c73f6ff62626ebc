"""The model by torch and transformers: the same network in full precision, on a GPU where there is one.

It needs two files more than `onnx`, which an artifact may lack: config.json and model.safetensors, as
`AutoModelForSequenceClassification.from_pretrained` reads them. The tokenizer is the same tokenizer.json. Nothing is
read from a network and no code of the artifact is run.

Its probabilities differ from those of the int8 `onnx` by 0.1 at most (0.083 on the 451 texts of models/blind) and by
0.01 on average, which is what int8 costs: the labels are the same unless two of them are less than 0.1 apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification
from transformers.utils import logging as transformers_logging

from services.common.artifacts import LocalModel
from services.common.errors import ModelUnavailable
from services.common.text_classifier import WARM_UP, Logits, TokenIds, padded
from services.sentiment.backends.encoding import TextEncoder

FILES = ("config.json", "model.safetensors")


class TorchBackend:
    """One network; one inference at a time, on all CPUs or on the GPU."""

    name = "torch"
    parallel = 1

    def __init__(self, model: LocalModel, *, threads: int) -> None:
        """Loads the network and runs one short text.

        Args:
            model: What `services.common.artifacts` verified.
            threads: CPUs that may be used, where there is no GPU.

        Raises:
            ModelUnavailable: The artifact has no weights for torch, or they are no such network.
        """
        self.labels = model.manifest.labels
        self.max_length = model.manifest.max_length
        self._encoder = TextEncoder(model)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.set_num_threads(threads)
        self._network = _load(model).to(self.device)
        found = self.infer(self.encode([WARM_UP])).shape
        if found != (1, len(self.labels)):
            raise ModelUnavailable(
                f"model.safetensors gives the wrong shape: expected one logit for each of {len(self.labels)} labels, "
                f"found {found}."
            )

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """See `Backend.encode`."""
        return self._encoder.encode(texts)

    def infer(self, batch: Sequence[TokenIds], *, alone: bool = False) -> Logits:  # noqa: ARG002 - one way for both
        """See `Backend.infer`."""
        ids, mask = (torch.from_numpy(array).to(self.device) for array in padded(batch))
        try:
            with torch.inference_mode():
                logits = self._network(input_ids=ids, attention_mask=mask).logits.float().cpu().numpy()
        except (RuntimeError, IndexError) as error:  # torch's own, out of memory among them
            raise ModelUnavailable(f"model.safetensors failed to run: {type(error).__name__}.") from error
        return np.asarray(logits, dtype=np.float32)


def _load(model: LocalModel) -> Any:  # noqa: ANN401 - torch is optional: the checker does not see its types
    absent = [name for name in FILES if name not in model.manifest.files]
    if absent:
        raise ModelUnavailable(f"The model's manifest names no {' and no '.join(absent)}, which torch needs.")
    # Its progress bars and hints are no lines of a service's log.
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        network, notes = AutoModelForSequenceClassification.from_pretrained(
            model.folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # transformers and safetensors share no base class below Exception
        raise ModelUnavailable(f"transformers cannot load the model: {type(error).__name__}.") from error
    if notes["missing_keys"] or notes["mismatched_keys"]:
        # transformers would fill them with random numbers, and answer.
        raise ModelUnavailable("model.safetensors lacks weights that config.json asks for; publish a whole model.")
    return network.eval()
