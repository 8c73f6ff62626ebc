"""Model artifacts: files beside a manifest that says what they must be. The only reader and the only verifier."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.common.errors import ModelUnavailable, TextFreeError

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 1_000_000
_PARTIAL = ".partial-"

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=128)]
"""One file beside the manifest: no folder, so that a manifest cannot point outside its own."""


class ArtifactFile(BaseModel):
    """What a file of the model must be: its size in bytes and the SHA-256 of its content, in lower-case hex."""

    model_config = ConfigDict(frozen=True)

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0)]


class Manifest(BaseModel):
    """What a model is and which files it consists of; kept beside them as manifest.json."""

    model_config = ConfigDict(frozen=True)

    name: Annotated[str, Field(min_length=1)]
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=128)]
    files: Annotated[dict[FileName, ArtifactFile], Field(min_length=1)]
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    max_length: Annotated[int, Field(ge=2)]
    architecture: str
    license: str
    source: str
    metrics: dict[str, Any]
    created: datetime
    git_sha: str


@dataclass(frozen=True)
class LocalModel:
    """A verified model on this machine's disk."""

    folder: Path
    manifest: Manifest


class UnreadableObject(TextFreeError):  # noqa: N818 - says what is the case with the object
    """An object cannot be read; the message says why, without secrets."""


class ObjectReader(Protocol):
    """Where artifacts come from."""

    def chunks(self, key: str) -> Iterator[bytes]:
        """The object's bytes in pieces; raises `UnreadableObject`."""
        ...


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in lower-case hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """Reads and checks the folder's manifest.json; raises `ModelUnavailable` saying what is wrong with it."""
    try:
        return _parse_manifest((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise ModelUnavailable(f"{MANIFEST} cannot be read: {error.strerror or type(error).__name__}.") from error


def verify(folder: Path) -> LocalModel:
    """Checks every file that the folder's manifest names.

    Raises:
        ModelUnavailable: A file is missing or differs; names the file, what was expected and what was found.
    """
    manifest = read_manifest(folder)
    for name, expected in manifest.files.items():
        _verify_file(folder / name, expected)
    return LocalModel(folder, manifest)


def default_cache() -> Path:
    """`models` in the system's temporary folder, which is the only place that a Lambda function can write to."""
    return Path(tempfile.gettempdir()) / "models"


def folder_of(prefix: str, cache: Path | None = None) -> Path:
    """Where the model under this prefix is kept on this machine."""
    return (cache or default_cache()) / hashlib.sha256(prefix.encode()).hexdigest()[:32]


def cached(prefix: str, *, cache: Path | None = None) -> LocalModel | None:
    """What an earlier `fetch` brought, verified again; None where it is absent or damaged."""
    try:
        return verify(folder_of(prefix, cache))
    except ModelUnavailable:
        return None


def fetch(reader: ObjectReader, prefix: str, *, cache: Path | None = None) -> LocalModel:
    """Brings the model under a prefix onto this machine, or reuses what an earlier call brought and verified again.

    A prefix holds one version for ever, so a cached copy that agrees with its own manifest needs no call to the store.

    Args:
        reader: Where the objects are read.
        prefix: What the keys begin with: "moderation/2026-11-20/".
        cache: The folder of all cached models; `default_cache()` by default.

    Raises:
        ModelUnavailable: An object cannot be read, or is not what its manifest says.
    """
    root = cache or default_cache()
    try:
        with _locked(root):
            return cached(prefix, cache=root) or _download(reader, prefix, root)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelUnavailable(f"The model cannot be stored in {root}: {reason}.") from error


def _parse_manifest(content: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ModelUnavailable(f"{MANIFEST} is not a model's manifest: {where}: {first['msg']}.") from error


def _verify_file(path: Path, expected: ArtifactFile) -> None:
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise ModelUnavailable(f"{path.name} is missing: expected {expected.bytes} bytes, found no file.") from error
    if size != expected.bytes:
        raise ModelUnavailable(f"{path.name} has the wrong size: expected {expected.bytes} bytes, found {size}.")
    _compare_digest(path.name, expected, sha256_of(path))


def _compare_digest(name: str, expected: ArtifactFile, found: str) -> None:
    if found != expected.sha256:
        raise ModelUnavailable(f"{name} is not what was published: expected sha256 {expected.sha256}, found {found}.")


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """One download at a time, by whichever thread or process; who waited finds what the other one brought."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        # The kernel lets go of it when the process is killed.
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download(reader: ObjectReader, prefix: str, root: Path) -> LocalModel:
    """Downloads into a folder that nobody reads and renames it into place when it is whole and verified."""
    target = folder_of(prefix, root)
    # Half-downloaded ones are of killed processes, as we hold the lock; a folder in place is damaged.
    for leftover in [*root.glob(f"{_PARTIAL}*"), target]:
        shutil.rmtree(leftover, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=root))
    try:
        _fill(partial, reader, prefix)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return verify(target)


def _fill(folder: Path, reader: ObjectReader, prefix: str) -> None:
    content = b"".join(_read(reader, prefix, MANIFEST, limit=MAX_MANIFEST_BYTES))
    manifest = _parse_manifest(content)
    (folder / MANIFEST).write_bytes(content)
    for name, expected in manifest.files.items():
        digest = _write(folder / name, _read(reader, prefix, name, limit=expected.bytes))
        size = (folder / name).stat().st_size
        if size != expected.bytes:
            raise ModelUnavailable(f"{name} is truncated: expected {expected.bytes} bytes, found {size}.")
        _compare_digest(name, expected, digest)


def _read(reader: ObjectReader, prefix: str, name: str, *, limit: int) -> Iterator[bytes]:
    """The pieces of one object; stops a stream that is longer than it may be, so that it cannot fill the disk."""
    received = 0
    try:
        for chunk in reader.chunks(f"{prefix.rstrip('/')}/{name}"):
            received += len(chunk)
            if received > limit:
                raise ModelUnavailable(f"{name} is too long: expected {limit} bytes at most, found more.")
            yield chunk
    except UnreadableObject as error:
        raise ModelUnavailable(f"{name} cannot be read from the model store: {error}") from error


def _write(path: Path, chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()
