"""What every backend can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Encoded = NDArray[np.int64]
"""The token ids of one text: int64 [length]."""
Logits = NDArray[np.float32]


class Backend(Protocol):
    """A loaded, warm model. `encode` and `infer` may be called from several threads at once.

    Attributes:
        name: What an operator calls it: the value of the setting that asks for it.
        device: Where it computes: `cpu` or `cuda`.
        labels: In the order of the logits.
        max_length: Tokens that are read of a text; what is longer is cut off.
        parallel: How many calls of `infer` at once make the best use of the machine.
    """

    name: str
    device: str
    labels: tuple[str, ...]
    max_length: int
    parallel: int

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """The token ids of each text, int64, cut off at `max_length`.

        Args:
            texts: What `services.sentiment.preprocess.clean` returned.
        """
        ...

    def infer(self, batch: Sequence[Encoded], *, alone: bool = False) -> Logits:
        """One row of logits a text, in order; blocks.

        Args:
            batch: At least one text of at least one token.
            alone: Whether nothing else runs now, so that one call may use the whole machine.

        Returns:
            float32 [len(batch), len(labels)].

        Raises:
            ModelUnavailable: The model failed.
        """
        ...
