"""Labelled text for three exclusive labels: statements filled, contrasted, joined and roughened."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.build import disguise
from models.build.examples import Example
from models.build.grammar import Lexicon, Template
from services.sentiment.preprocess import clean

NEGATIVE, NEUTRAL, POSITIVE = LABELS = ("negative", "neutral", "positive")
OPPOSITE = {NEGATIVE: POSITIVE, POSITIVE: NEGATIVE}
CLAUSES = frozenset({"clauses", "negated", "flips"})
"""Families of statements that may stand beside another in one sentence."""
SINGLE_CLAUSES = 0.42
"""How many of the single sentences are built from the grammar of statements; the others are written out in full."""
WORD_DROPPED, WORD_REPLACED = 0.05, 0.3
"""How many texts lose a word or get a word that does not belong: no single word may decide alone."""
EMOJI_RATE = 0.07
ELONGATED, SHOUTED = 0.03, 0.03
OPENED, CAPITAL = 0.25, 0.8
CONCEDED = 0.2
"""How many contrasts are put as a concession ("although ...")."""
TOLD = 0.25
"""How many contrasted statements are sentences written out in full, if they are plain enough."""
IN_ONE_SENTENCE, TURNED = 0.35, 0.2
"""How many joined texts are one sentence, and how many longer ones turn against what they began with."""
MADE_UP = 0.5

_ENDS = (".", ".", ".", ".", ".", "", "", "", "!", "!", "!!", "...", "!!!")
_GLUE = (" ", " ", " ", " ", ", ", " - ", "\n", " ... ", "; ")
_AND = (", and ", " and ", ", also ", ", plus ", "; ", ". ", ". Also, ", ", so ", " because ", ", ", " - ")
_IN_THE_END = ("But ", "However, ", "Still, ", "In the end ")
_SMALL = frozenset({"the", "a", "is", "was", "i", "it", "and", "of", "to", "we", "are", "so", "very"})
_PLAIN = re.compile(r"([^.,!?;:\n\"]{8,80})\.")
_VERB = re.compile(r" (is|are|was|were|has|had) ")
_TOPIC_WORD = re.compile(r"\b(?:the|a|my|our|his|her|this) ([a-z]{4,})\b(?= (?:is|was|and|in|at|for|of|with))")


@dataclass(frozen=True)
class Mixture:
    """How much of what an epoch consists of, in examples."""

    single: int
    contrasted: int
    mixed: int
    joined: int
    salad: int


class Writer:
    """Writes examples from one part of the templates, as many and as varied as asked for."""

    def __init__(
        self,
        templates: Sequence[Template],
        lexicon: Lexicon,
        emoji: Mapping[str, tuple[str, ...]],
        frames: Mapping[str, tuple[str, ...]],
    ) -> None:
        """Divides the templates by label and by whether they are written out.

        Args:
            templates: Those of the training part or of the held-out part.
            lexicon: Fills their slots; its words may have slots, too.
            emoji: What may stand behind a positive, negative or neutral text.
            frames: As `read_frames` returns them.
        """
        self._lexicon = lexicon
        self._emoji = emoji
        self._frames = frames
        self._clauses = {label: self._of(templates, label, clauses=True) for label in LABELS}
        self._sentences = {label: self._of(templates, label, clauses=False) for label in LABELS}

    def epoch(self, mixture: Mixture, rng: random.Random, *, rough: bool = True) -> list[Example]:
        """A new set of examples in random order, cleaned as the service cleans; each epoch's words differ.

        Args:
            mixture: How many of which.
            rng: Decides everything.
            rough: Whether spelling, punctuation and single words are changed at random.
        """
        examples = [
            *self._many(lambda: self._single(rng.choice(LABELS), rng), mixture.single),
            *self._many(lambda: self._contrast(rng), mixture.contrasted),
            *self._many(lambda: self._mixed(rng), mixture.mixed),
            *self._many(lambda: self._join(rng), mixture.joined),
            *self._many(lambda: self._salad(rng), mixture.salad),
        ]
        rng.shuffle(examples)
        return [replace(e, text=clean(self._roughened(e, rng) if rough else e.text)) for e in examples]

    def fill(self, text: str, rng: random.Random) -> str:
        """The text with all slots filled, those of the filling words included."""
        while "{" in text:
            text = self._lexicon.fill(text, rng)
        return text

    @staticmethod
    def _of(templates: Sequence[Template], label: str, *, clauses: bool) -> list[Template]:
        return [t for t in templates if label in t.labels and (t.family in CLAUSES) == clauses]

    @staticmethod
    def _many(write: Callable[[], Example], count: int) -> Iterator[Example]:
        return (write() for _ in range(count))

    def _clause(self, label: str, rng: random.Random) -> str:
        # The held-out part may be without a statement of some label.
        return self.fill(rng.choice(self._clauses[label] or self._sentences[label]).text, rng)

    def _statement(self, label: str, rng: random.Random) -> str:
        """A clause, or a sentence written out in full without its full stop."""
        if self._sentences[label] and rng.random() < TOLD:
            plain = _PLAIN.fullmatch(self.fill(rng.choice(self._sentences[label]).text, rng))
            if plain:
                return plain[1]
        return self._clause(label, rng)

    def _single(self, label: str, rng: random.Random) -> Example:
        if self._clauses[label] and (not self._sentences[label] or rng.random() < SINGLE_CLAUSES):
            opening = rng.choice(self._frames["opening"]) + " " if rng.random() < OPENED else ""
            text = opening + self._clause(label, rng)
            return Example(_sentence(text, rng), frozenset({label}), "clauses")
        template = rng.choice(self._sentences[label])
        return Example(self.fill(template.text, rng), template.labels, template.family)

    def _contrast(self, rng: random.Random) -> Example:
        """Two statements of which the second, or the one not put as a concession, decides."""
        label = rng.choice((NEUTRAL, NEGATIVE, NEGATIVE, POSITIVE, POSITIVE))
        # Beside a plain fact an opinion would decide wherever it stands, so facts are contrasted with facts.
        other = NEUTRAL if label == NEUTRAL else rng.choice((OPPOSITE[label], OPPOSITE[label], NEUTRAL))
        frame = rng.choice(self._frames["concession" if rng.random() < CONCEDED else "last"])
        first, second = self._statement(other, rng), self._statement(label, rng)
        text = frame.replace("<a>", first).replace("<b>", second).replace("<b, however>", _however(second))
        return Example(_sentence(text, rng), frozenset({label}), "contrast")

    def _mixed(self, rng: random.Random) -> Example:
        """Praise and blame that say themselves to be in balance: neutral."""
        sides = [self._clause(POSITIVE, rng), self._clause(NEGATIVE, rng)]
        rng.shuffle(sides)
        text = rng.choice(self._frames["balance"]).replace("<a>", sides[0]).replace("<b>", sides[1])
        return Example(_sentence(text, rng), frozenset({NEUTRAL}), "mixed")

    def _join(self, rng: random.Random) -> Example:
        """Two statements joined by "and", or two to six sentences: plain facts beside an opinion do not weaken it."""
        label = rng.choice(LABELS)
        if rng.random() < IN_ONE_SENTENCE:
            parts = [self._clause(label, rng), self._clause(rng.choice((label, NEUTRAL)), rng)]
            rng.shuffle(parts)
            return Example(_sentence(rng.choice(_AND).join(parts), rng), frozenset({label}), "joined")
        told = [self._single(label, rng).text for _ in range(rng.choice((1, 1, 2, 2, 3)))]
        told += [self._single(NEUTRAL, rng).text for _ in range(rng.choice((0, 1, 1, 2, 3)) + (label == NEUTRAL))]
        rng.shuffle(told)
        if label != NEUTRAL and len(told) > 1 and rng.random() < TURNED:
            turn = rng.choice(_IN_THE_END) + self._single(label, rng).text
            told = [self._single(OPPOSITE[label], rng).text, *told[:-1], turn]
        return Example(rng.choice(_GLUE).join(told), frozenset({label}), "joined")

    def _salad(self, rng: random.Random) -> Example:
        """Everyday and made-up words in no order are neutral; an opinion among them stays one."""
        words = [self._lexicon.everyday_word(rng) for _ in range(rng.randint(1, 8))]
        words += [self._lexicon.made_up_word(rng) for _ in range(rng.randint(0, 3))]
        rng.shuffle(words)
        label = rng.choice((NEUTRAL, *LABELS))
        if label != NEUTRAL:
            words.insert(rng.randrange(len(words) + 1), self._clause(label, rng))
        return Example(" ".join(words), frozenset({label}), "salad")

    def _roughened(self, example: Example, rng: random.Random) -> str:
        text, (label,) = example.text, example.labels
        if rng.random() < WORD_DROPPED:
            text = _without_a_word(text, rng)
        if rng.random() < WORD_REPLACED and "weblink" not in text:
            text = self._with_a_strange_word(text, rng)
        if rng.random() < ELONGATED:
            text = disguise.elongate(text, rng)
        if rng.random() < EMOJI_RATE:
            text = f"{text} {rng.choice(self._emoji[label])}"
        return text.upper() if rng.random() < SHOUTED else disguise.ordinary(text, rng)

    def _with_a_strange_word(self, text: str, rng: random.Random) -> str:
        """Puts a name, number, thing or made-up word where an article or pronoun leads to a topic word."""
        places = list(_TOPIC_WORD.finditer(text))
        if not places:
            return text
        place = rng.choice(places)
        word = self._lexicon.made_up_word(rng) if rng.random() < MADE_UP else self._lexicon.everyday_word(rng)
        return text[: place.start(1)] + word + text[place.end(1) :]


def read_frames(path: Path) -> dict[str, tuple[str, ...]]:
    """The lines of each `[section]` of a file of frames."""
    frames: dict[str, list[str]] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            name = line[1:-1]
        elif line and not line.startswith("# "):
            frames.setdefault(name, []).append(line)
    return {section: tuple(lines) for section, lines in frames.items()}


def _sentence(text: str, rng: random.Random) -> str:
    """With a capital and an end, mostly; with the pronoun I as people write it."""
    text = re.sub(r"\bi\b", "I", text)
    ended = text if text.endswith((".", "!", "?", "...")) else text + rng.choice(_ENDS)
    return ended[:1].upper() + ended[1:] if rng.random() < CAPITAL else ended


def _however(text: str) -> str:
    """With "however" before the verb, where it is found: "the film, however, is"."""
    found, count = _VERB.subn(r", however, \1 ", text, count=1)
    return found if count else f"however, {text}"


def _without_a_word(text: str, rng: random.Random) -> str:
    words = text.split()
    small = [place for place, word in enumerate(words) if word.lower() in _SMALL]
    if not small:
        return text
    dropped = rng.choice(small)
    return " ".join(word for index, word in enumerate(words) if index != dropped)
