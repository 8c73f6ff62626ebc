"""Tells whether the code of `quintet` is still the one that a running daemon was started with."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import quintet

_PACKAGE = Path(quintet.__file__).parent


def fingerprint(package: Path = _PACKAGE) -> str:
    """SHA-256 over the package's modules and the interpreter that runs them; takes a few milliseconds."""
    digest = hashlib.sha256(f"{sys.executable}\0{sys.version}\0".encode())
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
