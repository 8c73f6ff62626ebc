"""Changes of spelling that people make by accident or to slip past a filter. The meaning stays, so do the labels."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

Change = Callable[[str, random.Random], str]

_LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7"}
_LOOKALIKE = {"a": "а", "e": "е", "o": "о", "p": "р", "c": "с", "x": "х", "y": "у", "i": "і", "s": "ѕ"}  # noqa: RUF001 - wanted
_NEAR = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg",
    "g": "fh", "h": "gj", "i": "uo", "j": "hk", "k": "jl", "l": "k",
    "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "w", "r": "et",
    "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc",
    "y": "tu", "z": "x",
}  # fmt: skip
_SHORT = {
    "you are": "ur", "you're": "ur", "are": "r", "you": "u",
    "your": "ur", "people": "ppl", "please": "pls", "because": "cuz",
    "going to": "gonna", "what the": "wut the", "really": "rly", "tonight": "2nite",
    "to": "2", "want to": "wanna",
}  # fmt: skip
_TAILS = (
    " lol",
    " lmao",
    " tbh",
    " smh",
    " bro",
    " mate",
    " dude",
    " haha",
    "!!!",
    "...",
    " 😂",
    " 🙄",
    " 😡",
    " ❤️",
    " imo",
    " rn",
    " fr",
)
_HEADS = (
    "lol ",
    "honestly, ",
    "bro ",
    "dude ",
    "ok ",
    "well, ",
    "look, ",
    "omg ",
    "hey ",
    "@user ",
    "tbh ",
    "man, ",
    "seriously, ",
    "wow, ",
    "so ",
)


BEFORE = 0.5
"""How often an interjection stands before the text and not behind it."""


def lower(text: str, _rng: random.Random) -> str:
    """All in lower case."""
    return text.lower()


def upper(text: str, _rng: random.Random) -> str:
    """All in capitals."""
    return text.upper()


def bare(text: str, _rng: random.Random) -> str:
    """Without punctuation at the end and without apostrophes."""
    return text.rstrip(".!?").replace("'", "").replace("\u2019", "")


def leet(text: str, rng: random.Random) -> str:
    """Some letters as the digits or signs that look like them."""
    return _map_letters(text, _LEET, 0.5, rng)


def lookalike(text: str, rng: random.Random) -> str:
    """Some Latin letters as Cyrillic ones of the same look."""
    return _map_letters(text, _LOOKALIKE, 0.6, rng)


def elongate(text: str, rng: random.Random) -> str:
    """One letter of one word drawn out."""
    place = _place_in_word(text, rng, longest_first=True)
    return text if place is None else text[:place] + text[place] * rng.randint(2, 6) + text[place:]


def space_out(text: str, rng: random.Random) -> str:
    """One longer word with a separator between all its letters."""
    words = list(re.finditer(r"[A-Za-z]{4,9}", text))
    if not words:
        return text
    word = rng.choice(words)
    return text[: word.start()] + rng.choice(" .-_").join(word[0]) + text[word.end() :]


def mask(text: str, rng: random.Random) -> str:
    """A vowel of one word as an asterisk or the like."""
    places = [match.start() for match in re.finditer(r"(?<=[A-Za-z])[aeiou](?=[A-Za-z])", text)]
    if not places:
        return text
    place = rng.choice(places)
    return text[:place] + rng.choice(("*", "*", "**", "#", "-", "_")) + text[place + 1 :]


def typo(text: str, rng: random.Random) -> str:
    """One slip of the keyboard: a letter swapped, dropped, doubled or its neighbour."""
    place = _place_in_word(text, rng)
    if place is None:
        return text
    letter = text[place]
    changed = rng.choice(("", letter * 2, rng.choice(_NEAR.get(letter.lower(), letter)), "swap"))
    if changed == "swap":
        return text[:place] + text[place + 1 : place + 2] + letter + text[place + 2 :]
    return text[:place] + changed + text[place + 1 :]


def chat(text: str, rng: random.Random) -> str:
    """Shorthand of chats."""
    found = [word for word in _SHORT if re.search(rf"\b{word}\b", text, re.IGNORECASE)]
    if not found:
        return text.lower()
    word = rng.choice(found)
    return re.sub(rf"\b{word}\b", _SHORT[word], text, flags=re.IGNORECASE).lower()


def frame(text: str, rng: random.Random) -> str:
    """An interjection before or behind."""
    if rng.random() < BEFORE:
        return rng.choice(_HEADS) + text[:1].lower() + text[1:]
    return text.rstrip(".!") + rng.choice(_TAILS)


MILD: tuple[tuple[Change, float], ...] = (
    (lower, 0.3),
    (upper, 0.03),
    (bare, 0.2),
    (typo, 0.08),
    (chat, 0.06),
    (frame, 0.1),
)
"""What ordinary writing does; applied to all text alike, so that none of it is evidence."""
EVASIVE: tuple[Change, ...] = (leet, lookalike, elongate, space_out, mask, typo)
"""What slips past a list of words."""


def ordinary(text: str, rng: random.Random) -> str:
    """The text with some of the mild changes, each by its own chance."""
    for change, rate in MILD:
        if rng.random() < rate:
            text = change(text, rng)
    return text


def evasive(text: str, rng: random.Random) -> str:
    """The text with one or two of the evasive changes."""
    for change in rng.sample(EVASIVE, rng.choice((1, 1, 2))):
        text = change(text, rng)
    return text


def _map_letters(text: str, table: dict[str, str], rate: float, rng: random.Random) -> str:
    def mapped(letter: str) -> str:
        choices = table.get(letter.lower(), "")
        return rng.choice(choices) if choices and rng.random() < rate else letter

    return "".join(mapped(letter) for letter in text)


def _place_in_word(text: str, rng: random.Random, *, longest_first: bool = False) -> int | None:
    words = list(re.finditer(r"[A-Za-z]{3,}", text))
    if not words:
        return None
    word = max(words, key=lambda match: len(match[0])) if longest_first else rng.choice(words)
    return rng.randrange(word.start() + 1, word.end())
