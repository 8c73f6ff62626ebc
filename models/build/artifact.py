"""The manifest of a built model: which files it consists of, where it comes from, what it is worth."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from services.common.artifacts import MANIFEST, sha256_of

FILES = ("model.onnx", "tokenizer.json")


def write_manifest(
    folder: Path,
    *,
    name: str,
    labels: Sequence[str],
    max_length: int,
    metrics: Mapping[str, object],
    architecture: str,
    license: str,  # noqa: A002 - the manifest's own word
    source: str,
    files: Sequence[str] = FILES,
) -> str:
    """Writes manifest.json beside the files and returns the version.

    The version is the month of making and the beginning of the weights' SHA-256: new weights are a new version.
    SOURCE_DATE_EPOCH fixes the time of making.
    """
    created = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH") or datetime.now(UTC).timestamp()), UTC)
    sha256 = {file: sha256_of(folder / file) for file in files}
    version = f"{created.year}.{created.month}.1-{sha256['model.onnx'][:8]}"
    manifest = {
        "name": name,
        "version": version,
        "files": {file: {"sha256": sha256[file], "bytes": (folder / file).stat().st_size} for file in files},
        "labels": list(labels),
        "max_length": max_length,
        "architecture": architecture,
        "license": license,
        "source": source,
        "metrics": metrics,
        "created": created.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "git_sha": _git_sha(),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return version


def _git_sha() -> str:
    """The commit that is checked out; "unknown" outside a checkout or without git."""
    try:
        found = subprocess.run(
            ("git", "rev-parse", "HEAD"), capture_output=True, text=True, check=False, cwd=Path(__file__).parent
        )
    except OSError:
        return "unknown"
    return found.stdout.strip() if found.returncode == 0 else "unknown"
