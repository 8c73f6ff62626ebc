"""A pod of sentiment whose image, model or environment lacks something is not ready, and says what it lacks."""

from pathlib import Path

import pytest

from tests.containers.conftest import StartPod
from tests.containers.engine import Engine
from tests.containers.inside import missing_libraries


def image_that_does(engine: Engine, tag: str, folder: Path, statement: str) -> str:
    """Sentiment's image with a module that does something while it is loaded; its name."""
    (folder / "seeded.py").write_text(f"{statement}\n")
    # What is compiled counts, whatever the source says since.
    compiled = "RUN chmod 777 /app && rm -r /app/services/sentiment/__pycache__"
    return engine.build_upon(tag, folder, "COPY seeded.py /app/services/sentiment/server.py", compiled)


@pytest.mark.parametrize("removed", ["services/common", "services/sentiment/server.py", "fastapi", "uvloop", "limits"])
def test_a_file_or_a_package_that_is_missing_ends_it_and_is_named(
    removed: str, engine: Engine, sentiment_image: str, start_pod: StartPod, tmp_path: Path
) -> None:
    lacking = engine.build_upon(sentiment_image, tmp_path, f"RUN rm -r /app/{removed}")

    pod = start_pod("sentiment", lacking)

    assert pod.failed.startswith("ended with exit code 1\n"), pod.failed
    assert f"No module named '{removed.removesuffix('.py').replace('/', '.')}'" in pod.failed


@pytest.mark.parametrize("package", ["onnxruntime", "tokenizers"])
def test_a_runtime_that_is_missing_is_named_by_the_question_for_readiness(
    package: str, engine: Engine, sentiment_image: str, start_pod: StartPod, tmp_path: Path
) -> None:
    told = f"{package} is not installed"
    lacking = engine.build_upon(sentiment_image, tmp_path, f"RUN rm -r /app/{package}")

    pod = start_pod("sentiment", lacking, waiting={"enough": told}, BACKEND="onnx")

    assert pod.failed.startswith("not started: 503 "), pod.failed
    assert told in pod.failed


def test_a_shared_library_that_is_missing_is_named_with_those_who_need_it(
    engine: Engine, sentiment_image: str, tmp_path: Path
) -> None:
    lacking = engine.build_upon(sentiment_image, tmp_path, "RUN rm /usr/local/lib/libstdc++.so.6")

    missing = missing_libraries(engine, lacking, "/app")

    assert [line for line in missing if line.startswith("/app/onnxruntime/capi/")]
    assert all("libstdc++.so.6: cannot open shared object file" in line for line in missing)


def test_no_shared_library_is_missing(engine: Engine, sentiment_image: str) -> None:
    assert missing_libraries(engine, sentiment_image, "/app") == []


def test_a_model_that_is_not_there_is_named_by_the_question_for_readiness(
    sentiment_image: str, start_pod: StartPod
) -> None:
    told = "manifest.json cannot be read from the model store: NoSuchKey."

    pod = start_pod("sentiment", sentiment_image, waiting={"enough": told}, MODEL_PREFIX="sentiment/none/")

    assert pod.failed.startswith("not started: 503 "), pod.failed
    assert told in pod.failed


def test_a_variable_that_is_missing_ends_it_and_is_named(sentiment_image: str, start_pod: StartPod) -> None:
    pod = start_pod("sentiment", sentiment_image, MODELS_BUCKET=None)

    assert pod.failed.startswith("ended with exit code 1\n"), pod.failed
    assert "models_bucket" in pod.failed
    assert "Traceback" not in pod.failed


def test_a_pod_that_writes_beside_its_code_is_refused_by_the_disk(
    engine: Engine, sentiment_image: str, start_pod: StartPod, tmp_path: Path
) -> None:
    writing = image_that_does(engine, sentiment_image, tmp_path, "open('/app/cache', 'w')")

    pod = start_pod("sentiment", writing)

    assert "Read-only file system: '/app/cache'" in pod.failed


def test_more_memory_than_the_pod_has_kills_it(
    engine: Engine, sentiment_image: str, start_pod: StartPod, tmp_path: Path
) -> None:
    greedy = image_that_does(engine, sentiment_image, tmp_path, "held = bytearray(2 * 1024**3)")

    pod = start_pod("sentiment", greedy)

    assert pod.failed.startswith("ended with exit code 137\n"), pod.failed
    assert pod.inspected()["State"]["OOMKilled"] is True
