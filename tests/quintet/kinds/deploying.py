"""Creates, updates and deletes resources as the engine does, through the cloud and its checks."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quintet.sandbox.kinds.cloud import EmulatedCloud
from quintet.sandbox.world import World
from tests.quintet.emulator.running import TRUST

DOCKERFILE = "FROM amazon/aws-lambda-python:3.12\nCOPY app.py ${LAMBDA_TASK_ROOT}/\n"
_NUMBERS = itertools.count(1)


class Watched(dict[str, Any]):
    """Properties that tell which of them are asked for, also of those that are not there; a copy asks for all."""

    def __init__(self, properties: dict[str, Any], asked: set[str]) -> None:
        super().__init__(properties)
        self._asked = asked

    def __getitem__(self, key: str) -> Any:
        self._asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._asked.add(str(key))
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._asked.add(key)
        return super().get(key, default)

    def __iter__(self) -> Iterator[str]:
        self._asked.update(super().keys())
        return super().__iter__()

    def items(self) -> Any:
        self._asked.update(super().keys())
        return super().items()


class Made:
    """A resource as the state keeps it.

    Attributes:
        asked: The properties that its kind has looked at, in any of its methods.
    """

    def __init__(self, cloud: EmulatedCloud, type_: str, inputs: dict[str, Any]) -> None:
        self.cloud, self.type = cloud, type_
        self.asked: set[str] = set()
        self.inputs = self.checked(inputs)
        self.id, outputs = cloud.create(type_, Watched(self.inputs, self.asked))
        self.outputs = {**self.inputs, **outputs}

    def checked(self, inputs: dict[str, Any]) -> dict[str, Any]:
        old = getattr(self, "inputs", {})
        kind = self.cloud._kinds.get(self.type)
        name = old.get(kind.name_input) if kind and kind.name_input and old else None
        checked = self.cloud.check(self.type, "x", old, inputs, autoname=name or f"quintet-test-{next(_NUMBERS)}")
        if kind:
            kind.check(Watched(checked, self.asked))
        return checked

    def __getitem__(self, name: str) -> Any:
        return self.outputs[name]

    def update(self, inputs: dict[str, Any]) -> "Made":
        inputs = self.checked(inputs)
        diff = self.cloud.diff(self.type, self.inputs, inputs)
        assert diff.changed, "the update of this test changes nothing"
        assert not diff.replaces, f"{diff.replaces} would replace"
        changed = self.cloud.update(self.type, self.id, self.outputs, Watched(inputs, self.asked))
        self.outputs = {**self.outputs, **inputs, **changed}
        self.inputs = inputs
        return self

    def replaces(self, inputs: dict[str, Any]) -> tuple[str, ...]:
        return self.cloud.diff(self.type, self.inputs, self.checked(inputs)).replaces

    def read(self) -> dict[str, Any] | None:
        return self.cloud.read(self.type, self.id, self.outputs)

    def delete(self) -> None:
        self.cloud.delete(self.type, self.id, Watched(self.outputs, self.asked))


class Deployer:
    def __init__(self, world: World) -> None:
        self.world, self.cloud = world, EmulatedCloud(world)

    def make(self, type_: str, **inputs: Any) -> Made:
        return Made(self.cloud, type_, inputs)

    def bucket(self, **inputs: Any) -> Made:
        return self.make("aws:s3/bucket:Bucket", **inputs)

    def role(self, trust: str = TRUST) -> Made:
        return self.make("aws:iam/role:Role", assumeRolePolicy=trust)

    def image(self, folder: str = "service", text: str = DOCKERFILE, **inputs: Any) -> Made:
        context = self.world.root / folder
        context.mkdir(exist_ok=True)
        (context / "app.py").write_text(f"# {next(_NUMBERS)}\n")
        (context / "Dockerfile").write_text(text)
        host = f"{self.world.account}.dkr.ecr.us-east-1.amazonaws.com"
        repository = self.make("aws:ecr/repository:Repository", forceDelete=True)
        given = {
            "context": {"location": f"../{folder}"},
            "push": True,
            "tags": [f"{host}/{repository['name']}:v1"],
            "registries": [{"address": host, "username": "AWS", "password": "x"}],
        }
        return self.make("docker-build:index:Image", **{**given, **inputs})

    def function(self, image: Made | None = None, role: Made | None = None, **inputs: Any) -> Made:
        image, role = image or self.image(), role or self.role()
        given = {
            "packageType": "Image",
            "imageUri": uri(image),
            "imageConfig": {"commands": ["app.handler"]},
            "role": role["arn"],
            "publish": True,
            **inputs,
        }
        return self.make("aws:lambda/function:Function", **given)


def uri(image: Made) -> str:
    return f"{image['tags'][0].rpartition(':')[0]}@{image['digest']}"


def write(root: Path, **files: str) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root
