import os
import time
from pathlib import Path

import pytest

from quintet.sandbox.dockerignore import Context
from stacks.components.build_context import BuildContext, BuildContextError
from stacks.settings import ROOT
from tests.stacks.declaring import small_context


def context(root: Path) -> BuildContext:
    return BuildContext(root=root, dockerfile="Dockerfile")


def test_only_what_the_ignore_file_lets_through_is_sent(tmp_path: Path) -> None:
    root = small_context(tmp_path, ignore="# comment\n*\n\n!app\n**/__pycache__\napp/*.txt\n!app/kept.txt\n")
    (root / "app" / "__pycache__").mkdir()
    (root / "app" / "__pycache__" / "main.pyc").write_text("")
    (root / "app" / "deep").mkdir()
    for name in ("notes.txt", "kept.txt", "deep/notes.txt"):
        (root / "app" / name).write_text("")
    (root / "secret.env").write_text("")

    assert context(root).files() == ["app/deep/notes.txt", "app/kept.txt", "app/main.py"]


def test_everything_is_sent_where_nothing_is_ignored(tmp_path: Path) -> None:
    root = small_context(tmp_path, ignore="app\n")

    assert context(root).files() == ["Dockerfile", "Dockerfile.dockerignore"]


def test_a_pattern_reaches_into_a_folder_that_is_left_out(tmp_path: Path) -> None:
    root = small_context(tmp_path, ignore="/app\n!/app/*/wanted.py\n")
    (root / "app" / "inner").mkdir()
    (root / "app" / "inner" / "wanted.py").write_text("")
    (root / "app" / "inner" / "other.py").write_text("")

    assert "app/inner/wanted.py" in context(root).files()
    assert "app/inner/other.py" not in context(root).files()


def test_the_tag_is_the_same_on_another_machine(tmp_path: Path) -> None:
    here, there = small_context(tmp_path / "here"), small_context(tmp_path / "there")
    os.utime(there / "app" / "main.py", (0, 0))
    (there / "app" / "main.py").chmod(0o600)

    assert context(here).tag({"A": "1"}) == context(there).tag({"A": "1"})


def test_a_change_outside_the_context_keeps_the_tag(tmp_path: Path) -> None:
    root = small_context(tmp_path)
    before = context(root).tag({})

    (root / "README.md").write_text("new")

    assert context(root).tag({}) == before


@pytest.mark.parametrize("change", ["content", "name", "mode", "dockerfile", "argument", "value", "link"])
def test_whatever_may_change_the_image_changes_the_tag(tmp_path: Path, change: str) -> None:
    root = small_context(tmp_path)
    (root / "app" / "link").symlink_to("main.py")
    arguments = {"BASE_IMAGE": "python:3.12"}
    before = context(root).tag(arguments)
    code = root / "app" / "main.py"

    match change:
        case "content":
            code.write_text("def handler(event, context): return None\n")
        case "name":
            code.rename(root / "app" / "other.py")
        case "mode":
            code.chmod(0o755)
        case "dockerfile":
            (root / "Dockerfile").write_text("FROM scratch\n")
        case "argument":
            arguments["MORE"] = ""
        case "value":
            arguments["BASE_IMAGE"] = "python:3.13"
        case "link":
            (root / "app" / "link").unlink()
            (root / "app" / "link").symlink_to("elsewhere.py")

    assert context(root).tag(arguments) != before


def test_a_name_and_a_content_cannot_be_taken_for_each_other(tmp_path: Path) -> None:
    one, other = small_context(tmp_path / "one"), small_context(tmp_path / "other")
    (one / "app" / "a").write_text("bc")
    (other / "app" / "ab").write_text("c")

    assert context(one).tag({}) != context(other).tag({})


@pytest.mark.parametrize("missing", ["Dockerfile", "Dockerfile.dockerignore"])
def test_nothing_is_built_without_a_dockerfile_and_its_ignore_file(tmp_path: Path, missing: str) -> None:
    root = small_context(tmp_path)
    (root / missing).unlink()

    with pytest.raises(BuildContextError, match=f"there is no {missing}"):
        context(root)


def test_a_folder_that_is_left_out_is_not_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = small_context(tmp_path)
    (root / ".venv" / "lib").mkdir(parents=True)
    walked: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: walked.append(Path(path).name) or scandir(path))

    context(root).files()

    assert set(walked) == {root.name, "app"}


def test_the_context_of_moderation_is_hashed_in_no_time(repository: Path) -> None:
    moderation = BuildContext(root=repository, dockerfile="services/moderation/Dockerfile")

    begin = time.perf_counter()
    moderation.tag({})

    assert time.perf_counter() - begin < 0.5


def test_what_a_star_leaves_out_stays_out_below_it(tmp_path: Path) -> None:
    for name in ("locks/a.txt", "locks/b.txt", "code/main.py", "other/deep/c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "Dockerfile").touch()
    (tmp_path / "Dockerfile.dockerignore").write_text("*\n!locks/a.txt\n!code\n")

    files = BuildContext(root=tmp_path, dockerfile="Dockerfile").files()

    assert files == ["code/main.py", "locks/a.txt"]


@pytest.mark.parametrize("dockerfile", sorted(path.relative_to(ROOT) for path in ROOT.glob("services/*/Dockerfile")))
def test_the_hash_covers_what_the_sandbox_sends_to_the_builder(dockerfile: Path) -> None:
    sent = Context(ROOT, ROOT / dockerfile).files()

    assert BuildContext(root=ROOT, dockerfile=str(dockerfile)).files() == sorted(sent)
