"""What the models are made from: the grammar of sentences, the disguises, the tokenizer's folding, the manifest."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from models.build import artifact, disguise, tokenizer
from models.build.examples import Mixture, Writer
from models.build.grammar import GrammarError, Lexicon, Template, article, plural, read_lexicon, read_templates
from models.build.measure import read_set
from services.common.artifacts import verify

SENTENCES = Path(__file__).parents[2] / "models" / "build" / "moderation"
LABELS = {"toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"}


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon(read_lexicon(SENTENCES / "lexicon_everyday.txt"), read_lexicon(SENTENCES / "lexicon_charged.txt"))


@pytest.fixture(scope="module")
def templates() -> list[Template]:
    return read_templates(sorted((SENTENCES / "sentences").glob("*.txt")))


def test_every_template_can_be_filled_and_no_slot_stays(lexicon: Lexicon, templates: list[Template]):
    rng = random.Random(1)

    texts = [lexicon.fill(template.text, rng) for template in templates]

    assert len(texts) > 3000
    assert not [text for text in texts if "{" in text or "}" in text]


def test_sections_name_known_labels_and_label_each_part(templates: list[Template]):
    sets = {template.labels for template in templates}

    assert frozenset() in sets
    assert set().union(*sets) == LABELS
    # The labels' convention: whatever is harmful is toxic.
    assert all("toxic" in labels for labels in sets if labels)


def test_no_sentence_of_the_blind_set_is_trained_on(lexicon: Lexicon, templates: list[Template]):
    texts, _, _ = read_set(SENTENCES.parents[1] / "blind" / "moderation.jsonl", sorted(LABELS))
    written = {template.text.lower().rstrip(".!?") for template in templates}

    same = [text for text in texts if text.lower().rstrip(".!?") in written]

    assert len(same) <= 4, f"{len(same)} of {len(texts)} blind texts are training sentences word for word"


def test_an_unknown_slot_is_named_with_those_that_exist():
    lexicon = Lexicon({"food": ("bread",)}, {})

    with pytest.raises(GrammarError, match="no category 'fod'; it has food"):
        lexicon.fill("I like {fod}.", random.Random(1))


def test_a_file_of_templates_without_a_section_is_refused(tmp_path: Path):
    (tmp_path / "bad.txt").write_text("You are kind.\n", encoding="utf-8")

    with pytest.raises(GrammarError, match=r"bad\.txt: the first line must be a section"):
        read_templates([tmp_path / "bad.txt"])


def test_a_lexicon_line_that_is_neither_category_nor_rest_is_refused(tmp_path: Path):
    (tmp_path / "words.txt").write_text("food bread\n", encoding="utf-8")

    with pytest.raises(GrammarError, match="'food bread' is neither"):
        read_lexicon(tmp_path / "words.txt")


@pytest.mark.parametrize(("word", "expected"), [("fox", "a"), ("owl", "an"), ("user", "a"), ("idiot", "an")])
def test_the_article_fits_the_word(word: str, expected: str):
    assert article(word) == expected


@pytest.mark.parametrize(
    ("word", "expected"), [("cat", "cats"), ("fox", "foxes"), ("baby", "babies"), ("postman", "postmen")]
)
def test_the_plural_fits_the_word(word: str, expected: str):
    assert plural(word) == expected


def test_a_template_is_held_out_or_not_whatever_stands_beside_it(templates: list[Template]):
    held_out = [template for template in templates if template.held_out(13)]

    assert 0.04 < len(held_out) / len(templates) < 0.1
    assert all(Template(template.text, frozenset(), "x").held_out(13) for template in held_out)


def test_joined_text_has_the_labels_of_all_its_parts(lexicon: Lexicon):
    templates = [
        Template("It rains.", frozenset(), "benign_everyday"),
        Template("You moron.", frozenset({"toxic", "insult"}), "insults"),
    ]
    writer = Writer(templates, lexicon, ["He said <quote>."], frozenset({"toxic", "insult"}))
    mixture = Mixture(harmless=0, harmful=0, joined=200, quoted=0, salad=0, spliced=0, evasive_rate=0.0)

    examples = [example for example in writer.epoch(mixture, random.Random(3)) if "moron" in example.text.lower()]

    assert examples
    assert all(example.labels == {"toxic", "insult"} for example in examples)


def test_a_quoted_insult_is_harmless(lexicon: Lexicon):
    templates = [
        Template("It rains.", frozenset(), "benign_everyday"),
        Template("You moron.", frozenset({"toxic", "insult"}), "insults"),
    ]
    writer = Writer(templates, lexicon, ['He said "<quote>" and was banned.'], frozenset({"toxic", "insult"}))
    mixture = Mixture(harmless=0, harmful=0, joined=0, quoted=5, salad=0, spliced=0, evasive_rate=0.0)

    examples = writer.epoch(mixture, random.Random(3))

    assert [example.labels for example in examples] == [frozenset()] * 5


def test_the_same_seed_writes_the_same_examples(lexicon: Lexicon, templates: list[Template]):
    writer = Writer(templates, lexicon, ["He said <quote>."], frozenset({"toxic", "insult"}))
    mixture = Mixture(harmless=50, harmful=50, joined=20, quoted=10, salad=10, spliced=10)

    assert writer.epoch(mixture, random.Random(5)) == writer.epoch(mixture, random.Random(5))


@pytest.mark.parametrize("change", [*disguise.EVASIVE, disguise.upper, disguise.lower, disguise.bare, disguise.chat])
def test_a_disguise_takes_any_text(change: disguise.Change):
    for text in ("", "a", "?!", "日本", "You are an idiot, aren't you?"):
        assert isinstance(change(text, random.Random(2)), str)


@pytest.mark.parametrize(
    ("disguised", "plain"),
    [
        ("\uff29\uff24\uff29\uff2f\uff34", "idiot"),
        ("\u0456di\u043et", "idiot"),
        ("id1ot", "idiot"),
        ("i d i o t", "idiot"),
        ("i.d.i.o.t", "idiot"),
        ("id\u200biot", "idiot"),
        ("stuuuupid", "stupid"),
        ("$tup1d", "stupid"),
        ("a55hole", "asshole"),
        ("f00l", "fool"),
        ("naïve", "naive"),
    ],
)
def test_the_tokenizer_sees_through_a_disguise(disguised: str, plain: str):
    assert tokenizer.disguised_words().normalize_str(disguised) == plain


@pytest.mark.parametrize(
    "text", ["100 euros at 5 pm", "the 3rd of 4", "well-known facts", "a cool book", "bob, 7 apples"]
)
def test_the_tokenizer_leaves_ordinary_text_alone(text: str):
    assert tokenizer.disguised_words().normalize_str(text) == text


def test_the_written_manifest_is_one_that_the_services_verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795219200")
    for name in artifact.FILES:
        (tmp_path / name).write_bytes(name.encode())

    version = artifact.write_manifest(
        tmp_path, name="tiny", labels=("a",), max_length=8, metrics={}, architecture="x", license="y", source="z"
    )

    manifest = verify(tmp_path).manifest
    assert manifest.version == version
    assert version.startswith("2026.11.1-")
    assert manifest.created.isoformat() == "2026-11-21T00:00:00+00:00"
