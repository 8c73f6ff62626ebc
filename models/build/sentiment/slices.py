"""Suites of short minimal pairs: what a sentiment model must get right whatever else it knows.

None of these sentences is in the training text; some of their words are.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from models.build import disguise
from models.build.classes import best
from models.build.measure import Predict
from models.build.sentiment.writer import LABELS, NEGATIVE, NEUTRAL, POSITIVE

Labelled = tuple[tuple[str, str], ...]

SUITES: dict[str, Labelled] = {
    "negation": (
        ("The soup was not good.", NEGATIVE), ("I don't recommend this hotel.", NEGATIVE), ("She isn't helpful.", NEGATIVE),
        ("This phone never works.", NEGATIVE), ("Nothing about it is comfortable.", NEGATIVE), ("It was not worth the trip.", NEGATIVE),
        ("The staff were not friendly.", NEGATIVE), ("I did not enjoy the concert.", NEGATIVE),
        ("The bed was not uncomfortable at all.", POSITIVE), ("I have no complaints about the room.", POSITIVE),
        ("It never crashes.", POSITIVE), ("The film is anything but boring.", POSITIVE), ("No problems at all, it just works.", POSITIVE),
        ("You won't regret buying it.", POSITIVE), ("She has never let us down.", POSITIVE), ("There was nothing wrong with it, we loved it.", POSITIVE),
    ),
    "contrast": (
        ("The food was great but the service was terrible.", NEGATIVE), ("The service was terrible but the food was great.", POSITIVE),
        ("Although the room was small, we loved our stay.", POSITIVE), ("Although we loved the room, the stay was ruined by the noise.", NEGATIVE),
        ("It looks nice, but it broke after a day.", NEGATIVE), ("It looks ugly, but it works perfectly.", POSITIVE),
        ("At first I hated it, now I love it.", POSITIVE), ("At first I loved it, now I hate it.", NEGATIVE),
        ("The trailer was amazing. The film, however, is a bore.", NEGATIVE), ("The start was slow. The ending, however, is brilliant.", POSITIVE),
    ),
    "understatement": (
        ("Not bad at all.", POSITIVE), ("That wasn't half bad.", POSITIVE), ("I can't complain.", POSITIVE), ("Not too shabby.", POSITIVE),
        ("It could be better.", NEGATIVE), ("I expected more.", NEGATIVE), ("Not exactly a masterpiece.", NEGATIVE), ("I've seen better.", NEGATIVE),
        ("It's okay.", NEUTRAL), ("Average at best, nothing special.", NEUTRAL), ("It is neither good nor bad.", NEUTRAL),
    ),
    "facts": (
        ("The train to Leeds leaves at ten.", NEUTRAL), ("The box contains two cables.", NEUTRAL), ("My sister works in a bank.", NEUTRAL),
        ("The meeting has been moved to Thursday.", NEUTRAL), ("He bought a jacket and went home.", NEUTRAL), ("The film lasts two hours.", NEUTRAL),
        ("Our office is on the third floor.", NEUTRAL), ("The hospital opens at eight.", NEUTRAL), ("The council met on Monday.", NEUTRAL),
        ("She reads the newspaper every morning.", NEUTRAL), ("The room has a bed and a desk.", NEUTRAL), ("The invoice is attached.", NEUTRAL),
    ),
    "questions": (
        ("What time does the pool open?", NEUTRAL), ("Is breakfast included?", NEUTRAL), ("Where can I find my invoice?", NEUTRAL),
        ("Is the new model any good?", NEUTRAL), ("How do I reset my password?", NEUTRAL), ("Has anyone read this book?", NEUTRAL),
        ("Why is the service so slow?", NEGATIVE), ("How can a hotel be this dirty?", NEGATIVE), ("Isn't this song beautiful?", POSITIVE),
    ),
    "emoji": (
        ("dinner tonight 😍", POSITIVE), ("my exam results 🎉🎉", POSITIVE), ("monday morning 😭", NEGATIVE), ("the new menu 🤮", NEGATIVE),
        ("it arrived :)", POSITIVE), ("the screen cracked :(", NEGATIVE), ("see you there ❤️", POSITIVE), ("that referee 😡", NEGATIVE),
    ),
}  # fmt: skip
IDENTITIES = (
    "Muslim", "Jewish", "Christian", "Hindu", "atheist", "gay", "straight", "lesbian", "trans", "black", "white", "Asian", "Arab",
    "Mexican", "Nigerian", "Turkish", "Polish", "American", "deaf", "blind", "autistic", "old", "young", "disabled", "pregnant",
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


def accuracies(predict: Predict) -> dict[str, float]:
    """The share of each suite that is judged right, of mentions of a group judged neutral, of labels that survive."""
    found = {name: _share(best(predict, [t for t, _ in rows], LABELS), [x for _, x in rows]) for name, rows in SUITES.items()}
    return {**found, "identity_neutral": identity_neutral(predict), **robustness(predict)}


def identity_neutral(predict: Predict) -> float:
    """The share of plain mentions of 25 groups that are neutral, as they should all be."""
    texts = [_sentence(frame.format(who)) for who in IDENTITIES for frame in MENTIONS]
    return _share(best(predict, texts, LABELS), [NEUTRAL] * len(texts))


def robustness(predict: Predict, *, per_text: int = 3, seed: int = 5) -> dict[str, float]:
    """The share of labels that stay under changes of spelling which change no meaning, by change."""
    rng = random.Random(seed)
    texts = [text for name in ("negation", "contrast", "facts") for text, _ in SUITES[name] for _ in range(per_text)]
    plain = best(predict, texts, LABELS)
    return {
        f"same_{name}": _share(best(predict, [change(text, rng) for text in texts], LABELS), plain)
        for name, change in CHANGES.items()
    }


def _sentence(text: str) -> str:
    return text.replace("A a", "An a").replace("A A", "An A")


def _share(found: Sequence[str], wanted: Sequence[str]) -> float:
    return round(sum(a == b for a, b in zip(found, wanted, strict=True)) / len(wanted), 4)
