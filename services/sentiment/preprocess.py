"""What is done to a text before a tokenizer sees it: the same when the model is trained and when it serves.

| found | becomes |
|---|---|
| HTML entities (`&amp;`, `&#39;`, also encoded several times over) | the characters they stand for |
| control characters, null bytes, zero-width and other invisible characters | nothing |
| lone surrogates, which no encoding can hold | a space |
| web addresses | `weblink` |
| e-mail addresses | `mailaddress` |
| mentions (`@name`) | `username` |
| hashtags (`#NotImpressed`, `#so_good`) | their words (`Not Impressed`, `so good`) |
| emoji and emoticons | a word that says what they mean, from a closed list: `services.sentiment.emoticons` |
| white space of any kind and length | one space |

Letters keep their case and spelling, as both may say something; a tokenizer folds what it does not need.
"""

from __future__ import annotations

import html
import re
import unicodedata
from html.entities import html5

from services.sentiment.emoticons import name_emoji, name_emoticons

WEB_ADDRESS, MAIL_ADDRESS, MENTION = "weblink", "mailaddress", "username"
MAX_NESTED_ENTITIES = 8
"""`&amp;amp;lt;` is decoded this many times at most; whoever nests deeper means no text."""

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u20e3\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]+"
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]+")
# The look-behinds keep every pattern linear: a long word is scanned once, not from each of its characters.
_WEB_ADDRESS = re.compile(
    r"""(?<!\w)(?:https?://|www\.)\S*[^\s.,!?;:)\]}'"]"""
    r"""|(?<![\w.@+-])[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*\.(?:com|org|net|edu|gov|io|co\.uk|ly)(?![\w-])(?:/\S*[^\s.,!?;:)\]}'"])?""",
    re.IGNORECASE | re.ASCII,
)
_MAIL_ADDRESS = re.compile(r"(?<![\w.+-])\w[\w.+-]*@[\w-]+(?:\.[\w-]+)+")
_HASHTAG = re.compile(r"(?<![&#])#(\w*[^\W\d_]\w*)")
_WORDS_OF_TAG = re.compile(r"_+|(?<=[a-z])(?=[A-Z])")
_MENTION = re.compile(r"(?<![\w@])(?:@\w+)+")


def clean(text: str) -> str:
    """The text as the model reads it; cleaning it again changes nothing.

    Args:
        text: Anything that Python can hold, lone surrogates included.

    Returns:
        Words with single spaces between them, in Unicode's NFC; empty where nothing was readable.
    """
    text = _visible(text)
    if not text.isascii():
        text = name_emoji(text)
    text = _WEB_ADDRESS.sub(f" {WEB_ADDRESS} ", text)
    if "@" in text:
        text = _MAIL_ADDRESS.sub(f" {MAIL_ADDRESS} ", text)
    if "#" in text:
        text = _HASHTAG.sub(_words_of_tag, text)
    if "@" in text:
        text = _MENTION.sub(f" {MENTION} ", text)
    return " ".join(name_emoticons(text).split())


def _visible(text: str) -> str:
    text = _composed(text)
    for _ in range(MAX_NESTED_ENTITIES):
        if "&" not in text or (decoded := _composed(_ENTITY.sub(_decode, text))) == text:
            return text
        text = decoded
    return _ENTITY.sub(lambda entity: entity.group() if _decode(entity) == entity.group() else " ", text)


def _composed(text: str) -> str:
    text = _INVISIBLE.sub("", text)
    return text if text.isascii() else unicodedata.normalize("NFC", _LONE_SURROGATE.sub(" ", text))


def _decode(entity: re.Match[str]) -> str:
    name = entity.group()
    return html.unescape(name) if name[1] == "#" else html5.get(name[1:], name)


def _words_of_tag(tag: re.Match[str]) -> str:
    return f" {_WORDS_OF_TAG.sub(' ', tag.group(1))} "
