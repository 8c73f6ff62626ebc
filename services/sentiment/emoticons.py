"""What emoji and emoticons say, as a closed list of made-up words that a tokenizer learns like any other."""

from __future__ import annotations

import re

_EMOJI = {
    "emojilaugh": "😂🤣😆😹😅😝😜🤪😛😄😁",
    "emojilove": "❤♥💕💖💗💓💞💘💝💙💚💛💜🖤🤍🤎🧡😍🥰😘😻💋😚😙😗💟❣🫶🤗",
    "emojihappy": "🙂😊😀😃☺😇😌😺😸😋🤩😎🥳🎉🎊✨🌟⭐🤠🌞🌈🥹🎈",
    "emojigood": "👍👏🙌💪💯🔥🏆🥇👌✅✔🤝🚀🙏🤞✌🤙💎🫡",
    "emojisad": "😢😭😞😔☹🙁😟😥😪😿😩😫🥺😓😣😖💔😕🥀",
    "emojiangry": "😠😡🤬👿😾💢😤🖕👺",
    "emojibad": "👎❌🚫💩🤮🤢🗑🤦🚮⛔🙅😷🤒🤧☠💀🤕",
    "emojifear": "😱😨😰😧😦😬🙀👻",
    "emojidoubt": "🙄😒😏🙃🤨🤷😑🤡😼🤔🧐🫠",
    "emojiblank": "😐😶😴🥱💤😯😮😲😳🤯",
}
OTHER = "emojiother"
"""A picture that says what is talked of, not how: a flag, food, an animal."""

_EMOTICONS = {
    "emojihappy": (r"[:=;][-o^']?[)\]}]+", r"(?<!\S)\([-o^]?[:=;]", r"(?<!\S)\^[_.]*\^", r"(?<!\S)\\[oO]/"),
    "emojilaugh": (r"[:=;]-?[DpP]+", r"(?<!\S)[xX]D+"),
    "emojilove": (r"(?<!\S)<3+", r":-?\*"),
    "emojisad": (r"[:=]['\u2019]?[-o^]?[(\[{]+", r"(?<!\S)\)[-o^]?'?[:=]", r"(?<!\S)T[_.]+T", r"(?<!\S);[_.]+;"),
    "emojibad": (r"(?<!\S)</3",),
    "emojiangry": (r"(?<!\S)>:-?[(\[@]+",),
    "emojidoubt": (r"[:=]-?[/\\]", r"(?<!\S)-[_.]+-", r"(?<!\S)¯\\_\(ツ\)_/¯"),
    "emojiblank": (r":-?\|", r":-?[oO]", r"(?<!\S)[oO][_.]+[oO]"),
}
TOKENS = frozenset({*_EMOJI, *_EMOTICONS, OTHER})

_BY_CHARACTER = {character: token for token, characters in _EMOJI.items() for character in characters}
_SKIN_TONES = "\U0001f3fb-\U0001f3ff"
_PICTURES = (
    "\U0001f000-\U0001faff\u2600-\u26ff\u2705\u270a-\u270d\u2714\u2728\u274c\u274e\u2753-\u2757\u2763\u2764"
    "\u2b50\u2b55\u231a\u231b\u23e9-\u23f3"
)
_EMOJI_RUN = re.compile(rf"[{_PICTURES}](?:\s*[{_PICTURES}])*")
_NOT_READ = re.compile(rf"[\s{_SKIN_TONES}]+")
_ONE_EMOTICON = re.compile("|".join(f"({'|'.join(forms)})" for forms in _EMOTICONS.values()))
_EMOTICON_TOKENS = tuple(_EMOTICONS)
_ALL = "|".join(form for forms in _EMOTICONS.values() for form in forms)
# At the end of a word, punctuation aside: `great:)!` but neither `10:30` nor `f(x)=(y)`.
_EMOTICON_RUN = re.compile(rf"(?<![\d/:;=<>()\[\]{{}}\\])(?:{_ALL})(?:[.,!?]*(?:{_ALL}))*(?=[.,!?]*$)")
_SIGNS = re.compile(r"[:;=<^_\\]|-[_.]|[xX]D")
MAX_EMOTICON_WORD = 40
"""Characters: a longer word is left as it is, for looking through it would take time that grows with its square."""


def name_emoji(text: str) -> str:
    """Puts a word in place of each emoji; the same one several times in a row counts once, skin tones do not count."""
    return _EMOJI_RUN.sub(_emoji_words, text)


def name_emoticons(text: str) -> str:
    """Puts a word in place of each emoticon that ends a word or is one. White space becomes spaces."""
    words = text.split()
    if _SIGNS.search(text):
        words = [_EMOTICON_RUN.sub(_emoticon_words, word) if len(word) <= MAX_EMOTICON_WORD else word for word in words]
    return " ".join(words)


def _emoji_words(run: re.Match[str]) -> str:
    characters = _NOT_READ.sub("", run.group()) or " "
    return _joined([_BY_CHARACTER.get(character, OTHER) for character in characters])


def _emoticon_words(run: re.Match[str]) -> str:
    parts: list[str] = []
    end = run.start()
    # In the whole word: a form's look-behind must see what stands before the run.
    for found in _ONE_EMOTICON.finditer(run.string, run.start(), run.end()):
        parts += [run.string[end : found.start()], _EMOTICON_TOKENS[(found.lastindex or 1) - 1]]
        end = found.end()
    return f" {' '.join(part for part in parts if part)} "


def _joined(tokens: list[str]) -> str:
    kept = [token for index, token in enumerate(tokens) if index == 0 or token != tokens[index - 1]]
    return f" {' '.join(kept)} "
