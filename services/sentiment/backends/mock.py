"""No model at all: a list of words, for trying the service out where no model can be loaded. It says so by its name."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np

from services.common.artifacts import LocalModel
from services.sentiment.backends.base import Encoded, Logits

_POSITIVE = (
    "good great excellent love lovely wonderful happy best amazing perfect thanks thank pleased delighted beautiful"
    " emojihappy emojilove emojigood emojilaugh"
)
_NEGATIVE = (
    "bad terrible awful hate horrible sad worst angry poor broken disappointed disappointing useless rude annoying"
    " emojisad emojiangry emojibad emojifear"
)
_NEGATIONS = "not no never without isn't wasn't don't didn't doesn't can't won't"
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_NEGATIVE_ID, _NEGATION_ID, _POSITIVE_ID = 1, 2, 3
_FIRST_OTHER_ID = 4
_NEGATION_REACH = 2
_FEELING_LOGIT, _NEUTRAL_LOGIT = 2.0, 1.0
_IDS = {
    word: token
    for token, words in ((_NEGATIVE_ID, _NEGATIVE), (_NEGATION_ID, _NEGATIONS), (_POSITIVE_ID, _POSITIVE))
    for word in words.split()
}


class MockBackend:
    """Counts words of a short list, turned round by a negation just before. The same text always gives the same."""

    name = "mock"
    device = "cpu"
    labels: tuple[str, ...] = ("negative", "neutral", "positive")
    parallel = 1

    def __init__(self, model: LocalModel | None = None, *, threads: int = 1) -> None:  # noqa: ARG002 - as every backend's
        """Loads nothing.

        Args:
            model: Only its `max_length` is used.
            threads: Not used.
        """
        self.max_length = model.manifest.max_length if model else 128

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """See `Backend.encode`; an empty text is one token."""
        return [self._ids(text) for text in texts]

    def infer(self, batch: Sequence[Encoded], *, alone: bool = False) -> Logits:  # noqa: ARG002 - as every backend's
        """See `Backend.infer`."""
        return np.array([_logits(ids) for ids in batch], dtype=np.float32)

    def _ids(self, text: str) -> Encoded:
        words = _WORD.findall(text.lower().replace("\u2019", "'"))[: self.max_length]
        # Other words only count as tokens; a stable number keeps the ids a function of the text.
        ids = [_IDS.get(word) or _FIRST_OTHER_ID + zlib.crc32(word.encode()) % 30_000 for word in words]
        return np.array(ids or [_FIRST_OTHER_ID], dtype=np.int64)


def _logits(ids: Encoded) -> list[float]:
    feeling = {_NEGATIVE_ID: 0.0, _POSITIVE_ID: 0.0}
    tokens = ids.tolist()
    for index, token in enumerate(tokens):
        if token in feeling:
            negated = _NEGATION_ID in tokens[max(0, index - _NEGATION_REACH) : index]
            feeling[_NEGATIVE_ID + _POSITIVE_ID - token if negated else token] += _FEELING_LOGIT
    return [feeling[_NEGATIVE_ID], _NEUTRAL_LOGIT, feeling[_POSITIVE_ID]]
