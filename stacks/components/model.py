"""A model's files on S3: where a service finds them, and never a manifest without its files."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from stacks.components.arguments import checked_name
from stacks.components.bucket import Bucket

MANIFEST = "manifest.json"
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class ModelError(pulumi.RunError):
    """A model directory that cannot be published; the message says what is missing and what makes it."""


@dataclass(frozen=True)
class PublishedModel:
    """A model as a service needs to know it.

    Attributes:
        prefix: Of its keys in the bucket, as `moderation/1.2.0/`.
        version: The manifest's.
        objects: What must exist before a function starts that reads them.
    """

    prefix: str
    version: str
    objects: tuple[pulumi.Resource, ...]


@dataclass(frozen=True)
class ModelFiles:
    """A model directory, read and found complete.

    Attributes:
        version: The manifest's.
        directory: Where the files are.
        hashes: Each file's SHA-256 by its name, from the manifest.
    """

    version: str
    directory: Path
    hashes: dict[str, str]

    @classmethod
    def read(cls, directory: Path) -> "ModelFiles":
        """Read the manifest and see that each file it names is there, in the size it says.

        The service compares the checksums, at every cold start: this only keeps half a model from being published.

        Raises:
            ModelError: No manifest, one that is no manifest, or a file is missing or of another size.
        """
        manifest = _manifest(directory / MANIFEST)
        wrong = [
            fault for name, entry in manifest["files"].items() if (fault := _fault(directory / name, entry["bytes"]))
        ]
        if wrong:
            raise ModelError(f"The model in {directory} is not complete: {'; '.join(wrong)}. {_ADVICE}")
        hashes = {name: str(entry["sha256"]) for name, entry in manifest["files"].items()}
        return cls(str(manifest["version"]), directory, hashes)


def publish_model(name: str, directory: Path, *, bucket: Bucket) -> PublishedModel:
    """Put a model's files under `<name>/<version>/`, the manifest last.

    A published version is never taken away: an alias may be moved back to a function that reads it.

    Args:
        name: The model's.
        directory: Has manifest.json and the files it names.
        bucket: Where to.

    Raises:
        ModelError: The directory does not hold a complete model.
    """
    files = ModelFiles.read(directory)
    prefix = f"{checked_name(name)}/{files.version}/"

    def put(file: str, digest: str | None, after: list[pulumi.Resource]) -> pulumi.Resource:
        # Relative to the program's folder: an absolute path in the state would differ on every machine.
        path = os.path.relpath(directory / file)
        return aws.s3.BucketObjectv2(
            f"{name}-{files.version}-{file}",
            bucket=bucket.bucket_name,
            key=f"{prefix}{file}",
            source=pulumi.FileAsset(path),
            source_hash=digest,
            content_type="application/json" if file.endswith(".json") else "application/octet-stream",
            opts=pulumi.ResourceOptions(parent=bucket, depends_on=after, retain_on_delete=True),
        )

    objects = [put(file, digest, bucket.ready) for file, digest in sorted(files.hashes.items())]
    manifest = put(MANIFEST, None, objects)
    return PublishedModel(prefix, files.version, (*objects, manifest))


_ADVICE = "Fetch the repository's models, or point the setting at another directory with a manifest.json."


def _manifest(path: Path) -> dict[str, dict[str, dict[str, object]]]:
    if not path.is_file():
        raise ModelError(f"There is no model in {path.parent}: {path.name} is missing. {_ADVICE}")
    try:
        manifest = json.loads(path.read_text())
        named = {name: (entry["sha256"], entry["bytes"]) for name, entry in manifest["files"].items()}
        version = str(manifest["version"])
    except (ValueError, KeyError, TypeError, AttributeError) as broken:
        raise ModelError(
            f"{path} is no manifest ({type(broken).__name__}: {broken}): it needs `version` and `files`, each "
            f"file with `sha256` and `bytes`. {_ADVICE}"
        ) from broken
    if not named or not _VERSION.fullmatch(version) or any(".." in name or name.startswith("/") for name in named):
        raise ModelError(f"{path}: version {version!r} and files {sorted(named)} cannot be keys in a bucket. {_ADVICE}")
    return manifest  # type: ignore[no-any-return]  # checked above, key by key


def _fault(path: Path, size: object) -> str | None:
    if not path.is_file():
        return f"{path.name} is missing"
    found = path.stat().st_size
    return None if found == size else f"{path.name} has {found} bytes, the manifest says {size}"
