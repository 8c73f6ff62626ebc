"""Which files of a build context Docker sends to the builder: the rules of .dockerignore.

Docker's patterns are read relative to the context's root (`foo` excludes ./foo, not ./bar/foo), the last one that
matches decides, and what is below an excluded folder can be brought back. Otherwise they are gitignore's, whose
library is used (docs.docker.com/build/concepts/context, section "dockerignore files").
"""

import posixpath
from collections.abc import Iterator
from pathlib import Path

import pathspec


class Context:
    """The files of a build context that the builder sees.

    Attributes:
        root: Its folder.
    """

    def __init__(self, root: Path, dockerfile: Path) -> None:
        """Read `<Dockerfile>.dockerignore`, or else `.dockerignore` of the context."""
        self.root = root
        patterns = _patterns(root, dockerfile)
        self._patterns = pathspec.PathSpec.from_lines("gitignore", patterns).patterns
        self._brought_back = [pattern[2:] for pattern in patterns if pattern.startswith("!")]

    def files(self, folder: str = "") -> Iterator[str]:
        """Relative POSIX paths of the files and links at or below a path of the context, sorted."""
        path = self.root / folder
        if path.is_symlink() or path.is_file():
            if folder and not self._excludes(folder):
                yield folder
        elif path.is_dir() and not self._prune(folder):
            for child in sorted(path.iterdir()):
                yield from self.files(posixpath.join(folder, child.name))

    def _excludes(self, path: str) -> bool:
        """Whether the last pattern that matches a path, or a folder above it, is not one that brings back."""
        parts = path.split("/")
        above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        matching = (each for each in reversed(self._patterns) if any(each.match_file(name) for name in above))
        last = next(matching, None)
        return last is not None and bool(last.include)

    def _prune(self, folder: str) -> bool:
        """Whether nothing below an excluded folder can be brought back, so that it need not be looked into."""
        if not folder or not self._excludes(folder):
            return False
        return not any(_may_lie_below(pattern, folder) for pattern in self._brought_back)


def _patterns(root: Path, dockerfile: Path) -> list[str]:
    own = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    path = own if own.is_file() else root / ".dockerignore"
    lines = path.read_text(encoding="utf-8-sig").splitlines() if path.is_file() else []
    return [_anchored(line.strip()) for line in lines if line.strip() and not line.startswith("#")]


def _anchored(pattern: str) -> str:
    negated = pattern.startswith("!")
    cleaned = posixpath.normpath(pattern.removeprefix("!").strip()).lstrip("/")
    return f"{'!' * negated}/{cleaned}"


def _may_lie_below(pattern: str, folder: str) -> bool:
    fixed = pattern.partition("*")[0].partition("?")[0].partition("[")[0]
    return fixed.startswith(f"{folder}/") or f"{folder}/".startswith(fixed) or fixed == folder
