"""Programs and parts of them, recorded: what they declare, without any cloud."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quintet.sandbox.engine.recorded_functions import FUNCTIONS
from quintet.sandbox.engine.recording import Recording, record

_PROGRAM = "declared_by_a_test"


@pytest.fixture
def model_directory(tmp_path: Path) -> Path:
    """A complete model: two files and the manifest that names them."""
    directory = tmp_path / "model"
    directory.mkdir()
    (directory / "model.onnx").write_bytes(b"weights")
    (directory / "tokenizer.json").write_text("{}")
    files = {"model.onnx": {"sha256": "a" * 64, "bytes": 7}, "tokenizer.json": {"sha256": "b" * 64, "bytes": 2}}
    (directory / "manifest.json").write_text(json.dumps({"name": "moderation", "version": "1.2.0", "files": files}))
    return directory


@pytest.fixture
def program(model_directory: Path, repository: Path) -> Callable[..., Recording]:
    """The program of the checkout for a stack, with settings in place of those in its file."""

    def run(stack: str, *, preview: bool = False, **settings: Any) -> Recording:
        models = {"moderationModel": str(model_directory), "sentimentModel": str(model_directory)}
        overrides = {**models, **settings}
        return record(stack, preview=preview, overrides=overrides, root=repository)

    return run


@pytest.fixture
def declare(tmp_path: Path) -> Iterator[Callable[..., Recording]]:
    """Any function as a program of the project `quintet`, in the stack `test` or another."""
    root = tmp_path / "project"
    (root / "program").mkdir(parents=True)
    (root / "Pulumi.yaml").write_text("name: quintet\nmain: program/\nruntime: python\n")
    (root / "program" / "__main__.py").write_text(f"import sys\n\nsys.modules[{_PROGRAM!r}].run()\n")

    def run(function: Callable[[], object], *, preview: bool = False, stack: str = "test") -> Recording:
        (root / f"Pulumi.{stack}.yaml").write_text("config: {}\n")
        sys.modules[_PROGRAM] = SimpleNamespace(run=function)
        return record(stack, preview=preview, root=root)

    yield run
    sys.modules.pop(_PROGRAM, None)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, dict[str, Any]], None]:
    """Another answer of AWS to a question the program asks."""

    def set_answer(token: str, result: dict[str, Any]) -> None:
        monkeypatch.setitem(FUNCTIONS, token, lambda _place, arguments: {**arguments, **result})

    return set_answer
