"""Physical names by the project's pattern, as the real engine proposes them under `pulumi:autonaming`.

See https://www.pulumi.com/docs/iac/concepts/resources/names/#autonaming-configuration.
"""

import random
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_PATTERN = "${name}-${hex(7)}"
"""What the AWS provider does where the project says nothing."""

_PLACE = re.compile(r"\$\{(?P<word>[^}(]*)(?:\((?P<length>\d+)\))?\}")
_RANDOM: Mapping[str, str] = {"hex": "0123456789abcdef", "alphanum": string.ascii_lowercase + string.digits}
_WORDS = ("project", "stack", "name")


@dataclass(frozen=True)
class Autonaming:
    """A pattern for the physical names of one stack."""

    pattern: str
    project: str
    stack: str

    @classmethod
    def parse(cls, setting: Any, *, project: str, stack: str) -> "Autonaming":  # noqa: ANN401  raw YAML, judged here
        """Read the setting: `{pattern: ...}`, or `{mode: default}` or nothing for the provider's own way.

        Raises:
            ValueError: The setting is not one of these, or the pattern holds an expression that is not known.
        """
        if setting is None or setting == {"mode": "default"}:
            return cls(DEFAULT_PATTERN, project, stack)
        if not isinstance(setting, dict) or set(setting) != {"pattern"} or not isinstance(setting["pattern"], str):
            raise ValueError("the sandbox knows `{pattern: <text>}` and `{mode: default}`; use `--engine pulumi`")
        for place in _PLACE.finditer(setting["pattern"]):
            _refuse_unknown(place)
        return cls(setting["pattern"], project, stack)

    def propose(self, name: str, source: random.Random) -> str:
        """A physical name for a resource that is about to be made.

        Args:
            name: The logical name.
            source: Where the random parts come from.
        """
        words = {"project": self.project, "stack": self.stack, "name": name}

        def fill(place: re.Match[str]) -> str:
            if alphabet := _RANDOM.get(place["word"]):
                return "".join(source.choices(alphabet, k=int(place["length"])))
            return words[place["word"]]

        return _PLACE.sub(fill, self.pattern)


def _refuse_unknown(place: re.Match[str]) -> None:
    is_word = place["word"] in _WORDS and place["length"] is None
    is_random = place["word"] in _RANDOM and place["length"] is not None
    if not (is_word or is_random):
        raise ValueError(
            f"`{place[0]}` is not known to the sandbox; it knows "
            "${project}, ${stack}, ${name}, ${hex(n)} and ${alphanum(n)}"
        )
