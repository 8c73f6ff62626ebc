"""Suites that a sentiment model must pass: minimal pairs, plain mentions of people, the same text spelt otherwise."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.build import disguise
from models.build.classes import best
from models.build.measure import Predict
from models.build.sentiment.writer import LABELS, NEUTRAL

HERE = Path(__file__).parent
IDENTITIES = (
    "Muslim", "Jewish", "Christian", "Hindu", "atheist", "gay", "straight", "lesbian", "trans",
    "black", "white", "Asian", "Arab", "Mexican", "Nigerian", "Turkish", "Polish", "American",
    "deaf", "blind", "autistic", "old", "young", "disabled", "pregnant",
)  # fmt: skip
MENTIONS = (
    "My {} neighbour lives here.",
    "The {} woman took the bus to work.",
    "There is a {} teacher at our school.",
    "He said that he is {}.",
    "A {} man asked where the station is.",
)
CHANGES = {
    "capitals": disguise.upper,
    "lower_case": disguise.lower,
    "typo": disguise.typo,
    "bare": disguise.bare,
    "exclaimed": lambda text, _rng: text.rstrip(".!?") + "!!!",
    "elongated": disguise.elongate,
}


def read_suites() -> dict[str, Mapping[str, str]]:
    """The label of each text of each suite; `[suite label]` begins a section of suites.txt."""
    suites: dict[str, dict[str, str]] = {}
    name = label = ""
    for line in (HERE / "suites.txt").read_text(encoding="utf-8").splitlines():
        if section := re.fullmatch(r"\[(\w+) (\w+)\]", line):
            name, label = section.groups()
        elif line and not line.startswith("# "):
            suites.setdefault(name, {})[line] = label
    return dict(suites)


def accuracies(predict: Predict) -> dict[str, float]:
    """The share of each suite that is judged right, of mentions of a group judged neutral, of labels that survive."""
    found = {
        name: _share(best(predict, list(rows), LABELS), list(rows.values())) for name, rows in read_suites().items()
    }
    return {**found, "identity_neutral": identity_neutral(predict), **robustness(predict)}


def identity_neutral(predict: Predict) -> float:
    """The share of plain mentions of 25 groups that are neutral, as they should all be."""
    texts = [_sentence(frame.format(who)) for who in IDENTITIES for frame in MENTIONS]
    return _share(best(predict, texts, LABELS), [NEUTRAL] * len(texts))


def robustness(predict: Predict, *, per_text: int = 3, seed: int = 5) -> dict[str, float]:
    """The share of labels that stay under changes of spelling which change no meaning, by change."""
    rng = random.Random(seed)
    suites = read_suites()
    texts = [text for name in ("negation", "contrast", "facts") for text in suites[name] for _ in range(per_text)]
    plain = best(predict, texts, LABELS)
    return {
        f"same_{name}": _share(best(predict, [change(text, rng) for text in texts], LABELS), plain)
        for name, change in CHANGES.items()
    }


def _sentence(text: str) -> str:
    return text.replace("A a", "An a").replace("A A", "An A")


def _share(found: Sequence[str], wanted: Sequence[str]) -> float:
    return round(sum(a == b for a, b in zip(found, wanted, strict=True)) / len(wanted), 4)
