"""Trains the classifier on CPU, with new examples in each epoch and unstable splits of words."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.build.examples import Example
from models.build.tokenizer import UNKNOWN

log = logging.getLogger(__name__)

Loss = Callable[[Tensor, Tensor, float], Tensor]
"""Logits, targets of zeros and ones (both float [batch, labels]) and the smoothing, to a single number."""

WHOLE = 0.5
"""How many texts keep the tokenizer's own split of words."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn."""

    epochs: int = 5
    tokens_per_batch: int = 2048
    peak_rate: float = 8e-4
    warmup: float = 0.08
    bpe_dropout: float = 0.1
    word_dropout: float = 0.04
    smoothing: float = 0.02
    average: float = 0.995
    """Decay of the running average of the weights, which is what ships: it generalises better than the last step."""
    bfloat16: bool = True
    """Twice as fast where the CPU has matrix units for it."""


class Encoder:
    """Texts to padded tensors. Splits words at random while training: pieces, not whole words, carry the meaning."""

    def __init__(self, tokenizer: Tokenizer, labels: Sequence[str], schedule: Schedule, *, max_length: int) -> None:
        """Keeps the tokenizer, whose random splitting and truncation it switches on for training only."""
        self._max_length = max_length
        self._tokenizer = tokenizer
        self._labels = tuple(labels)
        self._schedule = schedule

    def batches(self, examples: Sequence[Example], rng: random.Random) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Batches of like length in random order: ids, mask and targets."""
        rows = sorted(zip(self._ids(examples, rng), examples, strict=True), key=lambda row: len(row[0]) + rng.random())
        batches: list[list[tuple[list[int], Example]]] = [[]]
        for row in rows:
            if (len(batches[-1]) + 1) * len(row[0]) > self._schedule.tokens_per_batch:
                batches.append([])
            batches[-1].append(row)
        rng.shuffle(batches)
        return (self._tensors(batch) for batch in batches)

    def _ids(self, examples: Sequence[Example], rng: random.Random) -> list[list[int]]:
        texts = [example.text for example in examples]
        self._tokenizer.enable_truncation(self._max_length)
        whole = self._tokenizer.encode_batch(texts)
        self._tokenizer.model.dropout = self._schedule.bpe_dropout
        split = self._tokenizer.encode_batch(texts)
        self._tokenizer.model.dropout = None
        self._tokenizer.no_truncation()
        chosen = [(a if rng.random() < WHOLE else b).ids for a, b in zip(whole, split, strict=True)]
        unknown = self._tokenizer.token_to_id(UNKNOWN) or 0
        return [
            [
                ids[0],
                *(unknown if rng.random() < self._schedule.word_dropout else token for token in ids[1:-1]),
                ids[-1],
            ]
            for ids in chosen
        ]

    def _tensors(self, batch: Sequence[tuple[list[int], Example]]) -> tuple[Tensor, Tensor, Tensor]:
        length = max(len(ids) for ids, _ in batch)
        ids = torch.tensor([ids + [0] * (length - len(ids)) for ids, _ in batch])
        mask = torch.tensor([[1] * len(ids) + [0] * (length - len(ids)) for ids, _ in batch])
        targets = torch.tensor([[float(label in example.labels) for label in self._labels] for _, example in batch])
        return ids, mask, targets


def independent(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """The loss where each label holds by itself: a binary cross-entropy each."""
    return nn.functional.binary_cross_entropy_with_logits(logits, targets * (1 - smoothing) + smoothing / 2)


def exclusive(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """The loss where exactly one label holds: one cross-entropy over all."""
    return nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing)


def train(
    network: nn.Module,
    encoder: Encoder,
    epoch: Callable[[random.Random], Sequence[Example]],
    schedule: Schedule,
    *,
    seed: int,
    loss_of: Loss = independent,
) -> None:
    """Trains the network in place and leaves it in evaluation mode.

    Args:
        network: Maps ids and mask to logits.
        encoder: Makes batches of examples.
        epoch: Writes the examples of one epoch.
        schedule: How long and how fast.
        seed: Of the examples and of their order.
        loss_of: `independent` or `exclusive` labels.
    """
    rng = random.Random(seed)
    # Fused: the vectors of all words move at each step, which takes a tenth of the time in one pass.
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.peak_rate, weight_decay=0.02, fused=True)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(schedule.average))
    network.train()
    for number in range(schedule.epochs):
        started, total = time.monotonic(), 0.0
        batches = list(encoder.batches(epoch(rng), rng))
        for index, (ids, mask, targets) in enumerate(batches):
            _set_rate(optimizer, schedule, (number + index / len(batches)) / schedule.epochs)
            with torch.autocast("cpu", torch.bfloat16, enabled=schedule.bfloat16):
                logits = network(ids, mask)
            loss = loss_of(logits.float(), targets, schedule.smoothing)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            average.update_parameters(network)
            total += loss.item()
        log.info("epoch %d: loss %.4f, %.0f s", number + 1, total / len(batches), time.monotonic() - started)
    network.load_state_dict(average.module.state_dict())
    network.eval()


def _set_rate(optimizer: torch.optim.Optimizer, schedule: Schedule, progress: float) -> None:
    """Linear up to the peak, then linear down to nothing."""
    share = progress / schedule.warmup if progress < schedule.warmup else (1 - progress) / (1 - schedule.warmup)
    for group in optimizer.param_groups:
        group["lr"] = schedule.peak_rate * share
