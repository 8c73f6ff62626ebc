"""What is in the image of each service, and what is not."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from stacks.components.build_context import BuildContext
from tests.containers.engine import Engine
from tests.containers.inside import kept_by_the_runtime, unreadable
from tests.containers.layers import Layers, normalised
from tests.containers.shipped import MODERATION, SENTIMENT, Service, Shipped

LARGEST_CODE_MB = 1
"""What a change of the code costs to push and to pull."""

# What spoils an image, and how that is told. Composed, so that this file itself holds no secret.
_SPOILS = {
    "COPY tests /{root}/tests": "a test: {root}/tests/unit.py",
    "COPY plain /{root}/services/{name}/test_app.py": "a test: {root}/services/{name}/test_app.py",
    "COPY plain /root/.cache/pip/http/a": "a cache: root/.cache/pip/http/a",
    "COPY plain /{root}/numpy-1.0-py3-none-any.whl": "a cache: {root}/numpy-1.0-py3-none-any.whl",
    "COPY plain /{root}/bin/gcc": "a build tool: {root}/bin/gcc",
    "COPY plain /{root}/pip/__init__.py": "a build tool: {root}/pip/__init__.py",
    "COPY plain /{root}/wheel-1.dist-info/METADATA": "a build tool: {root}/wheel-1.dist-info/METADATA",
    "COPY key /{root}/settings.ini": "a secret: {root}/settings.ini",
    "COPY plain /{root}/.netrc": "a secret: {root}/.netrc",
    "ENV AWS_SECRET_ACCESS_KEY=" + "x" * 40: "a secret: in a variable or an instruction",
    "COPY plain /{root}/__pycache__/a.pyc": "compiled, without its source: {root}/__pycache__/a.pyc",
    "COPY --chmod=600 plain /{root}/private": "not readable by every user: {root}/private",
    "RUN cat /bin/sh >/{root}/rights && chmod 4755 /{root}/rights": "runs with its owner's rights: {root}/rights",
    "COPY plain /opt/elsewhere": "outside {root}: opt/elsewhere",
    "RUN rm /{root}/services/{name}/app.py": "deleted in a later layer: {root}/services/{name}/.wh.app.py",
    "COPY plain /{root}/twice\nRUN chmod 700 /{root}/twice": "in two layers, so paid for twice: {root}/twice",
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


@pytest.fixture(scope="module", params=[MODERATION, SENTIMENT], ids=lambda service: service.name)
def shipped(request: pytest.FixtureRequest, ship: Callable[[Service], Shipped]) -> Shipped:
    """A service's image."""
    return ship(request.param)


