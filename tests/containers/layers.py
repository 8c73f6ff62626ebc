"""What is in the layers that an image has on top of its base, and what must not be in there."""

import json
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from tests.containers.engine import Engine

SECRETS: dict[bytes, re.Pattern[bytes]] = {
    b"PRIVATE KEY-----": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{16}"),
    b"AKIA": re.compile(rb"\bAKIA(?![A-Z0-9]*EXAMPLE)[0-9A-Z]{16}\b"),
    b"ASIA": re.compile(rb"\bASIA(?![A-Z0-9]*EXAMPLE)[0-9A-Z]{16}\b"),
    b"secret_access_key": re.compile(rb"secret_access_key\s*=\s*[\"']?[A-Za-z0-9+/=]{30}"),
    b"SECRET_ACCESS_KEY": re.compile(rb"SECRET_ACCESS_KEY\s*=\s*[\"']?[A-Za-z0-9+/=]{30}"),
    b"ghp_": re.compile(rb"\bghp_[A-Za-z0-9]{36}\b"),
    b"xoxb-": re.compile(rb"\bxoxb-[0-9A-Za-z-]{20}"),
    b"index-url": re.compile(rb"index-url\s*=\s*https?://[^/\s:@]+:[^/\s@]+@"),
}
"""What a secret looks like, by a part of it that is quickly found in hundreds of megabytes."""

_SECRET_NAMES = frozenset({".env", ".netrc", ".npmrc", ".pypirc", "credentials", "id_rsa", "id_ed25519", "pip.conf"})
_TOOLS = frozenset({"pip", "setuptools", "wheel", "uv", "gcc", "g++", "cc", "c++", "ld", "make", "cmake", "cargo"})
_CACHES = frozenset({".cache", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"})
_TESTS = re.compile(r"/tests?/|/conftest\.py$|/services/.*/(?:test_[^/]*|[^/]*_test|smoke|samples)\.py$")
_COMPILED = re.compile(r"(?:\.cpython-\d+(?:\.opt-\d)?)?\.pyc$")


@dataclass(frozen=True)
class File:
    """One file of a layer; `path` has no slash in front."""

    path: PurePosixPath
    mode: int
    content: bytes


@dataclass(frozen=True)
class Layer:
    """One layer, and the instruction that made it."""

    made_by: str
    files: tuple[File, ...]

    @property
    def size_bytes(self) -> int:
        return sum(len(file.content) for file in self.files)


@dataclass(frozen=True)
class Layers:
    """The layers on top of the base.

    Attributes:
        own: They, from below.
        root: The folder that all of it belongs in, without a slash in front.
        configuration: Everything that the image's configuration says: variables, instructions.
    """

    own: tuple[Layer, ...]
    root: str
    configuration: str

    @classmethod
    def read(cls, engine: Engine, tag: str, *, base: str, root: str) -> "Layers":
        """Takes an image apart."""
        below = len(json.loads(engine.run("image", "inspect", base))[0]["RootFS"]["Layers"])
        archive = engine.folder / "image.tar"
        engine.run("save", "--output", str(archive), tag)
        with tarfile.open(archive) as image:
            manifest = json.load(_member(image, "manifest.json"))[0]
            configuration = _member(image, manifest["Config"]).read().decode()
            history = [each for each in json.loads(configuration)["history"] if not each.get("empty_layer")]
            own = [
                Layer(each.get("created_by", ""), tuple(_files(_member(image, name))))
                for each, name in list(zip(history, manifest["Layers"], strict=True))[below:]
            ]
        archive.unlink()
        return cls(tuple(own), root, configuration)

    @property
    def files(self) -> list[File]:
        return [file for layer in self.own for file in layer.files]

    @property
    def size_bytes(self) -> int:
        return sum(layer.size_bytes for layer in self.own)

    @property
    def installed(self) -> dict[str, str]:
        """The versions of the packages, by normalised name."""
        texts = [file.content.decode() for file in self.files if file.path.match("*.dist-info/METADATA")]
        fields = [dict(re.findall(r"^(Name|Version): *(.+?) *$", text, re.MULTILINE)) for text in texts]
        return {normalised(each["Name"]): each["Version"] for each in fields}

    def faults(self) -> list[str]:
        """Everything that must not be in an image: what is wrong, and where."""
        times = Counter(file.path for file in self.files)
        found = [f"{why}: {file.path}" for file in self.files for why, holds in _FAULTS.items() if holds(file)]
        found += [f"a build tool: {path}" for path in times if self.top(path).split("-")[0] in _TOOLS]
        found += [f"outside {self.root}: {path}" for path in times if not path.is_relative_to(self.root)]
        found += [f"in two layers, so paid for twice: {path}" for path, number in times.items() if number > 1]
        found += [f"compiled, without its source: {path}" for path in times if not _source_of(path) <= times.keys()]
        if _holds_a_secret(self.configuration.encode()):
            found.append("a secret: in a variable or an instruction")
        return sorted(set(found))

    def top(self, path: PurePosixPath) -> str:
        """What of the root's own a file belongs to: `pip-23.2.1.dist-info` of app/pip-23.2.1.dist-info/METADATA."""
        return path.relative_to(self.root).parts[0] if path.is_relative_to(self.root) else ""


def normalised(name: str) -> str:
    """The name of a package as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _source_of(path: PurePosixPath) -> set[PurePosixPath]:
    """The module that a file was compiled from; none for what is not compiled."""
    compiled = path.parent.name == "__pycache__"
    return {path.parent.parent / f"{_COMPILED.sub('', path.name)}.py"} if compiled else set()


def _holds_a_secret(content: bytes) -> bool:
    return any(part in content and pattern.search(content) for part, pattern in SECRETS.items())


_FAULTS: dict[str, Callable[[File], bool]] = {
    "a test": lambda file: bool(_TESTS.search(str(file.path))),
    "a cache": lambda file: bool(_CACHES & set(file.path.parts)) or file.path.suffix == ".whl",
    "a build tool": lambda file: file.path.name in _TOOLS,
    "a secret": lambda file: file.path.name in _SECRET_NAMES or _holds_a_secret(file.content),
    "not readable by every user": lambda file: not file.mode & 0o004,
    "runs with its owner's rights": lambda file: bool(file.mode & 0o6000),
    "deleted in a later layer": lambda file: file.path.name.startswith(".wh."),
}


def _member(image: tarfile.TarFile, name: str) -> IO[bytes]:
    found = image.extractfile(name)
    assert found, f"{name} is no file in the image's archive"
    return found


def _files(layer: IO[bytes]) -> Iterator[File]:
    with tarfile.open(fileobj=layer) as archive:
        for each in archive:
            if each.isfile():
                yield File(PurePosixPath(each.name), each.mode, _member(archive, each.name).read())
