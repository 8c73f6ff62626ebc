"""Realistic requests without end: what somebody who compares two versions of the service sends to both."""

from __future__ import annotations

import random
from collections.abc import Iterator

from services.common.smoke import Example

_THINGS = (
    "the delivery", "this phone", "the hotel", "your support team", "the new update", "the film", "my order",
    "the soup", "this jacket", "the course", "the train ride", "the battery", "the checkout page", "the concert",
)  # fmt: skip
_GOOD = (
    "{Thing} was wonderful, thank you!",
    "I love {thing}, it works better than I had hoped.",
    "Honestly impressed: {thing} could not have been better 😀",
    "Five stars for {thing}. Would recommend it to anyone.",
    "I was sceptical at first, but {thing} won me over completely.",
)
_BAD = (
    "{Thing} was a disaster and nobody answers my mails.",
    "I regret paying for {thing}. Never again.",
    "Two weeks late, broken, and rude on the phone: {thing} is the worst 😡",
    "I wanted to like {thing}, but it failed on the very first day.",
    "Not what was promised. {Thing} is slow, loud and far too expensive.",
)
_PLAIN = (
    "{Thing} is listed on page four of the catalogue.",
    "I was told about {thing} on Tuesday.",
    "The invoice for {thing} has the number 4711.",
    "According to the site, {thing} is available from Monday to Friday.",
)
_QUESTIONS = (
    "When can I expect to hear about {thing}?",
    "Does {thing} also come in another size?",
    "Who do I talk to about {thing}?",
)
_MIXED = (
    "{Thing} was lovely, the bill was not.",
    "Great idea, poor execution: {thing} needs another year.",
    "Not bad at all, {thing}, though I have seen better.",
)
_KINDS = (_GOOD, _BAD, _PLAIN, _QUESTIONS, _MIXED)
_WEIGHTS = (30, 30, 20, 12, 8)
BATCH_EVERY = 10
_NUMBERS = 10**9


def samples(seed: int = 0) -> Iterator[Example]:
    """Requests one after the other: single texts and now and then a batch, of many lengths; the same for one seed."""
    source = random.Random(seed)  # noqa: S311 - variety, not secrecy
    while True:
        if source.randrange(BATCH_EVERY):
            yield Example(method="POST", path="/predict", body={"text": _text(source)})
        else:
            texts = [_text(source) for _ in range(source.randint(2, 8))]
            yield Example(method="POST", path="/predict/batch", body={"texts": texts})


def _text(source: random.Random) -> str:
    sentences = source.choices((1, 2, 3, 6), weights=(60, 25, 10, 5))[0]
    (kind,) = source.choices(_KINDS, weights=_WEIGHTS)
    # The number makes each text one that nobody has asked before: answers out of a cache would tell little.
    return " ".join(_sentence(source, kind) for _ in range(sentences)) + f" (No. {source.randrange(_NUMBERS)})"


def _sentence(source: random.Random, kind: tuple[str, ...]) -> str:
    thing = source.choice(_THINGS)
    return source.choice(kind).format(thing=thing, Thing=thing[0].upper() + thing[1:])
