"""What goes into an image: the files that its .dockerignore lets through, and one hash of all of them."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pathspec

_TAG_LENGTH = 32  # of 64 hexadecimal digits of SHA-256: still no two contents alike, and a tag that fits on a line
_WILDCARDS = frozenset("*?[")


class BuildContextError(ValueError):
    """There is nothing to build from; the message says what is missing."""


@dataclass(frozen=True, kw_only=True)
class BuildContext:
    """A folder to build from, and the Dockerfile that does.

    Attributes:
        root: The folder.
        dockerfile: The Dockerfile's path within it. `<dockerfile>.dockerignore` beside it says what to leave out.
    """

    root: Path
    dockerfile: str

    def __post_init__(self) -> None:
        if not (self.root / self.dockerfile).is_file():
            raise BuildContextError(f"there is no {self.dockerfile} in {self.root}")
        if not self.ignore_file.is_file():
            # Without it the whole repository, with its virtual environment, would be sent and hashed.
            raise BuildContextError(f"there is no {self.dockerfile}.dockerignore in {self.root}")

    @property
    def ignore_file(self) -> Path:
        """What to leave out."""
        return self.root / f"{self.dockerfile}.dockerignore"

    def files(self) -> list[str]:
        """Paths of all files that are sent, sorted, with slashes."""
        return sorted(_included(self.root, "", _Ignore.read(self.ignore_file)))

    def tag(self, inputs: Mapping[str, str]) -> str:
        """A tag that is another one whenever the image may be.

        Args:
            inputs: What goes into the build beside files: build arguments, the base image, the platform.
        """
        digest = hashlib.sha256()
        for name, value in sorted(inputs.items()):
            digest.update(f"{name}\0{value}\0".encode())
        digest.update((self.root / self.dockerfile).read_bytes())
        for name in self.files():
            path = self.root / name
            content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            # Of the mode only what git keeps: the rest differs from one machine to the next.
            executable = os.access(path, os.X_OK)
            digest.update(f"{name}\0{int(executable)}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()[:_TAG_LENGTH]


@dataclass(frozen=True)
class _Ignore:
    """A .dockerignore: the last pattern that matches a path, or a folder above it, decides."""

    patterns: tuple[pathspec.Pattern, ...]
    kept: tuple[PurePosixPath, ...]

    @classmethod
    def read(cls, path: Path) -> "_Ignore":
        lines = [line.strip() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
        patterns = [(line.startswith("!"), PurePosixPath(line.lstrip("!").strip().strip("/"))) for line in lines]
        # Docker's patterns begin at the root, as git's do with a slash.
        spec = pathspec.PathSpec.from_lines("gitignore", [f"{'!' * keep}/{pattern}" for keep, pattern in patterns])
        return cls(tuple(spec.patterns), tuple(_literal(pattern) for keep, pattern in patterns if keep))

    def excludes(self, path: str) -> bool:
        # Asked folder by folder: a pattern such as `*` leaves out what lies below what it matches.
        names = [path, *(str(folder) for folder in PurePosixPath(path).parents if folder.name)]
        matching = (each for each in reversed(self.patterns) if any(each.match_file(name) for name in names))
        last = next(matching, None)
        return last is not None and bool(last.include)

    def may_keep_below(self, folder: str) -> bool:
        """Whether a `!` pattern can reach into a folder that is left out."""
        parts = PurePosixPath(folder).parts
        return any(all(a == b for a, b in zip(parts, kept.parts, strict=False)) for kept in self.kept)


def _included(root: Path, folder: str, ignore: _Ignore) -> Iterator[str]:
    with os.scandir(root / folder) as entries:
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                if not ignore.excludes(path) or ignore.may_keep_below(path):
                    yield from _included(root, path, ignore)
            elif not ignore.excludes(path):
                yield path


def _literal(pattern: PurePosixPath) -> PurePosixPath:
    """The folders that a pattern begins with, up to its first wildcard."""
    parts = []
    for part in pattern.parts:
        if _WILDCARDS & set(part):
            break
        parts.append(part)
    return PurePosixPath(*parts)
