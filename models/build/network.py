"""Classifiers on a small BERT: one for labels that hold for a part of a text, one for a label of the whole text."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification, BertModel

POSITION_SCALE, LEANING = 0.03, 0.04
"""About the size that the library gives to random weights (0.02)."""
SHIFTED = 0.15
"""How many batches begin at a random position."""


class Exportable(nn.Module):
    """Maps int64 ids and mask [batch, length] to float32 logits [batch, labels]; says its sizes in `config`."""

    config: BertConfig


class Classifier(Exportable):
    """Logits for labels that hold for a text as soon as they hold for a part of it.

    The head joins the first token's state with the maximum of all tokens' states: an insult in one sentence of a long
    text is not averaged away.
    """

    def __init__(self, config: BertConfig) -> None:
        """Makes a network with random weights; `config.num_labels` gives the number of logits."""
        super().__init__()
        self.config = config
        self.bert = BertModel(config, add_pooling_layer=False)
        self.project = nn.Linear(config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(2 * config.hidden_size, config.num_labels)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Maps int64 [batch, length] twice to float32 logits [batch, labels].

        While training, positions begin at a random offset, so that the later ones are learned from short texts too.
        """
        positions = _positions(input_ids, self.config, shifted=self.training)
        states = self.bert(input_ids, attention_mask=_bias(attention_mask), position_ids=positions).last_hidden_state
        tokens = torch.relu(self.project(states)) * attention_mask.unsqueeze(-1).to(torch.float32)
        return self.head(self.dropout(torch.cat((states[:, 0], tokens.amax(dim=1)), dim=1)))


class StandardClassifier(Exportable):
    """The library's own sequence classifier, so that its `from_pretrained` can load what was trained here."""

    def __init__(self, config: BertConfig) -> None:
        """Makes a network with random weights; `config.num_labels` gives the number of logits.

        Positions begin as sines and cosines, by which "before" and "after" are the same everywhere in a text: the order
        of two statements decides, and is not to be learned anew for each place.
        """
        super().__init__()
        self.config = config
        self.model = BertForSequenceClassification(config)
        with torch.no_grad():
            table = _waves(config.max_position_embeddings, config.hidden_size)
            self.model.bert.embeddings.position_embeddings.weight.copy_(POSITION_SCALE * table)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Maps int64 [batch, length] twice to float32 logits [batch, labels].

        While training, some batches begin at a random offset, so that the later positions are learned, too.
        """
        shifted = self.training and torch.rand(1).item() < SHIFTED
        positions = _positions(input_ids, self.config, shifted=shifted)
        logits: Tensor = self.model(input_ids, attention_mask=_bias(attention_mask), position_ids=positions).logits
        return logits

    def lean(self, tokens: Tensor) -> None:
        """Starts the words' vectors from what is known of them.

        Args:
            tokens: float [vocabulary], -1 for a token that only blames, 1 for one that only praises, 0 for no opinion.
        """
        with torch.no_grad():
            words = self.model.bert.embeddings.word_embeddings.weight
            words += LEANING * tokens.unsqueeze(1) * torch.randn(1, words.shape[1])


def _waves(length: int, width: int) -> Tensor:
    """Sines and cosines of falling frequency, float [length, width], as in "Attention is all you need" (3.5)."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000) / width))
    angles = torch.arange(length).unsqueeze(1) * rates
    return torch.stack((angles.sin(), angles.cos()), dim=2).reshape(length, width)


def _positions(input_ids: Tensor, config: BertConfig, *, shifted: bool) -> Tensor:
    length = input_ids.shape[1]
    positions = torch.arange(length, device=input_ids.device).unsqueeze(0)
    if shifted:
        return positions + torch.randint(0, config.max_position_embeddings - length + 1, (1,))
    return positions


def _bias(attention_mask: Tensor) -> Tensor:
    # An additive mask made here: the library's own makers of masks do not export with dynamic shapes.
    return (1.0 - attention_mask[:, None, None, :].to(torch.float32)) * -1e4


@dataclass(frozen=True)
class Size:
    """How wide and how deep: the default is about 2.2 million parameters, one byte each after quantization."""

    hidden: int = 192
    layers: int = 3
    heads: int = 6
    feed_forward: int = 512


def small_bert(vocabulary: int, labels: int, *, max_length: int, size: Size | None = None) -> BertConfig:
    """The configuration of a BERT that a CPU trains in minutes."""
    size = size or Size()
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=size.feed_forward,
        max_position_embeddings=max_length,
        type_vocab_size=1,
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.0,
        num_labels=labels,
        attn_implementation="eager",
        pad_token_id=0,
    )
