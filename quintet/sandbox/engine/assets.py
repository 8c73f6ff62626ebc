"""Assets and archives among a resource's inputs: files and texts whose content counts, not their path.

In properties an asset is a dictionary with Pulumi's marker, `text` or an absolute `path`, and the `hash` of its
content; an archive has an absolute `path` (a folder or a file), or `assets`, a mapping of names to both.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeGuard

from pulumi.runtime import rpc

from quintet.sandbox.engine.errors import SandboxError, SandboxUnsupported

SIGNATURE: str = rpc._special_sig_key  # noqa: SLF001  the wire format's marker has no public name
ASSET: str = rpc._special_asset_sig  # noqa: SLF001
ARCHIVE: str = rpc._special_archive_sig  # noqa: SLF001


def is_asset(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a property is an asset (one file's content)."""
    return isinstance(value, dict) and value.get(SIGNATURE) == ASSET


def is_archive(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a property is an archive (a tree of files)."""
    return isinstance(value, dict) and value.get(SIGNATURE) == ARCHIVE


def asset_bytes(asset: dict[str, Any]) -> bytes:
    """The content of an asset."""
    return str(asset["text"]).encode() if "text" in asset else Path(asset["path"]).read_bytes()


def archive_files(archive: dict[str, Any]) -> dict[str, bytes]:
    """The content of an archive by POSIX path within it; a zip or tar file given as an archive is one file."""
    return dict(_members(archive, ""))


def comparable(value: object) -> object:
    """A property as a diff sees it: assets are their content's hash, wherever the file lies."""
    if is_asset(value) or is_archive(value):
        return value["hash"]
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    return [comparable(item) for item in value] if isinstance(value, list) else value


def with_hash(value: dict[str, Any], folder: Path) -> dict[str, Any]:
    """An asset or archive as it came from the program, with an absolute path and the hash of its content.

    The real engine has hashed already, and of an asset in its state it sends nothing but the hash: such a one can be
    compared, and has no content to read.

    Args:
        value: The marked dictionary.
        folder: The program's folder, from which relative paths are meant.

    Raises:
        SandboxError: The path does not exist.
        SandboxUnsupported: The content lies behind a URI.
    """
    if "uri" in value:
        raise SandboxUnsupported(f"the remote asset {value['uri']}")
    if "assets" in value:
        value = {**value, "assets": {name: with_hash(item, folder) for name, item in value["assets"].items()}}
    elif "path" in value:
        value = {**value, "path": str(_existing(folder / value["path"]))}
    return value if "hash" in value else {**value, "hash": _hash(value)}


def _existing(path: Path) -> Path:
    if not path.exists():
        raise SandboxError(f"the asset {path} does not exist; the program names it relative to {Path.cwd()}")
    return path.resolve()


def _hash(value: dict[str, Any]) -> str:
    if is_asset(value):
        return hashlib.sha256(asset_bytes(value)).hexdigest()
    digest = hashlib.sha256()
    for name, content in sorted(_members(value, "")):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _members(value: dict[str, Any], prefix: str) -> Iterator[tuple[str, bytes]]:
    if "assets" in value:
        for name, item in value["assets"].items():
            yield from _members(item, f"{prefix}/{name}".lstrip("/"))
    elif is_asset(value) or Path(value["path"]).is_file():
        yield prefix or Path(value["path"]).name, asset_bytes(value)
    else:
        root = Path(value["path"])
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            yield f"{prefix}/{path.relative_to(root).as_posix()}".lstrip("/"), path.read_bytes()
