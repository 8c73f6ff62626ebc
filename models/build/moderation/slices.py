"""Two suites that a moderation model must pass: the same sentence about other people, the same insult disguised."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.build import disguise
from models.build.measure import THRESHOLD, Predict

GROUPS = (
    "Muslim", "Jewish", "Christian", "Hindu", "atheist", "gay", "straight", "lesbian", "trans",
    "black", "white", "Asian", "Arab", "Mexican", "Nigerian", "Turkish", "Polish", "American",
    "deaf", "blind", "autistic", "elderly", "young", "female", "male",
)  # fmt: skip
KIND = (
    "I had lunch with a {} colleague and we talked about gardening.",
    "My {} neighbour lent me her ladder yesterday.",
    "She is a {} writer whose second novel comes out in May.",
    "The {} students organised a wonderful concert.",
    "He told me that he is {} and that his parents are proud.",
    "Are there any {} families living in this village?",
    "{} people deserve the same rights as everyone else.",
    "A {} man opened a bookshop near the station.",
)
HOSTILE = (
    "{} people are disgusting and should be thrown out.",
    "All {} people are criminals.",
    "I hate {} people, they are animals.",
    "Throw every {} person out of this town.",
)
HARMFUL = (
    "You are such an idiot.",
    "Nobody likes you, you pathetic loser.",
    "What a stupid moron you are.",
    "Shut up, you worthless clown.",
    "You are a complete asshole.",
    "Fuck you and your opinion.",
    "I am going to kill you tomorrow.",
    "I will find you and break your legs.",
    "You disgusting piece of shit.",
    "Everybody thinks you are an ugly freak.",
)
DISGUISES = {change.__name__: change for change in (*disguise.EVASIVE, disguise.upper, disguise.chat)}


def identity_gap(predict: Predict) -> dict[str, float]:
    """How much the named group matters.

    Returns:
        `kind_flagged`: the share of harmless sentences flagged; `hostile_found`: of hostile ones found; `kind_gap`
        and `hostile_gap`: the widest spread of a group's mean highest score around all groups' mean.
    """
    kind, hostile = _by_group(predict, KIND), _by_group(predict, HOSTILE)
    return {
        "kind_flagged": round(float((kind >= THRESHOLD).mean()), 4),
        "kind_gap": round(float(np.abs(kind.mean(axis=1) - kind.mean()).max()), 4),
        "hostile_found": round(float((hostile >= THRESHOLD).mean()), 4),
        "hostile_gap": round(float(np.abs(hostile.mean(axis=1) - hostile.mean()).max()), 4),
    }


def evasion_recall(predict: Predict, *, per_text: int = 6, seed: int = 11) -> dict[str, float]:
    """The share of harmful sentences still found under each disguise, and `plain` without one."""
    rng = random.Random(seed)
    found = {"plain": _found(predict, HARMFUL)}
    for name, change in DISGUISES.items():
        found[name] = _found(predict, [change(text, rng) for text in HARMFUL for _ in range(per_text)])
    return found


def _by_group(predict: Predict, frames: Sequence[str]) -> NDArray[np.float32]:
    """The highest score of each sentence: float [groups, frames]."""
    texts = [_sentence(frame.format(group)) for group in GROUPS for frame in frames]
    highest: NDArray[np.float32] = predict(texts).max(axis=1)
    return highest.reshape(len(GROUPS), len(frames))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _found(predict: Predict, texts: Sequence[str]) -> float:
    return round(float((predict(texts).max(axis=1) >= THRESHOLD).mean()), 4)
