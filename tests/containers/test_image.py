"""What is in moderation's image, and what is not."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from stacks.components.build_context import BuildContext
from tests.containers.conftest import Start
from tests.containers.engine import Engine
from tests.containers.lambda_container import Image
from tests.containers.layers import TASK_ROOT, Layers, normalised

DOCKERFILE = "services/moderation/Dockerfile"
LOCK = "requirements/moderation.txt"

LARGEST_MB = 240
"""What the layers on top of the base may hold. A cold start on a host that has no copy pays for each of them."""

LARGEST_CODE_MB = 1
"""What a change of the code costs to push and to pull."""

# What spoils an image, and how that is told. Composed, so that this file itself holds no secret.
_SPOILS = {
    "COPY tests /var/task/tests": "a test: var/task/tests/unit.py",
    "COPY plain /var/task/services/moderation/test_app.py": "a test: var/task/services/moderation/test_app.py",
    "COPY plain /root/.cache/pip/http/a": "a cache: root/.cache/pip/http/a",
    "COPY plain /var/task/numpy-1.0-py3-none-any.whl": "a cache: var/task/numpy-1.0-py3-none-any.whl",
    "COPY plain /var/task/bin/gcc": "a build tool: var/task/bin/gcc",
    "COPY plain /var/task/pip/__init__.py": "a build tool: var/task/pip/__init__.py",
    "COPY plain /var/task/wheel-1.dist-info/METADATA": "a build tool: var/task/wheel-1.dist-info/METADATA",
    "COPY key /var/task/settings.ini": "a secret: var/task/settings.ini",
    "COPY plain /var/task/.netrc": "a secret: var/task/.netrc",
    f"ENV AWS_SECRET_ACCESS_KEY={'x' * 40}": "a secret: in a variable or an instruction",
    "COPY plain /var/task/__pycache__/a.pyc": "compiled, without its source: var/task/__pycache__/a.pyc",
    "COPY --chmod=600 plain /var/task/private": "not readable by every user: var/task/private",
    "RUN cat /bin/sh >/var/task/rights && chmod 4755 /var/task/rights": "runs with its owner's rights: var/task/rights",
    "COPY plain /opt/elsewhere": "outside the task root: opt/elsewhere",
    "RUN rm /var/task/services/moderation/app.py": "deleted in a later layer: var/task/services/moderation/.wh.app.py",
    "COPY plain /var/task/twice\nRUN chmod 700 /var/task/twice": "in two layers, so paid for twice: var/task/twice",
}


def locked(lock: Path) -> dict[str, str]:
    """The versions that a lock pins for this Python and this machine."""
    lines = [line.rstrip(" \\") for line in lock.read_text().splitlines() if "==" in line and not line.startswith("#")]
    found = [
        requirement
        for requirement in map(Requirement, lines)
        if not requirement.marker or requirement.marker.evaluate()
    ]
    return {normalised(each.name): str(each.specifier).removeprefix("==") for each in found}


@pytest.fixture(scope="module")
def found_in_a_spoilt_image(
    engine: Engine, image: Image, take_apart: Callable[..., Layers], tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """What is found in moderation's image after everything that spoils one."""
    folder = tmp_path_factory.mktemp("spoilt")
    (folder / "tests").mkdir()
    for name in ("plain", "tests/unit.py"):
        (folder / name).write_text("x")
    (folder / "key").write_text("aws_secret" + "_access_key = " + "x" * 40)
    (folder / "Dockerfile").write_text("\n".join([f"FROM {image.tag}", *_SPOILS]))
    engine.build(folder, "spoilt")
    return take_apart("spoilt", image.tag).faults()


def test_it_holds_no_test_no_cache_no_tool_and_no_secret(layers: Layers):
    assert layers.faults() == []


@pytest.mark.parametrize("instruction", _SPOILS)
def test_what_spoils_an_image_is_found(instruction: str, found_in_a_spoilt_image: list[str]):
    assert _SPOILS[instruction] in found_in_a_spoilt_image


def test_its_packages_are_those_of_the_lock_and_no_others(layers: Layers, repository: Path):
    assert layers.installed == locked(repository / LOCK)


def test_its_code_is_that_of_the_checkout(layers: Layers, repository: Path):
    context = BuildContext(root=repository, dockerfile=DOCKERFILE)
    sent = {f"{TASK_ROOT}/{name}": (repository / name).read_bytes() for name in context.files() if name != LOCK}

    held = {str(file.path): file.content for file in layers.files if file.path.is_relative_to(f"{TASK_ROOT}/services")}

    assert {name: content for name, content in held.items() if "__pycache__" not in name} == sent


def test_nothing_is_left_to_be_compiled_at_a_cold_start(layers: Layers):
    modules = {str(file.path) for file in layers.files if file.path.suffix == ".py"}
    version = f"{sys.version_info.major}{sys.version_info.minor}"
    compiled = {
        str(file.path.parent.parent / file.path.name.replace(f".cpython-{version}.pyc", ".py"))
        for file in layers.files
        if file.path.suffix == ".pyc"
    }

    assert len(modules) > 1000
    assert modules == compiled


def test_a_change_of_the_code_is_a_small_layer_over_the_packages(layers: Layers):
    *_, packages, code = layers.own

    assert {file.path.parts[2] for file in code.files} == {"services"}
    assert "services" not in {file.path.parts[2] for file in packages.files}
    assert code.size_bytes < LARGEST_CODE_MB * 1e6


def test_an_image_of_a_checkout_that_only_its_owner_may_read_runs_as_any_user(
    engine: Engine, base: str, start: Start, repository: Path, tmp_path: Path
):
    for name in (*BuildContext(root=repository, dockerfile=DOCKERFILE).files(), DOCKERFILE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(repository / name, tmp_path / name)
    for path in tmp_path.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)

    arguments = ("--file", str(tmp_path / DOCKERFILE), "--build-arg", f"BASE_IMAGE={base}", "--tag", "private")
    engine.run("build", "--network", "host", *arguments, str(tmp_path))

    assert not start(Image.inspect(engine, "private")).failed


def test_its_size_is_known_and_bounded(layers: Layers, record_property):
    for layer in layers.own:
        record_property("measured", f"moderation: {layer.size_bytes / 1e6:.1f} MB  {layer.made_by}")
    record_property("measured", f"moderation: {layers.size_bytes / 1e6:.1f} MB on top of its base image")

    assert layers.size_bytes < LARGEST_MB * 1e6


def test_it_says_what_it_runs_and_leaves_the_user_to_lambda(engine: Engine, image: Image):
    config = json.loads(engine.run("image", "inspect", image.tag))[0]["Config"]

    assert config["Cmd"] == ["services.moderation.app.handler"]
    assert config["User"] == ""
    assert config["WorkingDir"] == "/var/task"
