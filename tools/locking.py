"""What `tools/lock` asks of pyproject.toml: the wishes of one extra, and a fingerprint of all of them."""

import hashlib
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def _pyproject(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


def project(root: Path = ROOT) -> dict[str, Any]:
    """The [project] table."""
    table: dict[str, Any] = _pyproject(root)["project"]
    return table


def fingerprint(root: Path = ROOT) -> str:
    """A line for the head of a lock; it changes with the dependencies of pyproject.toml and with nothing else."""
    table = project(root)
    wishes = {
        "python": table["requires-python"],
        "dependencies": table["dependencies"],
        "extras": table["optional-dependencies"],
        "overrides": _pyproject(root)["tool"]["uv"]["override-dependencies"],
        "uv": (root / "requirements" / "uv.in").read_text(),
    }
    return f"# resolved from sha256:{hashlib.sha256(json.dumps(wishes, sort_keys=True).encode()).hexdigest()}"


def wishes_of(extra: str, root: Path = ROOT) -> list[str]:
    """The requirements of one extra alone: a service's image must not carry what the command needs."""
    return list(project(root)["optional-dependencies"][extra])


if __name__ == "__main__":
    lines = [fingerprint()] if len(sys.argv) == 1 else wishes_of(sys.argv[1])
    sys.stdout.write("".join(f"{line}\n" for line in lines))