@pytest.fixture(scope="module")
def found_in_a_spoilt_image(
    engine: Engine, shipped: Shipped, take_apart: Callable[..., Layers], tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """What is found in the image after everything that spoils one."""
    service, folder = shipped.service, tmp_path_factory.mktemp("spoilt")
    (folder / "tests").mkdir()
    for name in ("plain", "tests/unit.py"):
        (folder / name).write_text("x")
    (folder / "key").write_text("aws_secret" + "_access_key = " + "x" * 40)
    spoils = [each.format(root=service.root, name=service.name) for each in _SPOILS]
    return take_apart(engine.build_upon(service.tag, folder, *spoils), service.tag, service.root).faults()


def test_it_holds_no_test_no_cache_no_tool_and_no_secret(shipped: Shipped):
    assert shipped.layers.faults() == []


@pytest.mark.parametrize("instruction", _SPOILS)
def test_what_spoils_an_image_is_found(instruction: str, shipped: Shipped, found_in_a_spoilt_image: list[str]):
    told = _SPOILS[instruction].format(root=shipped.service.root, name=shipped.service.name)

    assert told in found_in_a_spoilt_image


def test_its_packages_are_those_of_the_lock_and_no_others(shipped: Shipped, repository: Path):
    assert shipped.layers.installed == locked(repository / shipped.service.lock)


def test_its_code_is_that_of_the_checkout(shipped: Shipped, repository: Path):
    service = shipped.service
    context = BuildContext(root=repository, dockerfile=service.dockerfile)
    sent = {
        f"{service.root}/{name}": (repository / name).read_bytes() for name in context.files() if name != service.lock
    }

    services = [file for file in shipped.layers.files if file.path.is_relative_to(f"{service.root}/services")]
    held = {str(file.path): file.content for file in services if "__pycache__" not in file.path.parts}

    assert held == sent


def test_its_code_is_its_own_and_what_is_common_to_all(shipped: Shipped):
    root, depth = f"{shipped.service.root}/services", len(Path(shipped.service.root).parts) + 1
    below = {file.path.parts[depth] for file in shipped.layers.files if file.path.is_relative_to(root)}

    assert below == {"__init__.py", "__pycache__", "common", shipped.service.name}


def test_nothing_is_left_to_be_compiled_at_a_start(shipped: Shipped):
    modules = {str(file.path) for file in shipped.layers.files if file.path.suffix == ".py"}
    version = f"{sys.version_info.major}{sys.version_info.minor}"
    compiled = {
        str(file.path.parent.parent / file.path.name.replace(f".cpython-{version}.pyc", ".py"))
        for file in shipped.layers.files
        if file.path.suffix == ".pyc"
    }

    assert len(modules) > 1000
    assert modules == compiled


def test_a_change_of_the_code_is_a_small_layer_over_the_packages(shipped: Shipped):
    *_, packages, code = (layer for layer in shipped.layers.own if layer.files)

    assert {shipped.layers.top(file.path) for file in code.files} == {"services"}
    assert "services" not in {shipped.layers.top(file.path) for file in packages.files}
    assert code.size_bytes < LARGEST_CODE_MB * 1e6


def test_an_image_of_a_checkout_that_only_its_owner_may_read_is_readable_by_any_user(
    engine: Engine, shipped: Shipped, repository: Path, tmp_path: Path
):
    dockerfile, lock = shipped.service.dockerfile, shipped.service.lock
    for name in (*BuildContext(root=repository, dockerfile=dockerfile).files(), dockerfile):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / name, tmp_path / name)
    # Only root reads the lock; as it is, the packages come from the builder's cache.
    for path in set(tmp_path.rglob("*")) - {tmp_path / lock}:
        path.chmod(0o700 if path.is_dir() else 0o600)

    arguments = ("--file", str(tmp_path / dockerfile), "--build-arg", f"BASE_IMAGE={shipped.base}", "--tag", "private")
    engine.run("build", "--network", "host", *arguments, str(tmp_path))

    assert unreadable(engine, "private", f"/{shipped.service.root}") == []


def test_what_only_its_owner_may_read_would_be_found(engine: Engine, shipped: Shipped, tmp_path: Path):
    closed = f"/{shipped.service.root}/services/{shipped.service.name}"
    tag = engine.build_upon(shipped.service.tag, tmp_path, f"RUN chmod 700 {closed}")

    assert unreadable(engine, tag, f"/{shipped.service.root}") == [closed]


def test_its_size_is_known_and_bounded(shipped: Shipped, record_property):
    name, layers = shipped.service.name, shipped.layers
    for layer in layers.own:
        record_property("measured", f"{name}: {layer.size_bytes / 1e6:.1f} MB  {layer.made_by}")
    record_property("measured", f"{name}: {layers.size_bytes / 1e6:.1f} MB on top of its base image")

    assert layers.size_bytes < shipped.service.largest_mb * 1e6


def test_nobody_is_told_how_it_is_used(engine: Engine, shipped: Shipped):
    assert kept_by_the_runtime(engine, shipped.service.tag) == []


def test_a_runtime_that_reports_would_be_found(engine: Engine, shipped: Shipped):
    reporting = kept_by_the_runtime(engine, shipped.service.tag, "--env=ORT_DISABLE_TELEMETRY=0")

    assert any(path.endswith("/deviceid") for path in reporting)


def test_it_says_what_it_runs_and_where_and_as_whom(engine: Engine, shipped: Shipped):
    config = json.loads(engine.run("image", "inspect", shipped.service.tag))[0]["Config"]

    assert tuple(config["Cmd"]) == shipped.service.command
    assert config["User"] == shipped.service.user
    assert config["WorkingDir"] == f"/{shipped.service.root}"
