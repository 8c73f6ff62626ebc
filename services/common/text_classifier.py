"""Texts to logits with `tokenizers` and onnxruntime alone: no torch, no transformers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from services.common.artifacts import LocalModel
from services.common.errors import ModelUnavailable
from services.common.lambda_environment import LambdaEnvironment

if TYPE_CHECKING:
    import onnxruntime

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
MAX_BATCH_TOKENS = 4096
"""Padded tokens in one call of the model: more only needs more memory, a CPU is saturated long before."""
MAX_PADDING = 1.25
"""Padded tokens over real ones at most: beyond it a second, shorter batch is faster."""

WARM_UP = "warm-up"
CPU = "CPUExecutionProvider"

Logits = NDArray[np.float32]
TokenIds = NDArray[np.int64]


@dataclass(frozen=True)
class _Window:
    """A stretch of one text that the model reads at once."""

    text: int
    encoding: Encoding

    @property
    def length(self) -> int:
        return len(self.encoding.ids)


class TextClassifier:
    """A verified model, loaded. One object serves all requests; calls may come from several threads."""

    def __init__(self, model: LocalModel, *, threads: int | None = None, overlap_tokens: int | None = None) -> None:
        """Loads the tokenizer and the weights and runs one short text, so that a model that cannot answer shows here.

        Args:
            model: What `services.common.artifacts` verified.
            threads: Threads of one inference; by default the CPU share that Lambda grants, or all CPUs.
            overlap_tokens: None cuts a text off at the manifest's `max_length` tokens. A number reads a longer text
                in windows of `max_length` that share this many tokens, and takes each label's highest logit: right
                for labels that hold for a text as soon as they hold for a part of it.

        Raises:
            ModelUnavailable: The files are sound but are no model of the expected inputs and outputs.
        """
        self.manifest = model.manifest
        self.labels = model.manifest.labels
        self._reads_windows = overlap_tokens is not None
        self._tokenizer = load_tokenizer(model.folder / TOKENIZER_FILE)
        self._tokenizer.enable_truncation(model.manifest.max_length, stride=overlap_tokens or 0)
        self._session = load_session(
            model.folder / MODEL_FILE, threads=threads or LambdaEnvironment.read().cpu_threads(os.cpu_count())
        )
        check_interface(self._session)
        check_shape(self._run(self._windows([WARM_UP])), self.labels)

    def logits(self, texts: Sequence[str]) -> Logits:
        """One row of logits a text, in order.

        Args:
            texts: Any Unicode text without lone surrogates.

        Returns:
            float32 [len(texts), len(labels)], finite.

        Raises:
            ModelUnavailable: The model failed or gave numbers that are not finite.
        """
        result = np.full((len(texts), len(self.labels)), -np.inf, dtype=np.float32)
        for batch in batched_by_length(self._windows(texts)):
            rows = self._run(batch)
            np.maximum.at(result, [window.text for window in batch], rows)
        if not np.isfinite(result).all():
            raise ModelUnavailable("The model gave scores that are not finite numbers; publish a sound model.")
        return result

    def probabilities(self, texts: Sequence[str]) -> Logits:
        """Independent probabilities a label (a sigmoid each, not a softmax): float32 [len(texts), len(labels)]."""
        return sigmoid(self.logits(texts))

    def _windows(self, texts: Sequence[str]) -> list[_Window]:
        # One by one: encode_batch starts a thread pool, which costs more than the few texts of a request.
        encodings = [self._tokenizer.encode(text) for text in texts]
        windows = [_Window(index, encoding) for index, encoding in enumerate(encodings)]
        if self._reads_windows:
            windows += [_Window(i, part) for i, encoding in enumerate(encodings) for part in encoding.overflowing]
        return windows

    def _run(self, batch: Sequence[_Window]) -> Logits:
        return run_padded(self._session, [window.encoding.ids for window in batch])


def run_padded(session: onnxruntime.InferenceSession, rows: Sequence[Sequence[int] | TokenIds]) -> Logits:
    """One call of the model over texts of any lengths, padded to the longest; may be called from several threads.

    Args:
        session: What `load_session` returned.
        rows: Token ids of each text.

    Returns:
        float32 [len(rows), labels], not checked for numbers that are not finite.

    Raises:
        ModelUnavailable: The model failed.
    """
    input_ids, attention_mask = padded(rows)
    try:
        (logits,) = session.run(["logits"], {"input_ids": input_ids, "attention_mask": attention_mask})
    except Exception as error:  # onnxruntime's errors share no base class below Exception
        raise ModelUnavailable(f"{MODEL_FILE} failed to run: {type(error).__name__}.") from error
    return np.asarray(logits, dtype=np.float32)


def padded(rows: Sequence[Sequence[int] | TokenIds]) -> tuple[TokenIds, TokenIds]:
    """Token ids and their mask, int64 [len(rows), longest row] each; the padding is 0 in both."""
    longest = max(len(row) for row in rows)
    input_ids = np.zeros((len(rows), longest), dtype=np.int64)
    attention_mask = np.zeros((len(rows), longest), dtype=np.int64)
    for index, row in enumerate(rows):
        input_ids[index, : len(row)] = row
        attention_mask[index, : len(row)] = 1
    return input_ids, attention_mask


def check_interface(session: onnxruntime.InferenceSession) -> None:
    """Raises `ModelUnavailable` unless the model reads token ids and a mask and gives logits."""
    inputs = {node.name for node in session.get_inputs()}
    outputs = [node.name for node in session.get_outputs()]
    if inputs != {"input_ids", "attention_mask"} or outputs != ["logits"]:
        raise ModelUnavailable(
            f"{MODEL_FILE} has the wrong interface: expected inputs input_ids and attention_mask and output "
            f"logits, found {', '.join(sorted(inputs))} and {', '.join(outputs)}."
        )


def check_shape(logits: Logits, labels: Sequence[str]) -> None:
    """Raises `ModelUnavailable` unless these are the logits of one text, one for each label."""
    if logits.shape != (1, len(labels)):
        raise ModelUnavailable(
            f"{MODEL_FILE} gives the wrong shape: expected one logit for each of {len(labels)} labels, "
            f"found {logits.shape}."
        )


def sigmoid(logits: Logits) -> Logits:
    """1 / (1 + exp(-x)) for each element, without overflow at either end."""
    return np.asarray(np.exp(-np.logaddexp(np.float32(0), -logits)), dtype=np.float32)


def batched_by_length(windows: Sequence[_Window]) -> Iterator[list[_Window]]:
    """Groups windows of like length, shortest first, so that little of a batch is padding."""
    batch: list[_Window] = []
    tokens = 0
    for window in sorted(windows, key=lambda window: window.length):
        padded = (len(batch) + 1) * window.length
        if batch and (padded > MAX_BATCH_TOKENS or padded > MAX_PADDING * (tokens + window.length)):
            yield batch
            batch, tokens = [], 0
        batch.append(window)
        tokens += window.length
    if batch:
        yield batch


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a file, without the padding that its training may have left on.

    Raises:
        ModelUnavailable: The file is no tokenizer.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises plain Exception
        raise ModelUnavailable(f"{TOKENIZER_FILE} is no tokenizer: {error}.") from error
    tokenizer.no_padding()
    return tokenizer


def load_session(
    path: Path, *, threads: int, spins: bool = False, providers: Sequence[str] = (CPU,)
) -> onnxruntime.InferenceSession:
    """The model of a file.

    Args:
        path: An ONNX file.
        threads: Threads of one inference.
        spins: Whether the threads of one inference wait for each other awake: 15 % faster, with all CPUs in use.
        providers: onnxruntime's execution providers, the preferred one first.

    Raises:
        ModelUnavailable: The file is no model that onnxruntime can load.
    """
    import onnxruntime  # noqa: PLC0415 - what only tokenizes does without

    try:
        return onnxruntime.InferenceSession(str(path), _session_options(threads, spins=spins), providers=[*providers])
    except Exception as error:  # onnxruntime's errors share no base class below Exception
        raise ModelUnavailable(
            f"{MODEL_FILE} is no model that onnxruntime can load: {type(error).__name__}."
        ) from error


def _session_options(threads: int, *, spins: bool) -> onnxruntime.SessionOptions:
    import onnxruntime  # noqa: PLC0415 - see above

    options = onnxruntime.SessionOptions()
    # Given threads are not derived from /proc or /sys, which Lambda hides in part (onnxruntime#10038).
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Lengths vary: an arena and memory patterns would keep the largest batch ever seen allocated.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    # Threads that spin while no inference runs would use up a CPU share that is paid for, or that others need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spins else "0")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 3
    return options
