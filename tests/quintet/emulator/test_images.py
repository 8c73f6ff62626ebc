"""Images are kept by their content: the same sources give the same image, other sources another one."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from quintet.sandbox.images import Build, ImageNotFoundError, ImageStore

TEXT = 'FROM amazon/aws-lambda-python:3.12\nENV A=1\nCOPY app.py ${LAMBDA_TASK_ROOT}/\nCMD ["app.handler"]\n'


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(TEXT)
    (folder / "app.py").write_text("first")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images")


def build(store: ImageStore, context: Path) -> Build:
    return store.build(context / "Dockerfile", context, arguments={})


def test_a_kept_image_has_files_environment_and_command(store: ImageStore, context: Path) -> None:
    image = store.keep(build(store, context))

    assert (image.code_root / "app.py").read_text() == "first"
    assert image.code_root == image.tree / "var/task"
    assert (image.environment, image.command) == ({"A": "1"}, ("app.handler",))
    assert store.get(image.digest) == image
    assert image.digest in store


def test_a_later_change_of_the_source_does_not_reach_a_kept_image(store: ImageStore, context: Path) -> None:
    image = store.keep(build(store, context))

    (context / "app.py").write_text("second")

    assert (image.code_root / "app.py").read_text() == "first"


def test_the_same_sources_are_the_same_image_anywhere(store: ImageStore, context: Path, tmp_path: Path) -> None:
    elsewhere = context.rename(tmp_path / "elsewhere")
    first = build(store, elsewhere)
    os.utime(elsewhere / "app.py", (1, 1))

    assert build(ImageStore(tmp_path / "other"), elsewhere).digest == first.digest


def text_of(context: Path, old: str, new: str) -> None:
    (context / "Dockerfile").write_text(TEXT.replace(old, new))


@pytest.mark.parametrize(
    "change",
    [
        lambda context: (context / "app.py").write_text("other"),
        lambda context: (context / "app.py").chmod(0o755),
        lambda context: text_of(context, "A=1", "A=2"),
        lambda context: text_of(context, "app.handler", "app.other"),
        lambda context: text_of(context, "${LAMBDA_TASK_ROOT}/", "/x/"),
        lambda context: text_of(context, ":3.12", ":3.13"),
    ],
)
def test_any_change_of_what_goes_in_is_another_image(
    store: ImageStore, context: Path, change: Callable[[Path], object]
) -> None:
    before = build(store, context).digest

    time.sleep(0.01)  # a change within one tick of the file system's clock and of the same size is not seen
    change(context)

    assert build(store, context).digest != before


def test_what_changes_nothing_in_the_image_changes_no_digest(store: ImageStore, context: Path) -> None:
    before = build(store, context).digest

    (context / "unused.py").write_text("x")
    (context / "Dockerfile").write_text("# a comment\n" + TEXT + "RUN pip install x\nUSER nobody\nLABEL a=b\n")

    assert build(store, context).digest == before


def test_building_keeps_nothing(store: ImageStore, context: Path) -> None:
    made = build(store, context)

    assert made.digest not in store
    with pytest.raises(ImageNotFoundError, match="no image sha256:"):
        store.get(made.digest)


def test_keeping_twice_and_removing_twice_is_no_error(store: ImageStore, context: Path, tmp_path: Path) -> None:
    made = build(store, context)

    assert store.keep(made) == store.keep(made)
    store.remove(made.digest)
    store.remove(made.digest)

    assert made.digest not in store
    assert list((tmp_path / "images").iterdir()) == []


def test_an_image_that_could_not_be_copied_is_not_kept(store: ImageStore, context: Path, tmp_path: Path) -> None:
    made = build(store, context)
    (context / "app.py").unlink()

    with pytest.raises(FileNotFoundError):
        store.keep(made)

    assert list((tmp_path / "images").iterdir()) == []
