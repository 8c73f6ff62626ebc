"""The images of the services, as tests of what is in them have them."""

from dataclasses import dataclass

from tests.containers.layers import Layers


@dataclass(frozen=True, kw_only=True)
class Service:
    """What there is to know of a service's image before it is built.

    Attributes:
        name: The service's.
        root: The folder that all of it is in, without a slash in front.
        base: What stands in for its base image; a fixture's name.
        largest_mb: What the layers on top of the base may hold. Whoever has no copy pays for each of them at a start.
        user: Who runs it, where the image says so.
        command: What it runs.
    """

    name: str
    root: str
    base: str
    largest_mb: int
    user: str
    command: tuple[str, ...]

    @property
    def tag(self) -> str:
        return f"quintet/{self.name}:local"

    @property
    def dockerfile(self) -> str:
        return f"services/{self.name}/Dockerfile"

    @property
    def lock(self) -> str:
        return f"requirements/{self.name}.txt"


MODERATION = Service(
    name="moderation",
    root="var/task",
    base="lambda_python",
    largest_mb=240,
    user="",  # Lambda chooses
    command=("services.moderation.app.handler",),
)
SENTIMENT = Service(
    name="sentiment",
    root="app",
    base="python_slim",
    largest_mb=290,
    user="10001:10001",
    command=("python", "-m", "services.sentiment"),
)


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """A service's image, built.

    Attributes:
        service: Which.
        base: What it was built on.
        printed: What `quintet images` printed.
        layers: Those on top of its base.
    """

    service: Service
    base: str
    printed: str
    layers: Layers
