"""Texts to token ids, the same for every backend that reads the model's own tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.common.artifacts import LocalModel
from services.common.text_classifier import TOKENIZER_FILE, TokenIds, load_tokenizer


class TextEncoder:
    """The model's tokenizer, cut off at the manifest's `max_length`. Safe to share between threads."""

    def __init__(self, model: LocalModel) -> None:
        """Raises `ModelUnavailable` where tokenizer.json is none."""
        self._tokenizer = load_tokenizer(model.folder / TOKENIZER_FILE)
        self._tokenizer.enable_truncation(model.manifest.max_length)

    def encode(self, texts: Sequence[str]) -> list[TokenIds]:
        """See `Backend.encode`."""
        # One by one: encode_batch starts a thread pool, which takes the CPUs that infer.
        return [np.array(self._tokenizer.encode(text).ids, dtype=np.int64) for text in texts]
