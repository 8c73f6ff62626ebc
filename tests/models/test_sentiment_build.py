"""What the sentiment model is made from: its words, its sentences, how they are put together, its measures."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from models.build import classes, tokenizer
from models.build.grammar import Lexicon, Template, read_lexicon, read_templates
from models.build.measure import read_set
from models.build.sentiment import slices
from models.build.sentiment.writer import CLAUSES, LABELS, Mixture, Writer, read_frames
from services.sentiment.preprocess import clean

HERE = Path(__file__).parents[2] / "models" / "build" / "sentiment"
BLIND = HERE.parents[1] / "blind" / "sentiment.jsonl"
EMOJI = {"positive": (":)",), "negative": (":(",), "neutral": ("\N{ROUND PUSHPIN}",)}


@pytest.fixture(scope="module")
def words() -> dict[str, tuple[str, ...]]:
    files = ("lexicon_positive.txt", "lexicon_negative.txt", "lexicon_things.txt")
    return {name: entries for file in files for name, entries in read_lexicon(HERE / file).items()}


@pytest.fixture(scope="module")
def lexicon(words: dict[str, tuple[str, ...]]) -> Lexicon:
    return Lexicon(read_lexicon(HERE.parent / "moderation" / "lexicon_everyday.txt"), words)


@pytest.fixture(scope="module")
def templates() -> list[Template]:
    return read_templates(sorted((HERE / "sentences").glob("*.txt")))


@pytest.fixture(scope="module")
def frames() -> dict[str, tuple[str, ...]]:
    return read_frames(HERE / "frames.txt")


@pytest.fixture
def small(frames: dict[str, tuple[str, ...]]) -> Writer:
    templates = [
        Template("it is superb", frozenset({"positive"}), "clauses"),
        Template("it is dreadful", frozenset({"negative"}), "clauses"),
        Template("it has a lid", frozenset({"neutral"}), "clauses"),
    ]
    return Writer(templates, Lexicon({"thing": ("table", "lamp post")}, {}), EMOJI, frames)


def test_every_template_can_be_filled_and_no_slot_stays(
    lexicon: Lexicon, templates: list[Template], frames: dict[str, tuple[str, ...]]
):
    writer = Writer(templates, lexicon, EMOJI, frames)
    rng = random.Random(1)

    texts = [writer.fill(template.text, rng) for template in templates for _ in range(3)]

    assert len(templates) > 3000
    assert not [text for text in texts if set("{}|") & set(text)]


def test_every_template_has_exactly_one_of_the_three_labels(templates: list[Template]):
    assert {template.labels for template in templates} == {frozenset({label}) for label in LABELS}
    for label in LABELS:
        assert sum(label in template.labels for template in templates if template.family in CLAUSES) > 50


def test_the_words_are_thousands_and_none_both_praises_and_blames(words: dict[str, tuple[str, ...]]):
    praise = {word for name, entries in words.items() if name.startswith("pos_") for word in entries}
    blame = {word for name, entries in words.items() if name.startswith("neg_") for word in entries}

    assert len(praise) > 1500
    assert len(blame) > 2000
    assert sorted(praise & blame) == []


def test_no_sentence_of_the_blind_set_or_of_the_suites_is_trained_on(templates: list[Template]):
    texts, _, _ = read_set(BLIND, LABELS)
    written = {_bare(template.text) for template in templates}
    suites = [text for suite in slices.read_suites().values() for text in suite]

    same = [text for text in (*texts, *suites) if _bare(text) in written]

    # Greetings, sighs and star ratings of two or three words are everybody's.
    assert all(len(text.split()) <= 4 for text in same), same
    assert len(same) <= 0.05 * len(texts)


def test_the_blind_set_is_balanced_and_large_enough():
    rows = [json.loads(line) for line in BLIND.read_text(encoding="utf-8").splitlines()]
    counts = {label: sum(row["labels"] == [label] for row in rows) for label in LABELS}

    assert sum(counts.values()) == len(rows) >= 400
    assert min(counts.values()) >= 0.3 * len(rows)
    assert len({row["text"] for row in rows}) == len(rows)


def test_after_but_the_second_statement_decides(small: Writer):
    mixture = Mixture(single=0, contrasted=300, mixed=0, joined=0, salad=0)

    examples = small.epoch(mixture, random.Random(2), rough=False)

    turned = [example for example in examples if "superb, but it is dreadful" in example.text]
    assert turned
    assert all(example.labels == {"negative"} for example in turned)


def test_a_concession_does_not_decide(small: Writer):
    mixture = Mixture(single=0, contrasted=600, mixed=0, joined=0, salad=0)

    examples = small.epoch(mixture, random.Random(2), rough=False)

    conceded = [example for example in examples if example.text.startswith("Although it is dreadful, it is superb")]
    assert conceded
    assert all(example.labels == {"positive"} for example in conceded)


def test_however_may_stand_within_the_statement_that_decides(small: Writer):
    mixture = Mixture(single=0, contrasted=600, mixed=0, joined=0, salad=0)

    examples = small.epoch(mixture, random.Random(2), rough=False)

    turned = [example for example in examples if "superb. it, however, is dreadful" in example.text.lower()]
    assert turned
    assert all(example.labels == {"negative"} for example in turned)


def test_sentences_written_out_in_full_are_contrasted_too(frames: dict[str, tuple[str, ...]]):
    templates = [
        Template("it is superb", frozenset({"positive"}), "clauses"),
        Template("It died after a week.", frozenset({"negative"}), "told"),
        Template("Why, oh why?", frozenset({"negative"}), "told"),
        Template("it has a lid", frozenset({"neutral"}), "clauses"),
        Template("it is dreadful", frozenset({"negative"}), "clauses"),
    ]
    writer = Writer(templates, Lexicon({"thing": ("table",)}, {}), EMOJI, frames)
    mixture = Mixture(single=0, contrasted=600, mixed=0, joined=0, salad=0)

    examples = writer.epoch(mixture, random.Random(2), rough=False)

    turned = [example for example in examples if "superb, but it died after a week" in example.text.lower()]
    assert turned
    assert all(example.labels == {"negative"} for example in turned)
    assert not [example for example in examples if "oh why" in example.text]


def test_words_that_turn_an_opinion_round_stand_under_both_labels(templates: list[Template]):
    flips = {label: {t.text for t in templates if t.family == "flips" and label in t.labels} for label in LABELS}
    swapped = {text.replace("neg_", "*").replace("pos_", "neg_").replace("*", "pos_") for text in flips["negative"]}

    assert len(swapped & flips["positive"]) >= 40


def test_praise_and_blame_said_to_be_in_balance_are_neutral(small: Writer):
    mixture = Mixture(single=0, contrasted=0, mixed=50, joined=0, salad=0)

    examples = small.epoch(mixture, random.Random(4), rough=False)

    assert all("superb" in example.text and "dreadful" in example.text for example in examples)
    assert {example.labels for example in examples} == {frozenset({"neutral"})}


def test_facts_beside_an_opinion_do_not_weaken_it(small: Writer):
    mixture = Mixture(single=0, contrasted=0, mixed=0, joined=300, salad=0)

    examples = small.epoch(mixture, random.Random(5), rough=False)

    for example in examples:
        assert (example.labels == {"neutral"}) == ("superb" not in example.text and "dreadful" not in example.text)


def test_the_same_seed_writes_the_same_examples(small: Writer):
    mixture = Mixture(single=40, contrasted=20, mixed=5, joined=20, salad=10)

    assert small.epoch(mixture, random.Random(6)) == small.epoch(mixture, random.Random(6))


def test_what_is_trained_on_is_cleaned_as_the_service_cleans(small: Writer):
    examples = small.epoch(Mixture(single=400, contrasted=0, mixed=0, joined=0, salad=0), random.Random(7))

    assert any("emoji" in example.text.lower() for example in examples)
    assert all(clean(example.text) == example.text for example in examples)


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Sooooo GOOD!!!!", "soo good!!"),
        ("caf\u00e9", "cafe"),
        ("don\u2019t", "don't"),
        ("good", "good"),
        ("3000", "3000"),
    ],
)
def test_the_tokenizer_folds_how_loudly_a_word_is_said(written: str, folded: str):
    assert tokenizer.everyday_spelling().normalize_str(written) == folded


def test_scores_count_what_was_found_against_what_is_true():
    scores = classes.scores(["a", "a", "b", "c"], ["a", "b", "b", "b"], ("a", "b", "c"))

    assert scores["accuracy"] == 0.5
    assert scores["labels"]["a"] == {"precision": 1.0, "recall": 0.5, "f1": 0.6667, "texts": 2}
    assert scores["labels"]["b"] == {"precision": 0.3333, "recall": 1.0, "f1": 0.5, "texts": 1}
    assert scores["labels"]["c"]["f1"] == 0.0
    assert scores["macro_f1"] == pytest.approx((0.6667 + 0.5) / 3, abs=1e-4)


def test_softmax_gives_shares_of_one_however_large_the_logits():
    shares = classes.softmax(np.array([[1000.0, 0.0, -1000.0], [0.0, 0.0, 0.0]], dtype=np.float32))

    assert shares[0].tolist() == [1.0, 0.0, 0.0]
    assert shares[1] == pytest.approx([1 / 3] * 3)


def test_the_accuracy_of_each_slice_is_its_own(tmp_path: Path):
    rows = [("x", "a", "one"), ("y", "b", "one"), ("z", "b", "two")]
    lines = [json.dumps({"text": text, "labels": [label], "slice": part}) for text, label, part in rows]
    (tmp_path / "set.jsonl").write_text("\n".join(lines), encoding="utf-8")

    scores = classes.set_scores(
        lambda texts: np.array([[1.0, 0.0]] * len(texts), dtype=np.float32), tmp_path / "set.jsonl", ("a", "b")
    )

    assert scores["accuracy_by_slice"] == {"one": 0.5, "two": 0.0}


def _bare(text: str) -> str:
    return text.lower().rstrip(".!?")
