"""A text is made readable for the model: the same way each time, whatever somebody sends."""

import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.sentiment.emoticons import TOKENS
from services.sentiment.preprocess import clean


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Nothing to do here.", "Nothing to do here."),
        ("  two\t words \n\r\u00a0 here \u2003", "two words here"),
        ("see https://example.com/a?b=c#d.", "see weblink ."),
        ("(www.example.org/x)", "( weblink )"),
        ("HTTP://EXAMPLE.COM now", "weblink now"),
        ("shop.example.com/sale is down", "weblink is down"),
        ("Great food.It was cheap", "Great food.It was cheap"),
        ("write to jo.doe+x@example.co.uk!", "write to mailaddress !"),
        ("@jane thanks", "username thanks"),
        ("meet @ 5", "meet @ 5"),
        ("#NotImpressed by #so_good and #1", "Not Impressed by so good and #1"),
        ("C# and issue #12", "C# and issue #12"),
        ("fish &amp; chips", "fish & chips"),
        ("it&#39;s &lt;b&gt;", "it's <b>"),
        ("fish &amp;amp;amp; chips", "fish & chips"),
        ("AT&T &unknown; &", "AT&T &unknown; &"),
        ("nu\x00ll and \x1b[0m", "null and [0m"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("half \ud83d a pair", "half a pair"),
        ("cafe\u0301", "café"),
    ],
)
def test_what_is_no_word_becomes_readable(text, cleaned):
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("so good😂😂 😂", "so good emojilaugh"),
        ("❤️", "emojilove"),
        ("👍🏽", "emojigood"),
        ("👎🏿👎", "emojibad"),
        ("love it ❤️‍🔥", "love it emojilove emojigood"),
        ("lunch 🍕 🇫🇷", "lunch emojiother"),
        ("😡😢", "emojiangry emojisad"),
        ("great:)", "great emojihappy"),
        ("great :-)))!", "great emojihappy !"),
        (":( :'(", "emojisad emojisad"),
        ("thanks XD", "thanks emojilaugh"),
        ("<3 and </3", "emojilove and emojibad"),
        ("hm :/", "hm emojidoubt"),
        ("whatever ¯\\_(ツ)_/¯", "whatever emojidoubt"),
        ("-_- ok", "emojidoubt ok"),
        (":D:(", "emojilaugh emojisad"),
        ("\\o/ ^_^", "emojihappy emojihappy"),
        ("smile &#128512; now", "smile emojihappy now"),
    ],
)
def test_emoji_and_emoticons_become_words_of_their_meaning(text, cleaned):
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    "text",
    ["at 10:30", "f(x)=(y)", "n<3", "score 3:0", "TAXDEDUCTION", "a:b", "list (one) (two)", "1:)", "Mr. X: Dear"],
)
def test_what_only_looks_like_an_emoticon_stays(text):
    assert clean(text) == text


SIGNS = tuple("&#;@:)(D/\\<3=-_^oTxXpP*|.,!? \t\n\x00\u200d\u200b\ufe0f\u0301😂👍🏽🍕❤🇫aBé1")
ENTITIES = ("amp;", "&amp;", "&#38;", "lt;", "&#128512;", "&#1;", "&nbsp;")
WORDS = ("http://", "www.", ".com", "x@y.z", "word", "\ud800", "¯\\_(ツ)_/¯", ":)", ":P")
PIECES = st.sampled_from((*SIGNS, *ENTITIES, *WORDS))
ANYTHING = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=24).map("".join))


@settings(max_examples=500)
@given(ANYTHING)
@example("x:P:)")
@example("@0@0")
@example(":),:)!")
@example("¯\\_(ツ)_/¯,=((")
@example("@bob-x.com")
@example("@bob#tag")
@example("#aB@c")
@example("a@b.c@dave")
def test_cleaning_twice_is_cleaning_once(text):
    once = clean(text)

    assert clean(once) == once


@settings(max_examples=300)
@given(ANYTHING)
def test_whatever_is_sent_can_be_encoded_and_has_single_spaces(text):
    cleaned = clean(text)

    cleaned.encode()
    assert cleaned == " ".join(cleaned.split())
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in cleaned)
    assert unicodedata.is_normalized("NFC", cleaned)


@given(st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz ABC'"), max_size=80))
def test_plain_words_stay_as_they_are(text):
    assert clean(text) == " ".join(text.split())


def test_the_words_for_feelings_are_left_alone():
    text = " ".join(sorted(TOKENS))

    assert clean(text) == text


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "&amp;",
        "amp;",
        "&",
        "@",
        "a@",
        "#",
        ":)",
        "(",
        "www.",
        "http://",
        "a.",
        "a-",
        "1.",
        "😂",
        " ",
        "\x00",
        "=",
        "x:P",
    ],
)
def test_no_text_takes_long(unit):
    text = (unit * 5000)[:5000]
    started = time.process_time()

    clean(text)

    assert time.process_time() - started < 0.05
