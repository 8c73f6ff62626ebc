"""What runs is what was tested: images by digest."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from stacks.policy.declared import UNKNOWN, Declared, Finding, Rule, Stack, listed

_DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")
_BUILT = "docker-build:index:Image"
_FIX = "Deploy it as `repository@sha256:...`, which ServiceImage.uri is"


def _images(resource: Declared, stack: Stack) -> Iterator[Finding]:
    for image in _named(resource):
        if image is UNKNOWN or _DIGEST.fullmatch(image) or _is_yet_to_be_built(image, stack):
            continue
        yield Finding(f"runs the image {image}, which may be another tomorrow", _FIX)
    if resource.type == "aws:ecr/repository:Repository":
        mutability = resource.props.get("imageTagMutability")
        if mutability not in {"IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", UNKNOWN}:
            fix = "Set `imageTagMutability` to IMMUTABLE_WITH_EXCLUSION, with the tags of build caches excluded"
            yield Finding("lets a tag be moved to another image", fix)


def _is_yet_to_be_built(image: str, stack: Stack) -> bool:
    """A preview may leave a digest empty; the program then names the image by the tag it will push."""
    to_build = [built for built in stack.of(_BUILT) if built.props.get("digest") in {None, "", UNKNOWN}]
    return any(image in listed(built.props.get("tags")) for built in to_build)


def _named(resource: Declared) -> Iterator[Any]:
    if resource.type == "aws:lambda/function:Function":
        yield from listed(resource.props.get("imageUri"))
    elif resource.type == "aws:ecs/taskDefinition:TaskDefinition":
        yield from _of_containers(_parsed(resource.props.get("containerDefinitions")))
    elif resource.type.startswith("kubernetes:"):
        yield from _of_pods(resource.props.get("spec"))


def _of_pods(spec: Any) -> Iterator[Any]:  # noqa: ANN401  any JSON
    """Images of a pod, or of the template of what makes pods, at any depth (a cron job has two)."""
    if not isinstance(spec, Mapping):
        return
    for key in ("containers", "initContainers"):
        yield from _of_containers(spec.get(key))
    for key in ("spec", "template", "jobTemplate"):
        yield from _of_pods(spec.get(key))


def _of_containers(containers: Any) -> Iterator[Any]:  # noqa: ANN401  any JSON
    for container in listed(containers):
        if isinstance(container, Mapping) and container.get("image"):
            yield container["image"]


def _parsed(text: Any) -> Any:  # noqa: ANN401  any JSON
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return None


RULE = Rule(
    name="images-by-digest",
    why="A tag can be moved; a digest is the very image that was built and tested.",
    check=_images,
    whole=True,
)
