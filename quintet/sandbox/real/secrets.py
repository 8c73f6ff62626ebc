"""Opens what the real engine keeps encrypted in its state, with the sandbox's empty passphrase.

What does not outlive a restart is brought back from that state: the users of a cache, a Secret of Kubernetes. The
form is the CLI's own: PBKDF2-HMAC-SHA256 over the stack's salt, then AES-256-GCM, the plaintext a JSON value
(pulumi/sdk `config/crypt.go`, "v1").
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any

from quintet.sandbox.engine.errors import SandboxError

_MARK, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
_PASSPHRASE = b""
_ITERATIONS, _KEY_BYTES = 1_000_000, 32
_FIELDS = 3
_VERSION = "v1"


def opened(value: Any, salt: str) -> Any:  # noqa: ANN401  any JSON value
    """The same with every secret in it as it is.

    Args:
        value: Of a state.
        salt: The stack's `encryptionsalt`, `v1:SALT:...`.

    Raises:
        SandboxError: Something was encrypted with another passphrase.
    """
    return _opened(value, None if not _has_secret(value) else _key(salt))


def _opened(value: Any, key: bytes | None) -> Any:  # noqa: ANN401  as above
    if key is None:
        return value
    if isinstance(value, list):
        return [_opened(item, key) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get(_MARK) == _SECRET:
        return json.loads(value["plaintext"] if "plaintext" in value else _decrypted(value["ciphertext"], key))
    return {name: _opened(item, key) for name, item in value.items()}


def _has_secret(value: Any) -> bool:  # noqa: ANN401  as above
    if isinstance(value, dict):
        return value.get(_MARK) == _SECRET or any(map(_has_secret, value.values()))
    return isinstance(value, list) and any(map(_has_secret, value))


def _key(salt: str) -> bytes:
    """Half a second of work, on purpose."""
    parts = salt.split(":")
    try:
        return hashlib.pbkdf2_hmac("sha256", _PASSPHRASE, base64.b64decode(parts[1]), _ITERATIONS, _KEY_BYTES)
    except (IndexError, binascii.Error):
        raise SandboxError("the state of the real engine has no salt that its secrets could be read with") from None


def _decrypted(text: str, key: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415  only a state with secrets waits for it
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  as above

    version, *rest = text.split(":")
    if version != _VERSION or len(rest) != _FIELDS - 1:
        raise SandboxError("a secret in the state of the real engine is of a form that the sandbox does not know")
    nonce, sealed = map(base64.b64decode, rest)
    try:
        return AESGCM(key).decrypt(nonce, sealed, None)
    except InvalidTag:
        raise SandboxError(
            "the secrets in the state of the real engine are of another passphrase than the empty one, which "
            "`quintet env` sets; deploy again with it: `quintet up --fresh --engine pulumi`"
        ) from None
