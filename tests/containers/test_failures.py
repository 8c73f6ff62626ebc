"""An image that lacks something, or is given too little, fails here and says why."""

from pathlib import Path

import pytest

from tests.containers.conftest import Start
from tests.containers.engine import Engine
from tests.containers.inside import missing_libraries
from tests.containers.lambda_container import Image


def image_without(engine: Engine, image: Image, folder: Path, *instructions: str) -> Image:
    """Moderation's image after some instructions more."""
    return Image.inspect(engine, engine.build_upon(image.tag, folder, *instructions))


def image_with_handler(engine: Engine, image: Image, folder: Path, statement: str) -> Image:
    """Moderation's image with a handler that does something while it is loaded."""
    (folder / "seeded.py").write_text(f"{statement}\n\ndef handler(event, context): ...\n")
    return image_without(engine, image, folder, "COPY seeded.py /var/task/")


def test_a_module_that_is_missing_fails_the_init_and_is_named(
    engine: Engine, image: Image, start: Start, tmp_path: Path
):
    lacking = image_without(engine, image, tmp_path, "RUN rm -r /var/task/services/common")

    container = start(lacking)

    assert container.failed.startswith("Runtime.ImportModuleError: ")
    assert "No module named 'services.common'" in container.failed


def test_a_package_that_is_missing_fails_the_init_and_is_named(
    engine: Engine, image: Image, start: Start, tmp_path: Path
):
    lacking = image_without(engine, image, tmp_path, "RUN rm -r /var/task/fastapi")

    container = start(lacking)

    assert "No module named 'fastapi'" in container.failed


def test_an_image_without_the_runtime_client_ends_at_once_and_says_so(
    engine: Engine, image: Image, start: Start, tmp_path: Path
):
    lacking = image_without(engine, image, tmp_path, "RUN rm -r /var/task/awslambdaric")

    container = start(lacking)

    assert container.failed.startswith("Runtime.ExitError: ")
    assert "exit status 1" in container.failed
    assert "No module named awslambdaric" in container.printed()


def test_a_shared_library_that_is_missing_is_named_with_those_who_need_it(
    engine: Engine, image: Image, start: Start, tmp_path: Path
):
    lacking = image_without(engine, image, tmp_path, "RUN rm /var/lang/lib/libstdc++.so.6")

    missing = missing_libraries(engine, lacking.tag, "/var/task")

    assert [line for line in missing if line.startswith("/var/task/onnxruntime/capi/")]
    assert all("libstdc++.so.6: cannot open shared object file" in line for line in missing)
    assert start(lacking).failed


def test_no_shared_library_is_missing(engine: Engine, image: Image):
    assert missing_libraries(engine, image.tag, "/var/task") == []


def test_more_memory_than_the_function_has_kills_it_and_is_told_as_such(
    engine: Engine, image: Image, start: Start, tmp_path: Path
):
    greedy = image_with_handler(engine, image, tmp_path, "held = bytearray(1024**3)")

    container = start(greedy, handler="seeded.handler", memory_mb=512)

    assert container.failed.startswith("Runtime.OutOfMemory: ")


def test_a_function_that_writes_beside_its_code_is_refused_by_the_disk(
    engine: Engine, image: Image, start: Start, tmp_path: Path
):
    writing = image_with_handler(engine, image, tmp_path, "open('/var/task/cache', 'w')")

    container = start(writing, handler="seeded.handler")

    assert "Read-only file system: '/var/task/cache'" in container.failed


def test_a_function_that_needs_shared_memory_fails(engine: Engine, image: Image, start: Start, tmp_path: Path):
    sharing = image_with_handler(engine, image, tmp_path, "import multiprocessing as m; m.Lock()")

    container = start(sharing, handler="seeded.handler")

    assert container.failed.startswith("FileNotFoundError: ")
    assert "SemLock" in container.failed


def test_an_init_that_takes_too_long_fails_as_on_lambda(
    engine: Engine, image: Image, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tests.containers.lambda_container.INIT_SECONDS", 1.0)
    slow = image_with_handler(engine, image, tmp_path, "import time; time.sleep(60)")

    container = start(slow, handler="seeded.handler")

    assert container.failed.startswith("Sandbox.Timedout: ")
    assert "Task timed out after 1.00 seconds" in container.failed
