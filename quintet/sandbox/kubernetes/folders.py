"""A pod's folders on this machine: its volumes, its /tmp, its home, and which path of a container lies where."""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quintet.sandbox.kubernetes.environment import Values
from quintet.sandbox.kubernetes.errors import ReferenceMissingError
from quintet.sandbox.kubernetes.pod_spec import Container, PodSpec

_TMP = "/tmp"  # noqa: S108  the container's, not this machine's


class PodFolders:
    """The folders of one pod, below one of its own."""

    def __init__(self, root: Path, spec: PodSpec) -> None:
        """Makes the folders that need nothing; `fill` makes the others."""
        self.root = root
        self._spec = spec
        for folder in (self.temporary, self.home, root / "volumes"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def temporary(self) -> Path:
        """Its /tmp, unless a volume is mounted there."""
        return self.root / "tmp"

    @property
    def home(self) -> Path:
        """An empty home."""
        return self.root / "home"

    def fill(self, values: Values) -> None:
        """Writes ConfigMaps and Secrets that are volumes, as they are now.

        Raises:
            ReferenceMissingError: One of them, or a key of it, does not exist.
        """
        for name, volume in self._spec.volumes.items():
            folder = self._volume(name)
            folder.mkdir(exist_ok=True, mode=0o700)
            for path, data in _files(volume, values).items():
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
                file.chmod(0o600)

    def local(self, container: Container, path: str) -> str:
        """A path of the container on this machine: below the mount that holds it, else unchanged."""
        clean = posixpath.normpath(path)
        best: tuple[str, Path] | None = None
        for at, folder in self._mounts(container):
            if _within(clean, at) and (best is None or len(at) > len(best[0])):
                best = at, folder
        if best is None:
            return path
        rest = posixpath.relpath(clean, best[0])
        return str(best[1] if rest == "." else best[1] / rest)

    def local_text(self, container: Container, text: str) -> str:
        """The same for every path that a text names, as an option `--file=/etc/x` or a configuration does."""
        folders = {at: str(folder) for at, folder in self._mounts(container)}
        longest_first = "|".join(re.escape(at) for at in sorted(folders, key=len, reverse=True))
        # Where a path begins and ends as one: not `/tmp` in `/var/tmp` or in `/tmpfs`.
        whole = re.compile(rf"(?<![\w/.\-$}}])(?:{longest_first})(?![\w.\-])")
        return whole.sub(lambda match: folders[match[0]], text)

    def remove(self) -> None:
        """Removes all of it."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _mounts(self, container: Container) -> list[tuple[str, Path]]:
        mounts = [
            (posixpath.normpath(mount.path), self._volume(mount.volume) / mount.sub_path) for mount in container.mounts
        ]
        return mounts if any(at == _TMP for at, _ in mounts) else [*mounts, (_TMP, self.temporary)]

    def _volume(self, name: str) -> Path:
        return self.root / "volumes" / name


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _files(volume: Mapping[str, Any], values: Values) -> dict[str, bytes]:
    for field, kind, name in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
        if source := volume.get(field):
            found = values.all(kind, source[name], optional=bool(source.get("optional")))
            return _chosen(found, source.get("items"), f"{kind.lower()} {source[name]}")
    return {}


def _chosen(found: dict[str, bytes], items: list[Mapping[str, Any]] | None, where: str) -> dict[str, bytes]:
    if not items:
        return found
    if missing := [item["key"] for item in items if item["key"] not in found]:
        raise ReferenceMissingError(f"{where} has no key {missing[0]!r}; it has: {', '.join(sorted(found)) or 'none'}")
    return {item["path"]: found[item["key"]] for item in items}
