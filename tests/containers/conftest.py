"""One container engine, one image of moderation, one deployment: for all tests of this folder."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.conftest import required
from tests.containers import base_image
from tests.containers.deployed import Deployed, deployed
from tests.containers.engine import Engine
from tests.containers.lambda_container import Image, LambdaContainer, Loop
from tests.containers.layers import Layers

BASE = "substitute/lambda-python:local"
MODERATION = "quintet/moderation:local"

Start = Callable[..., LambdaContainer]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All in one group: one worker has the engine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.containers)
            item.add_marker(pytest.mark.xdist_group("containers"))
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def engine(tool: Callable[..., str]) -> Iterator[Engine]:
    dockerd = tool("dockerd", package="docker.io")
    if os.geteuid() != 0:
        stop = pytest.fail if required("dockerd") else pytest.skip
        stop("only root can start a container engine of the tests' own")
    engine = Engine(dockerd)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def base(engine: Engine, tool: Callable[..., str]) -> str:
    """The stand-in for AWS's base image; its name."""
    folder = engine.folder / "base"
    folder.mkdir()
    base_image.make(engine, folder, tag=BASE, busybox=tool("busybox", package="busybox-static"))
    shutil.rmtree(folder)
    return BASE


@pytest.fixture(scope="session")
def quintet_images(engine: Engine, repository: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs `quintet images` against the engine."""

    def run(*arguments: str, folder: Path = repository) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "quintet", "images", *arguments]
        return subprocess.run(
            command, cwd=folder, env=engine.environment, capture_output=True, text=True, timeout=250, check=False
        )

    return run


@pytest.fixture(scope="session")
def built(
    quintet_images: Callable[..., "subprocess.CompletedProcess[str]"], base: str
) -> "subprocess.CompletedProcess[str]":
    """What `quintet images` printed when it built moderation's image on the stand-in."""
    built = quintet_images("moderation", "--base-image", base, "--network", "host")
    assert built.returncode == 0, built.stdout + built.stderr
    return built


@pytest.fixture(scope="session")
def image(engine: Engine, built: object) -> Image:
    """Moderation's image."""
    return Image.inspect(engine, MODERATION)


@pytest.fixture(scope="session")
def take_apart(engine: Engine) -> Callable[..., Layers]:
    """Reads the layers that an image has on top of another one."""
    return lambda tag, base: Layers.read(engine, tag, base=base)


@pytest.fixture(scope="session")
def layers(image: Image, base: str, take_apart: Callable[..., Layers]) -> Layers:
    """Those of moderation's image on top of its base."""
    return take_apart(image.tag, base)


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture(scope="session")
def aws(repository: Path, loop: Loop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The program on an emulated AWS."""
    with deployed(repository, tmp_path_factory.mktemp("aws"), loop) as made:
        yield made


@pytest.fixture(scope="session")
def start(engine: Engine, aws: Deployed, loop: Loop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts an image as the deployed function; `changes` are those of its description."""
    started: list[LambdaContainer] = []
    numbers = count()

    def run(image: Image, **changes: object) -> LambdaContainer:
        folder = tmp_path_factory.mktemp(f"container{next(numbers)}")
        spec = aws.function_with(**changes)
        container = LambdaContainer(engine, image, spec, aws.credentials, endpoint_url=aws.world.url, folder=folder)
        started.append(container)
        loop.run(container.start())
        return container

    yield run
    loop.run(all_stopped(started))


async def all_stopped(containers: Iterable[LambdaContainer]) -> None:
    await asyncio.gather(*(container.stop() for container in containers))


@pytest.fixture(scope="session")
def container(start: Start, image: Image, aws: Deployed) -> LambdaContainer:
    """Moderation, initialised; the API of the emulated AWS calls it."""
    container = start(image)
    assert not container.failed, f"{container.failed}\n{container.printed()}"
    aws.container = container
    return container
