"""What the CLI keeps encrypted is opened to bring back what does not outlive a restart."""

import pytest

from quintet.sandbox.engine.errors import SandboxError
from quintet.sandbox.real.secrets import opened
from quintet.sandbox.real.workspace import SALT

MARK = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
# As the CLI 3.250 encrypted `["hello"]` in a stack of that salt.
WRITTEN = "v1:aJVRAGNXWLsTNByf:VgtYNpgrc3qZAyri/ySWUumVBAWS5pciHA=="


def test_a_secret_of_the_cli_is_opened_at_any_depth() -> None:
    state = {"a": [{"b": {**MARK, "ciphertext": WRITTEN}}], "c": 1}

    assert opened(state, SALT) == {"a": [{"b": ["hello"]}], "c": 1}


def test_what_has_no_secret_needs_no_salt() -> None:
    assert opened({"a": [1, {"b": None}]}, "") == {"a": [1, {"b": None}]}


def test_a_secret_of_another_passphrase_is_refused_with_the_way_out() -> None:
    other = SALT.replace("v1:e589", "v1:e588")

    with pytest.raises(SandboxError, match="`quintet up --fresh --engine pulumi`"):
        opened({**MARK, "ciphertext": WRITTEN}, other)


@pytest.mark.parametrize(("text", "salt"), [("v2:a:b", SALT), ("nonsense", SALT), (WRITTEN, "none")])
def test_what_is_of_another_form_is_refused(text: str, salt: str) -> None:
    with pytest.raises(SandboxError):
        opened({**MARK, "ciphertext": text}, salt)
