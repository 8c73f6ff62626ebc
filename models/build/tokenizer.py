"""The tokenizer: undoes common disguises of words, then splits them into learned pieces (BPE)."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
HOMOGLYPHS = dict(zip("аеорсхуіѕԁјһкмтнвԛԝɡοαερνικτυ", "aeopcxyisdjhkmthbqwgoaepviktu", strict=True))
"""Cyrillic and Greek letters that look like Latin ones. NFKD already folds full-width and styled ones."""
LEET = {
    "0": "o",
    "1": "i",
    "3": "e",
    "4": "a",
    "5": "s",
    "7": "t",
    "@": "a",
    r"\$": "s",
    "!": "i",
    r"\|": "l",
    "€": "e",
}
INVISIBLE = "[\u00ad\u200b-\u200f\u2060-\u2064\ufe0f\ufeff]"


def disguised_words() -> normalizers.Sequence:
    """Makes full-width and Cyrillic letters, `id1ot`, `i d i o t`, `i.d.i.o.t` and `iiidiot` the same word.

    A digit counts as a letter only between letters, so that numbers stay numbers. Two of a repeated consonant stay,
    as English doubles them; a, i and u never double.
    """
    steps: list[normalizers.Normalizer] = [
        normalizers.NFKD(),
        normalizers.StripAccents(),
        normalizers.Replace(Regex(INVISIBLE), ""),
        normalizers.Lowercase(),
        normalizers.Replace(Regex("[\u2018\u2019\u00b4`]"), "'"),
        normalizers.Replace(Regex("[\u201c\u201d\u00ab\u00bb]"), '"'),
    ]
    for letter, latin in HOMOGLYPHS.items():
        steps.append(normalizers.Replace(letter, latin))
    for sign, letter in LEET.items():
        steps.append(normalizers.Replace(Regex(f"(?<=[a-z]|[a-z]{sign}){sign}(?={sign}?[a-z])"), letter))
    steps.append(normalizers.Replace(Regex(r"(?<![a-z0-9])\$(?=[a-z])"), "s"))
    steps.append(normalizers.Replace(Regex(r"(?<![a-z0-9])@(?=ss)"), "a"))
    steps += [
        normalizers.Replace(Regex(letter + "{3,}"), letter if letter in "aiu" else letter * 2)
        for letter in "abcdefghijklmnopqrstuvwxyz"
    ]
    steps.append(normalizers.Replace(Regex(r"(?<=\b[a-z])[ ._\-]{1,2}(?=[a-z]\b)"), ""))
    steps += [normalizers.Replace(Regex(sign + "{2,}"), sign[-1]) for sign in ("!", r"\?", r"\*")]
    return normalizers.Sequence(steps)


def everyday_spelling() -> normalizers.Sequence:
    """Folds case, accents, quotes and drawn-out letters and signs: what people vary without meaning to hide a word.

    Three or more of a letter become two, so that "sooooo" and "sooo" are the same and "so" is another.
    """
    return normalizers.Sequence(
        [
            normalizers.NFKD(),
            normalizers.StripAccents(),
            normalizers.Lowercase(),
            normalizers.Replace(Regex("[\u2018\u2019\u00b4`]"), "'"),
            normalizers.Replace(Regex("[\u201c\u201d\u00ab\u00bb]"), '"'),
            normalizers.Replace(Regex(r"([a-z.!?*])(?=\1\1)"), ""),
        ]
    )


def train(
    texts: Iterable[str], *, vocabulary: int, normalizer: normalizers.Normalizer | None = None, min_frequency: int = 4
) -> Tokenizer:
    """Learns the pieces from texts; the padding token is 0, as the serving side pads with zeros."""
    tokenizer = Tokenizer(BPE(unk_token=UNKNOWN, continuing_subword_prefix="##"))
    tokenizer.normalizer = normalizer or disguised_words()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=min_frequency,
        special_tokens=[PAD, UNKNOWN, START, END],
        limit_alphabet=90,
        continuing_subword_prefix="##",
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    start, end = tokenizer.token_to_id(START), tokenizer.token_to_id(END)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, start), (END, end)]
    )
    return tokenizer
