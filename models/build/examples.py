"""Labelled text from templates: filled, disguised, put together, quoted."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from models.build import disguise
from models.build.grammar import Lexicon, Template

PLAIN_FAMILIES = frozenset({"benign_everyday", "benign_prose"})
"""Families without hostile words: any piece of their sentences is harmless, too."""
FAMILY_WEIGHT = {"benign_identity": 2, "benign_identity_prose": 2}
"""Families drawn more often than their number of templates says: most mentions of a group must stay harmless."""
REPLACED = 0.15
"""How many words of a spliced text are replaced."""
EXISTING = 0.6
"""How many of the replacing words exist."""
HARMFUL_AMONG_WORDS = 0.35
"""How much of the disordered text has something harmful in it."""
NAMED_GROUP = 0.25
"""How often a person in a plain sentence gets an identity: most mentions of a group are about something else."""
_PERSON = re.compile(r"\{(a:|)person\}")


@dataclass(frozen=True)
class Example:
    """A text and the labels that hold for it."""

    text: str
    labels: frozenset[str]
    family: str


@dataclass(frozen=True)
class Mixture:
    """How much of what an epoch consists of, in examples."""

    harmless: int
    harmful: int
    joined: int
    quoted: int
    salad: int
    spliced: int
    evasive_rate: float = 0.12


class Writer:
    """Writes examples from one part of the templates, as many and as varied as asked for."""

    def __init__(
        self, templates: Sequence[Template], lexicon: Lexicon, quotes: Sequence[str], quotable: frozenset[str]
    ) -> None:
        """Divides the templates.

        Args:
            templates: Those of the training part or of the held-out part.
            lexicon: Fills their slots.
            quotes: Frames with `<quote>` in them that report or condemn what they quote.
            quotable: The labels that vanish when a text is quoted in such a frame; a text with others is not quoted.
        """
        self._lexicon = lexicon
        self._quotes = quotes
        self._harmless = [template for template in templates if not template.labels]
        self._harmful = [template for template in templates if template.labels]
        self._plain = [template for template in self._harmless if template.family in PLAIN_FAMILIES]
        self._quotable = [template for template in self._harmful if template.labels <= quotable]

    def epoch(self, mixture: Mixture, rng: random.Random) -> list[Example]:
        """A new set of examples in random order; each epoch's words differ."""
        examples = [
            *self._drawn(self._harmless, mixture.harmless, rng),
            *self._drawn(self._harmful, mixture.harmful, rng),
            *self._many(self._join, mixture.joined, rng),
            *self._many(self._quote, mixture.quoted, rng),
            *self._many(self._salad, mixture.salad, rng),
            *self._many(self._splice, mixture.spliced, rng),
        ]
        rng.shuffle(examples)
        return [self._disguised(example, mixture, rng) for example in examples]

    def plain(self, template: Template, rng: random.Random) -> Example:
        """One example of a template, as it is written."""
        text = template.text
        if template.family in PLAIN_FAMILIES and "{bad}" not in text and rng.random() < NAMED_GROUP:
            text = _PERSON.sub(r"{\1group_adjective} {person}", text)
        return Example(self._lexicon.fill(text, rng), template.labels, template.family)

    def _drawn(self, templates: Sequence[Template], count: int, rng: random.Random) -> Iterator[Example]:
        # A template with slots says more than one without, so it is drawn more often.
        weights = [(1.5 + min(template.slots, 2)) * FAMILY_WEIGHT.get(template.family, 1) for template in templates]
        for template in rng.choices(templates, weights, k=count):
            yield self.plain(template, rng)

    def _many(self, write: Callable[[random.Random], Example], count: int, rng: random.Random) -> Iterator[Example]:
        return (write(rng) for _ in range(count))

    def _join(self, rng: random.Random) -> Example:
        """Two to seven sentences; at most one or two harmful ones among them, at any place."""
        harmful = rng.choices((0, 1, 2), (0.45, 0.45, 0.1))[0]
        parts = [self.plain(rng.choice(self._harmful), rng) for _ in range(harmful)]
        parts += [
            self.plain(rng.choice(self._harmless), rng) for _ in range(rng.choice((1, 1, 2, 3, 4, 6)) + (not harmful))
        ]
        rng.shuffle(parts)
        labels = frozenset[str]().union(*(part.labels for part in parts))
        return Example(rng.choice((" ", " ", ", ", "\n", " ... ")).join(part.text for part in parts), labels, "joined")

    def _quote(self, rng: random.Random) -> Example:
        quoted = self.plain(rng.choice(self._quotable), rng).text.rstrip(".")
        frame = self._lexicon.fill(rng.choice(self._quotes), rng)
        return Example(frame.replace("<quote>", quoted), frozenset(), "quoted")

    def _splice(self, rng: random.Random) -> Example:
        """Pieces of plain sentences, with some words replaced: new syntax and new neighbours, still harmless."""
        pieces: list[str] = []
        for _ in range(rng.choice((1, 2, 2, 3))):
            words = self.plain(rng.choice(self._plain), rng).text.split()
            start = rng.randrange(len(words))
            pieces += words[start : start + rng.randint(2, 9)]
        for place in range(len(pieces)):
            if rng.random() < REPLACED:
                pieces[place] = (
                    self._lexicon.everyday_word(rng) if rng.random() < EXISTING else self._lexicon.made_up_word(rng)
                )
        return self._maybe_harmful(pieces, "spliced", rng)

    def _salad(self, rng: random.Random) -> Example:
        """Everyday and made-up words in no order: harmless however strange, unless something harmful stands in them."""
        words = [self._lexicon.everyday_word(rng) for _ in range(rng.randint(1, 14))]
        words += [self._lexicon.made_up_word(rng) for _ in range(rng.randint(0, 4))]
        rng.shuffle(words)
        return self._maybe_harmful(words, "salad", rng)

    def _maybe_harmful(self, words: list[str], family: str, rng: random.Random) -> Example:
        """The words as a text, now and then with a harmful sentence among them: its neighbours excuse nothing."""
        if rng.random() >= HARMFUL_AMONG_WORDS:
            return Example(" ".join(words), frozenset(), family)
        harmful = self.plain(rng.choice(self._harmful), rng)
        place = rng.randrange(len(words) + 1)
        return Example(" ".join([*words[:place], harmful.text, *words[place:]]), harmful.labels, family)

    def _disguised(self, example: Example, mixture: Mixture, rng: random.Random) -> Example:
        text = disguise.ordinary(example.text, rng)
        if rng.random() < mixture.evasive_rate:
            text = disguise.evasive(text, rng)
        return replace(example, text=text)
