"""Random values, which live in the state alone: made once, and anew only when an input changes."""

import base64
import secrets
import string
from collections.abc import Mapping
from typing import ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, is_unknown, kind
from quintet.sandbox.kinds.calls import RefusedError

_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
"""What the provider takes where `overrideSpecial` is not given (random provider, `random_password`)."""

_CLASSES = (
    ("lower", "minLower", string.ascii_lowercase),
    ("upper", "minUpper", string.ascii_uppercase),
    ("numeric", "minNumeric", string.digits),
    ("special", "minSpecial", _SPECIAL),
)


class Remembered(Kind):
    """A value that only the state has."""

    def delete(self, id_: str, outputs: Properties) -> None:
        """Nothing to delete."""

    def read(self, id_: str, outputs: Properties) -> Properties | None:  # noqa: ARG002  Kind's signature
        """It is what the state says."""
        return outputs


@kind
class RandomPassword(Remembered):
    """A password."""

    token = "random:index/randomPassword:RandomPassword"
    consumed = frozenset(
        {"length", "lower", "upper", "numeric", "special", "minLower", "minUpper", "minNumeric", "minSpecial",
         "overrideSpecial"}
    )  # fmt: skip
    ignored: ClassVar[Mapping[str, str]] = {"keepers": "a change of them makes a new one, as every change does"}

    def check(self, inputs: Properties) -> Properties:
        """The least counts fit into the length."""
        counts = [inputs.get(least, 0) for _, least, _ in _CLASSES]
        if not is_unknown([inputs["length"], *counts]) and not max(sum(counts), 1) <= inputs["length"]:
            raise RefusedError(f"`length` {inputs['length']} is less than what the least counts ask for, {sum(counts)}")
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it."""
        result = _password(inputs)
        return "none", {"result": result}


def _password(inputs: Properties) -> str:
    alphabets = {least: alphabet for given, least, alphabet in _CLASSES if inputs.get(given, True)}
    if "minSpecial" in alphabets and inputs.get("overrideSpecial"):
        alphabets["minSpecial"] = inputs["overrideSpecial"]
    if not alphabets:
        raise RefusedError("a password needs at least one of `lower`, `upper`, `numeric` and `special`")
    required = [secrets.choice(alphabet) for least, alphabet in alphabets.items() for _ in range(inputs.get(least, 0))]
    everything = "".join(alphabets.values())
    characters = required + [secrets.choice(everything) for _ in range(inputs["length"] - len(required))]
    secrets.SystemRandom().shuffle(characters)
    return "".join(characters)


@kind
class RandomId(Remembered):
    """Random bytes in several notations."""

    token = "random:index/randomId:RandomId"
    consumed = frozenset({"byteLength", "prefix"})
    ignored: ClassVar[Mapping[str, str]] = {"keepers": "a change of them makes a new one, as every change does"}

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its id is the bytes in URL-safe base64."""
        content, prefix = secrets.token_bytes(inputs["byteLength"]), inputs.get("prefix", "")
        url = base64.urlsafe_b64encode(content).decode().rstrip("=")
        return url, {
            "b64Std": prefix + base64.b64encode(content).decode(),
            "b64Url": prefix + url,
            "dec": prefix + str(int.from_bytes(content)),
            "hex": prefix + content.hex(),
        }
