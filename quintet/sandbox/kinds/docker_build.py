"""Images. Docker builds none: what the Dockerfile copies is kept as a folder and its manifest is put into ECR."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from botocore.exceptions import ClientError

from quintet.sandbox.images import MANIFEST_TYPE, Build
from quintet.sandbox.kinds.base import Kind, Properties, is_unknown, kind
from quintet.sandbox.kinds.calls import RefusedError, absent
from quintet.sandbox.kinds.ecr import repository_and_tag

PROGRAM_FOLDER = "stacks"
"""Where the program runs (`main` of Pulumi.yaml): what its relative paths are relative to."""


@kind
class Image(Kind):
    """An image of a service. Its content is an input, so that a change of the code changes it, in previews, too."""

    token = "docker-build:index:Image"
    volatile = frozenset({"contextHash", "digest", "ref"})
    consumed = frozenset({"buildArgs", "context", "dockerfile", "exports", "push", "registries", "tags", "target"})
    ignored: ClassVar[Mapping[str, str]] = {
        "buildOnPreview": "every preview reads the Dockerfile",
        "cacheFrom": "nothing is executed, so nothing is cached",
        "cacheTo": "nothing is executed, so nothing is cached",
        "exec": "nothing is executed",
        "ignoreSecretsInDiffCalculation": "the sandbox has no build secrets",
        "labels": "a process of this machine has none",
        "load": "there is no Docker to load it into",
        "network": "nothing is executed, so nothing is fetched",
        "noCache": "nothing is executed, so nothing is cached",
        "platforms": "a process of this machine has this machine's platform",
        "pull": "base images are not read",
    }

    def check(self, inputs: Properties) -> Properties:
        """Add the hash of the content; raises about a Dockerfile that does not build."""
        needed = [inputs.get(name) for name in ("context", "dockerfile", "buildArgs", "target")]
        return inputs if is_unknown(needed) else {**inputs, "contextHash": self._build(inputs).content}

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Keep it and push it; the start of its digest is its id."""
        outputs = self.update("", {}, inputs)
        return outputs["digest"].removeprefix("sha256:")[:12], outputs

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Keep and push what the sources are now; what was built before stays for those who run it."""
        build = self._build(inputs)
        self.world.images.keep(build)
        references = self._pushed_to(inputs)
        for reference in references:
            _require_credentials(reference, inputs.get("registries") or [])
            self._push(build, reference)
        named = references or inputs.get("tags") or [""]
        return {"contextHash": build.content, "digest": build.digest, "ref": f"{named[0]}@{build.digest}"}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Take it out of ECR and forget it."""
        for reference in self._pushed_to(outputs):
            self._take_out(reference, outputs["digest"])
        self.world.images.remove(outputs["digest"])

    def read(self, id_: str, outputs: Properties) -> Properties | None:  # noqa: ARG002  Kind's signature
        """Whether it is kept here and in every repository that it was pushed to."""
        digest = outputs["digest"]
        here = digest in self.world.images
        return outputs if here and all(self._has(ref, digest) for ref in self._pushed_to(outputs)) else None

    def _build(self, inputs: Properties) -> Build:
        context, dockerfile = inputs.get("context") or {}, inputs.get("dockerfile") or {}
        if context.get("named"):
            raise RefusedError("the sandbox does not interpret named build contexts")
        folder = self._path(context.get("location", "."))
        file = self._path(dockerfile["location"]) if dockerfile.get("location") else folder / "Dockerfile"
        arguments = inputs.get("buildArgs") or {}
        return self.world.images.build(
            file, folder, arguments=arguments, target=inputs.get("target"), text=dockerfile.get("inline")
        )

    def _path(self, location: str) -> Path:
        return (self.world.root / PROGRAM_FOLDER / location).resolve()

    def _pushed_to(self, inputs: Properties) -> list[str]:
        exports = [each["registry"] for each in inputs.get("exports") or [] if each.get("registry") is not None]
        named = [name for each in exports for name in each.get("names") or []]
        return [*(inputs.get("tags") or []), *named] if inputs.get("push") or exports else []

    def _push(self, build: Build, reference: str) -> None:
        """Put the manifest under its tag, as `docker push` does.

        Raises:
            ClientError: There is no such repository, or its tag may not change.
        """
        name, tag = repository_and_tag(self.world, reference)
        self.world.client("ecr").put_image(
            repositoryName=name, imageTag=tag, imageManifest=build.manifest, imageManifestMediaType=MANIFEST_TYPE
        )

    def _take_out(self, reference: str, digest: str) -> None:
        name, tag = repository_and_tag(self.world, reference)
        image = {"imageTag": tag, "imageDigest": digest}
        absent(lambda: self.world.client("ecr").batch_delete_image(repositoryName=name, imageIds=[image]))

    def _has(self, reference: str, digest: str) -> bool:
        name, _ = repository_and_tag(self.world, reference)
        try:
            answer = self.world.client("ecr").batch_get_image(repositoryName=name, imageIds=[{"imageDigest": digest}])
        except ClientError:
            return False
        return bool(answer["images"])


def _require_credentials(reference: str, registries: Iterable[Properties]) -> None:
    """A push to a registry that the program does not sign in to works on its author's machine at best."""
    host = reference.partition("/")[0]
    addresses = {str(each.get("address", "")).removeprefix("https://").rstrip("/") for each in registries}
    if host not in addresses:
        raise RefusedError(f"the image {reference} is pushed to {host}, for which `registries` has no credentials")
