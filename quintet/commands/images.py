"""`quintet images`: the container images that the program declares, built by the Docker of this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quintet import console
from quintet.checkout import Checkout
from quintet.errors import Exit, QuintetError
from quintet.on_path import require
from quintet.sandbox.summary import STACK

if TYPE_CHECKING:
    from quintet.sandbox.engine import Resource

BASE_IMAGE = "BASE_IMAGE"
"""The build argument that every Dockerfile of a service begins with."""

_ANSWER_SECONDS = 20.0
_IMAGE = "docker-build:index:Image"


@dataclass(frozen=True, kw_only=True)
class Build:
    """One image as the program declares it.

    Attributes:
        service: The folder in `services/` that its Dockerfile lies in.
        tag: What it is called on this machine.
        dockerfile: Its path.
        context: The folder to build from.
        arguments: Build arguments.
        platform: As Docker calls it, `linux/amd64`.
        target: The stage to build; None for the last.
    """

    service: str
    tag: str
    dockerfile: Path
    context: Path
    arguments: dict[str, str]
    platform: str
    target: str | None

    def command(self, docker: str, *, base_image: str | None, network: str | None) -> list[str]:
        """The call of Docker; `base_image` takes the place of the declared one."""
        arguments = self.arguments | ({BASE_IMAGE: base_image} if base_image else {})
        named = [f"--build-arg={name}={value}" for name, value in sorted(arguments.items())]
        target = [f"--target={self.target}"] if self.target else []
        where = [f"--network={network}"] if network else []
        given = [f"--file={self.dockerfile}", f"--tag={self.tag}", f"--platform={self.platform}"]
        return [docker, "build", *given, *named, *target, *where, str(self.context)]


def images(checkout: Checkout, services: Sequence[str], *, base_image: str | None, network: str | None) -> Exit:
    """Builds the images and prints how large they are.

    Raises:
        QuintetError: Docker is missing, does not answer or fails; a service is unknown or the program is wrong.
    """
    docker = _docker()
    builds = _selected(_declared(checkout), services)
    rows = []
    for build in builds:
        console.heading(f"Building {build.tag}")
        _run(build, build.command(docker, base_image=base_image, network=network))
        rows.append((build.tag, f"{_size_bytes(docker, build.tag) / 1e6:.0f} MB", build.platform))
    console.table(("IMAGE", "SIZE", "PLATFORM"), rows)
    return Exit.OK


def _docker() -> str:
    """The path of a Docker whose daemon answers."""
    docker = require(
        "docker",
        "Docker is not installed: there is no `docker` on the PATH.",
        advice="Install it (Debian: the package docker.io). `quintet up` runs every service without it.",
    )
    reason = _why_it_does_not_answer(docker)
    if reason:
        raise QuintetError(
            f"The Docker daemon does not answer: {reason}",
            advice="Start it, or let DOCKER_HOST name one that runs. `quintet up` runs every service without it.",
        )
    return docker


def _why_it_does_not_answer(docker: str) -> str:
    command = [docker, "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False)  # noqa: S603  found on the PATH
    except subprocess.TimeoutExpired:
        return f"it was asked for its version and said nothing for {_ANSWER_SECONDS:.0f} s."
    return (done.stderr.strip() or f"exit code {done.returncode}") if done.returncode else ""


def _declared(checkout: Checkout) -> list[Build]:
    """Every image of the program; so there is no second list of Dockerfiles and their arguments."""
    checkout.prefer()
    # Here, as the Pulumi SDK takes half a second to import.
    from quintet.project import ProjectError  # noqa: PLC0415
    from quintet.sandbox.engine import SandboxError, record  # noqa: PLC0415
    from quintet.sandbox.events import explain  # noqa: PLC0415

    try:
        recording = record(STACK, root=checkout.root)
    except (SandboxError, ProjectError) as error:
        raise explain(error, checkout, told=(SandboxError, ProjectError)) from error
    return [_build(checkout.root, image) for image in recording.of(_IMAGE)]


def _build(root: Path, image: Resource) -> Build:
    from quintet.sandbox.kinds.docker_build import PROGRAM_FOLDER  # noqa: PLC0415  boto3, as above

    inputs = image.inputs
    dockerfile = (root / PROGRAM_FOLDER / inputs["dockerfile"]["location"]).resolve()
    return Build(
        service=dockerfile.parent.relative_to((root / "services").resolve()).parts[0],
        tag=f"quintet/{image.name.removesuffix('-image')}:local",
        dockerfile=dockerfile,
        context=(root / PROGRAM_FOLDER / inputs["context"]["location"]).resolve(),
        arguments=dict(inputs.get("buildArgs") or {}),
        platform=inputs["platforms"][0],
        target=inputs.get("target"),
    )


def _selected(builds: Sequence[Build], services: Sequence[str]) -> list[Build]:
    known = {build.service for build in builds}
    unknown = [name for name in services if name not in known]
    if unknown:
        raise QuintetError(
            f"There is no service {', '.join(unknown)} with an image; those with one are {', '.join(sorted(known))}.",
            exit_code=Exit.USAGE,
        )
    return [build for build in builds if not services or build.service in services]


def _run(build: Build, command: list[str]) -> None:
    # The Dockerfiles need BuildKit, which Docker before version 23 uses only when told to.
    done = subprocess.run(command, env={**os.environ, "DOCKER_BUILDKIT": "1"}, check=False)  # noqa: S603  as above
    if done.returncode:
        raise QuintetError(
            f"Docker could not build {build.tag} from {build.dockerfile} (exit code {done.returncode}).",
            advice="What it said is above. Where its base image cannot be had, --base-image names another one.",
        )


def _size_bytes(docker: str, tag: str) -> int:
    command = [docker, "image", "inspect", "--format", "{{.Size}}", tag]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)  # noqa: S603  as above
