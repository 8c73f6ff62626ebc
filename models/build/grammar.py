"""A small grammar of text: templates with slots, and a lexicon that fills them.

A file of templates has one template a line. `[toxic insult]` begins a section whose lines carry these labels and `[]`
one of harmless lines; `#` at the start of a line with a space behind it is a comment. In a template

    {food}            a word of the lexicon's category `food`
    {a:animal}        the same with its article: "a fox", "an owl"
    {insult+s}        the same in the plural
    {up|down|away}    one of the given words
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_SLOT = re.compile(r"\{([^{}]*)\}")
_CATEGORY = re.compile(r"^(\w+) = (.*)$")
SWAP_RATE = 0.1
"""How often an everyday word is replaced by one of another category: a word out of place is no evidence."""
MADE_UP_RATE = 0.1
"""How often an everyday word is replaced by one that does not exist: an unknown word is no evidence."""


LONG_WORD = 5
"""Letters of a word whose halves can make up another."""


class GrammarError(ValueError):
    """A template or a lexicon that cannot be used; the message names the line or the slot."""


@dataclass(frozen=True)
class Template:
    """One line of a file of templates with the labels of its section."""

    text: str
    labels: frozenset[str]
    family: str

    @property
    def slots(self) -> int:
        """How many places the lexicon fills."""
        return len(_SLOT.findall(self.text))

    def held_out(self, one_in: int) -> bool:
        """Whether the template belongs to the held-out part: decided by its text, so that it never moves."""
        return int(hashlib.sha256(self.text.lower().encode()).hexdigest(), 16) % one_in == 0


class Lexicon:
    """Words by category; everyday ones may stand in for each other, charged ones may not."""

    def __init__(self, everyday: Mapping[str, tuple[str, ...]], charged: Mapping[str, tuple[str, ...]]) -> None:
        """Takes the categories as `read_lexicon` returns them."""
        self._everyday = dict(everyday)
        self._words = {**everyday, **charged}
        self._pool = tuple(sorted({word for words in everyday.values() for word in words}))
        self._stems = tuple(word.lower() for word in self._pool if word.isalpha() and len(word) >= LONG_WORD)

    def fill(self, template: str, rng: random.Random) -> str:
        """The template with each slot filled at random; a capital at the start stays a capital."""
        text = _SLOT.sub(lambda match: self._choose(match[1], rng), template)
        return text[0].upper() + text[1:] if template[0] == "{" and template.endswith((".", "!")) else text

    def words(self, category: str) -> tuple[str, ...]:
        """All words of a category; raises `GrammarError` for an unknown one."""
        try:
            return self._words[category]
        except KeyError:
            raise GrammarError(f"The lexicon has no category {category!r}; it has {', '.join(self._words)}.") from None

    def everyday_word(self, rng: random.Random) -> str:
        """Any everyday word."""
        return rng.choice(self._pool)

    def made_up_word(self, rng: random.Random) -> str:
        """A word that does not exist: the beginning of one everyday word and the end of another."""
        start, end = rng.choice(self._stems), rng.choice(self._stems)
        return start[: rng.randint(2, 4)] + end[-rng.randint(2, 5) :]

    def _choose(self, slot: str, rng: random.Random) -> str:
        if "|" in slot:
            return rng.choice(slot.split("|"))
        name = slot.removeprefix("a:").removesuffix("+s")
        word = self._word(name, rng)
        if slot.endswith("+s"):
            return plural(word)
        return f"{article(word)} {word}" if slot.startswith("a:") else word

    def _word(self, category: str, rng: random.Random) -> str:
        words = self.words(category)
        chance = rng.random()
        if category in self._everyday and chance < SWAP_RATE:
            return self.everyday_word(rng)
        if category in self._everyday and chance < SWAP_RATE + MADE_UP_RATE:
            return self.made_up_word(rng)
        return rng.choice(words)


def article(word: str) -> str:
    """The indefinite article: good enough by letter, as people on the net write it too."""
    return "an" if word[:1].lower() in "aeiou" and not word.lower().startswith(("use", "uni", "eu", "one")) else "a"


def plural(word: str) -> str:
    """The regular plural; of several words, the last one's."""
    if word.endswith(("man",)):
        return word[:-2] + "en"
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def read_lexicon(path: Path) -> dict[str, tuple[str, ...]]:
    """Reads `category = word, word, ...`; a category goes on over the indented lines below it."""
    categories: dict[str, str] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        match = _CATEGORY.match(line)
        if line.startswith("#") or not line.strip():
            continue
        if match:
            name = match[1]
        elif not name or not line.startswith(" "):
            raise GrammarError(f"{path.name}: {line[:40]!r} is neither `category = words` nor its indented rest.")
        categories[name] = categories.get(name, "") + " " + (match[2] if match else line)
    return {
        name: tuple(word.strip() for word in words.split(",") if word.strip()) for name, words in categories.items()
    }


def read_templates(paths: Iterable[Path]) -> list[Template]:
    """Reads the files in the given order, each line once."""
    templates: dict[str, Template] = {}
    for path in paths:
        labels: frozenset[str] | None = None
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("# ") or not line.strip():
                continue
            if re.fullmatch(r"\[[a-z_ ]*\]", line):
                labels = frozenset(line[1:-1].split())
            elif labels is None:
                raise GrammarError(f"{path.name}: the first line must be a section such as [toxic insult].")
            else:
                templates.setdefault(line, Template(line, labels, path.stem))
    return list(templates.values())
