import re
import subprocess
from pathlib import Path

import pytest

# What only the machine of one person, or one registry, would have.
FORBIDDEN = {
    "a home folder": re.compile(r"/(?:home|Users)/[a-z][a-z0-9_.-]*/"),
    "a registry's host": re.compile(r"\b(?:files\.pythonhosted|pypi|registry\.npmjs|proxy\.golang|deb\.debian)\.org\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an access key": re.compile(r"\bA(?:KIA|SIA)[0-9A-Z]{16}\b"),
}


def tracked_texts(repository: Path) -> dict[str, str]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=True).stdout
    texts = {}
    for name in filter(None, names.split("\0")):
        path = repository / name
        if path.is_file() and path != Path(__file__) and path.suffix not in {".onnx", ".png"}:
            texts[name] = path.read_text(errors="replace")
    return texts


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_carries(what: str, repository: Path) -> None:
    found = [name for name, text in tracked_texts(repository).items() if FORBIDDEN[what].search(text)]

    assert found == []


def test_no_tracked_file_is_large(repository: Path) -> None:
    large = [name for name in tracked_texts(repository) if (repository / name).stat().st_size > 6_000_000]

    assert large == []
