"""One container engine, one image of each service, one deployment: for all tests of this folder."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import required
from tests.containers import base_images
from tests.containers.deployed import Deployed, deployed
from tests.containers.engine import Engine
from tests.containers.lambda_container import Image, LambdaContainer, Loop
from tests.containers.layers import Layers
from tests.containers.pod_container import PodContainer
from tests.containers.shipped import MODERATION, SENTIMENT, Service, Shipped

Start = Callable[..., LambdaContainer]
StartPod = Callable[..., PodContainer]


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
def lambda_python(engine: Engine, tool: Callable[..., str]) -> str:
    """The stand-in for AWS's base image; its name."""
    return base_images.make_lambda_python(engine, tool("busybox", package="busybox-static"))


@pytest.fixture(scope="session")
def python_slim(engine: Engine, tool: Callable[..., str]) -> str:
    """The stand-in for Python's own; its name."""
    return base_images.make_python_slim(engine, tool("busybox", package="busybox-static"))


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
def take_apart(engine: Engine) -> Callable[..., Layers]:
    """Reads the layers that an image has on top of another one."""
    return lambda tag, base, root: Layers.read(engine, tag, base=base, root=root)


@pytest.fixture(scope="session")
def ship(
    quintet_images: Callable[..., "subprocess.CompletedProcess[str]"],
    take_apart: Callable[..., Layers],
    request: pytest.FixtureRequest,
) -> Callable[[Service], Shipped]:
    """Builds a service's image by its Dockerfile on the stand-in for its base, once."""

    @cache
    def run(service: Service) -> Shipped:
        base = request.getfixturevalue(service.base)
        built = quintet_images(service.name, "--base-image", base, "--network", "host")
        assert built.returncode == 0, built.stdout + built.stderr
        layers = take_apart(service.tag, base, service.root)
        return Shipped(service=service, base=base, printed=built.stdout, layers=layers)

    return run


@pytest.fixture(scope="session")
def image(engine: Engine, ship: Callable[[Service], Shipped]) -> Image:
    """Moderation's image."""
    return Image.inspect(engine, ship(MODERATION).service.tag)


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


@pytest.fixture(scope="session")
def start_pod(engine: Engine, aws: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartPod]:
    """Starts an image as a pod of a Deployment; `changes` are variables, see `PodContainer`."""
    started: list[PodContainer] = []
    place = {
        "AWS_REGION": aws.world.region,
        "AWS_DEFAULT_REGION": aws.world.region,
        # AWS is this machine, and no role of an instance may be found.
        "AWS_ENDPOINT_URL": aws.world.url,
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    def run(deployment: str, tag: str, *, waiting: Mapping[str, Any] | None = None, **changes: Any) -> PodContainer:
        folder = tmp_path_factory.mktemp("pod")
        pod = PodContainer(engine, tag, aws.cluster.pod(deployment), folder, place=place, **changes)
        started.append(pod)
        pod.start(**(waiting or {}))
        return pod

    yield run
    for pod in started:
        pod.remove()


@pytest.fixture(scope="session")
def sentiment_image(ship: Callable[[Service], Shipped]) -> str:
    """The name of sentiment's image."""
    return ship(SENTIMENT).service.tag


@pytest.fixture(scope="session")
def sentiment(start_pod: StartPod, sentiment_image: str) -> PodContainer:
    """A pod of sentiment, ready."""
    pod = start_pod("sentiment", sentiment_image)
    assert not pod.failed, pod.failed
    return pod
