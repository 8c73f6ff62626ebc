"""The card of the sentiment model: what it is for, what it is made from, what was measured, where it fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_INTRODUCTION = """# Sentiment starter model

Version `{version}`. Says whether a short English text is `negative`, `neutral` or `positive`: one label of three, with
a probability each. It is there so that the sentiment service answers from the first minute with nothing to download.
It is small and made from written sentences only: **measure it on your own texts before you rely on it**, or publish a
better model in its place.

## Data
Sentences, templates and words in `models/build/sentiment/`, filled at random, joined and contrasted, roughened
(case, typos, dropped and strange words, emoji), and cleaned by `services/sentiment/preprocess.py` as the service does.
Nothing was taken from a data set, the net or another model. One template in {held_out} is held out by a hash of its
text.

What the labels mean: the writer's verdict. After "but" the second statement decides, a concession ("although ...")
does not; "not bad" praises and "could be better" complains; praise and blame said to be in balance, "okay" and
"average" are neutral, and so are facts, plans, questions and requests, unless they reproach or admire. News is judged
by what happened: a rescue is positive, an accident negative.

Made again by `make models` (about {minutes} minutes on two cores).

## Measured
By the runtime that serves it, with the service's own cleaning.
"""
_LIMITS = """
## Limits
- English only. It knows the words that its sentences use: rare words, new slang and opinions that need knowledge of the
  world ("the ending could have been written by my cat") are often called neutral.
- Sarcasm is found where a pattern gives it away ("Great, it broke again"), seldom otherwise.
- One label for a whole text: a long text with several opinions gets the one that its words weigh most for, and a single
  opinion among three or more plain facts may be lost. Texts longer than {length} tokens are cut off.
- The probabilities are those of a model trained on even thirds of each label; where one label is rarer, they are too
  high for it.
- Some names of groups carry an opinion of their own: of 125 plain mentions eight were called positive ("He said that he
  is Jewish"), none negative.
- Held-out templates share their words with the training ones, and the suites are minimal pairs: both say what was
  learned, not what to expect. The blind set is the better guess.
- The blind set is one author's, who also wrote the training text afterwards: 94 of its texts share five words in a row
  with some training template, and without these 84.3% were right when it was counted. {looks}
"""
_LOOKS = (
    "Its aggregates, never the model's answers to single texts, were looked at while the training text was widened "
    "(see `models/blind/README.md`), so it is no longer quite blind; two points up or down are chance."
)


def text(
    version: str, metrics: dict[str, Any], sizes: Mapping[str, int], *, length: int, held_out: int, minutes: int
) -> str:
    """The card in Markdown.

    Args:
        version: Of the model.
        metrics: As in the manifest.
        sizes: Bytes of each file.
        length: Tokens of the longest text that is read whole.
        held_out: One template in so many was held out.
        minutes: What training took.
    """
    parts = [_INTRODUCTION.format(version=version, held_out=held_out, minutes=minutes)]
    for title, key in (("Blind set", "blind"), ("Held-out templates", "held_out")):
        if key in metrics:
            parts.append(_table(title, metrics[key]))
    if "blind" in metrics:
        parts.append(_shares("Right in each slice of the blind set", metrics["blind"]["accuracy_by_slice"]))
    parts.append(_shares("Right in each suite; labels that stay under a change (`same_`)", metrics["suites"]))
    files = ", ".join(f"`{name}` {size / 1e6:.1f} MB" for name, size in sizes.items())
    parts.append(
        f"\n### Cost\n{files}. {metrics['milliseconds_32_tokens_1_thread']} ms for a text of 32 tokens on one thread; "
        f"int8 moves a probability by {metrics['int8_probability_difference']} at most over random tokens.\n"
    )
    return "".join((*parts, _LIMITS.format(length=length, looks=_LOOKS)))


def _table(title: str, scores: dict[str, Any]) -> str:
    rows = "".join(
        f"| {label} | {row['texts']} | {row['precision']:.2f} | {row['recall']:.2f} | {row['f1']:.2f} |\n"
        for label, row in scores["labels"].items()
    )
    return (
        f"\n### {title}\n{scores['texts']} texts: {scores['accuracy']:.1%} right, macro F1 {scores['macro_f1']:.2f}."
        "\n\n"
        f"| label | texts | precision | recall | F1 |\n|---|---|---|---|---|\n{rows}"
    )


def _shares(title: str, shares: Mapping[str, float]) -> str:
    return f"\n### {title}\n" + ", ".join(f"{name} {share:.2f}" for name, share in shares.items()) + "\n"
