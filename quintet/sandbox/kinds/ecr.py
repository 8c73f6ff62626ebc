"""Image repositories."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from quintet.sandbox.kinds.base import Kind, Properties, kind
from quintet.sandbox.kinds.calls import (
    ONE_REGION,
    RefusedError,
    absent,
    document,
    present,
    removed_tags,
    tag_list,
)

if TYPE_CHECKING:
    from quintet.sandbox.world import World


def registry(world: "World") -> str:
    """The host name of the account's registry."""
    return f"{world.account}.dkr.ecr.{world.region}.amazonaws.com"


def repository_and_tag(world: "World", reference: str) -> tuple[str, str]:
    """Name and tag of an image of the account's registry, from `host/name:tag`.

    Raises:
        RefusedError: It lies in another registry.
    """
    host, _, path = reference.partition("/")
    if host != registry(world):
        raise RefusedError(f"the image {reference} is not in the account's registry {registry(world)}")
    name, _, tag = path.partition(":")
    return name, tag or "latest"


def pushed_digest(world: "World", uri: str) -> str | None:
    """The digest of an image in ECR, by `@digest` or by tag; None when its repository does not have it."""
    reference, _, digest = uri.partition("@")
    name, tag = repository_and_tag(world, reference)
    wanted = {"imageDigest": digest} if digest else {"imageTag": tag}
    answer = present(lambda: world.client("ecr").batch_get_image(repositoryName=name, imageIds=[wanted]))
    return answer["images"][0]["imageId"]["imageDigest"] if answer and answer["images"] else None


@kind
class Repository(Kind):
    """A repository."""

    token = "aws:ecr/repository:Repository"
    name_input = "name"
    name_limit = 256
    replace_on = frozenset({"encryptionConfigurations"})
    consumed = frozenset(
        {
            "forceDelete",
            "imageScanningConfiguration",
            "imageTagMutability",
            "imageTagMutabilityExclusionFilters",
            "tags",
        }
    )
    ignored: ClassVar[Mapping[str, str]] = ONE_REGION

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; its name is its id."""
        encryption = inputs.get("encryptionConfigurations") or []
        repository = self._ecr.create_repository(
            repositoryName=inputs["name"],
            tags=tag_list(inputs.get("tags")),
            **_settings(inputs),
            **({"encryptionConfiguration": _encryption(encryption[0])} if encryption else {}),
        )["repository"]
        return inputs["name"], {
            "arn": repository["repositoryArn"],
            "registryId": self.world.account,
            "repositoryUrl": f"{registry(self.world)}/{inputs['name']}",
            "tagsAll": inputs.get("tags") or {},
        }

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change mutability, scanning and tags; the images stay."""
        settings = _settings(inputs)
        scanning = settings.pop("imageScanningConfiguration", {"scanOnPush": False})
        self._ecr.put_image_tag_mutability(repositoryName=id_, **settings)
        self._ecr.put_image_scanning_configuration(repositoryName=id_, imageScanningConfiguration=scanning)
        if gone := removed_tags(old, inputs):
            self._ecr.untag_resource(resourceArn=old["arn"], tagKeys=gone)
        if tags := inputs.get("tags"):
            self._ecr.tag_resource(resourceArn=old["arn"], tags=tag_list(tags))
        return {"tagsAll": inputs.get("tags") or {}}

    def delete(self, id_: str, outputs: Properties) -> None:
        """Delete it; one that holds images only with `forceDelete`."""
        absent(lambda: self._ecr.delete_repository(repositoryName=id_, force=bool(outputs.get("forceDelete"))))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether it is there."""
        return outputs if present(lambda: self._ecr.describe_repositories(repositoryNames=[id_])) else None

    @property
    def _ecr(self) -> Any:  # noqa: ANN401  a boto3 client
        return self.world.client("ecr")


def _settings(inputs: Properties) -> dict[str, Any]:
    settings: dict[str, Any] = {"imageTagMutability": inputs.get("imageTagMutability", "MUTABLE")}
    if filters := inputs.get("imageTagMutabilityExclusionFilters"):
        settings["imageTagMutabilityExclusionFilters"] = filters
    if scanning := inputs.get("imageScanningConfiguration"):
        settings["imageScanningConfiguration"] = scanning
    return settings


def _encryption(given: Properties) -> Properties:
    return {name: given[name] for name in ("encryptionType", "kmsKey") if given.get(name)}


class RepositoryDocument(Kind):
    """A document put on a repository."""

    replace_on = frozenset({"repository"})
    consumed = frozenset({"policy"})
    ignored: ClassVar[Mapping[str, str]] = ONE_REGION
    noun: ClassVar[str]
    argument: ClassVar[str]

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Put it; the repository's name is its id."""
        self.update("", {}, inputs)
        return inputs["repository"], {"registryId": self.world.account}

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:  # noqa: ARG002  Kind's signature
        """Put it anew."""
        verb = "set" if self.noun == "repository_policy" else "put"
        text = document(inputs["policy"], "`policy`")
        self._call(verb)(repositoryName=inputs["repository"], **{self.argument: text})
        return {}

    def delete(self, id_: str, outputs: Properties) -> None:  # noqa: ARG002  Kind's signature
        """Remove it."""
        absent(lambda: self._call("delete")(repositoryName=id_))

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """Whether the repository has it."""
        return outputs if present(lambda: self._call("get")(repositoryName=id_)) else None

    def _call(self, verb: str) -> Any:  # noqa: ANN401  a method of a boto3 client
        return getattr(self.world.client("ecr"), f"{verb}_{self.noun}")


@kind
class RepositoryPolicy(RepositoryDocument):
    """Who may pull and push."""

    token = "aws:ecr/repositoryPolicy:RepositoryPolicy"
    noun = "repository_policy"
    argument = "policyText"


@kind
class LifecyclePolicy(RepositoryDocument):
    """Which images expire; the emulator keeps it and expires none."""

    token = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
    noun = "lifecycle_policy"
    argument = "lifecyclePolicyText"
