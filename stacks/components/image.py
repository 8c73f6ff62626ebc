"""A service's image: built once, kept under a tag that is the hash of what it was built from, deployed by digest."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pulumi
import pulumi_aws as aws
import pulumi_docker_build as docker_build

from stacks.components.arguments import checked_name, matching, one_of, refuse
from stacks.components.build_context import BuildContext
from stacks.components.names import repository_name

Architecture = Literal["x86_64", "arm64"]
PLATFORMS: Mapping[str, str] = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
_CACHE_DAYS = 30
_UNTAGGED_DAYS = 7


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Where images are, and who builds them.

    Attributes:
        account: The account's id.
        region: The region of its registry.
        promote_from: The stack whose images are deployed, found by the hash of this checkout; absent: this stack
            builds its own.
    """

    account: str
    region: str
    promote_from: str | None = None

    def __post_init__(self) -> None:
        refuse(
            "Registry",
            matching("account", self.account, r"\d{12}", "an account id of 12 digits"),
            matching("region", self.region, r"[a-z]{2}(-[a-z]+)+-\d", "a region such as us-east-1"),
        )

    @property
    def host(self) -> str:
        """The registry's address. Composed, not read from a repository: a first preview would not know it."""
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class ServiceImageArgs:
    """What an image needs.

    Attributes:
        dockerfile: Its path within the context.
        context: The folder to build from; `<dockerfile>.dockerignore` says what of it.
        base_image: The build argument BASE_IMAGE, best with a digest.
        registry: Where it is kept and who builds it.
        architecture: What it runs on.
        build_args: Further build arguments. They can be read from the image: no secrets.
        kms_key_arn: A key of the owner's for the repository; absent: ECR's own.
        protected: The repository is not deleted while it holds images.
        pulled_by: Lambda needs a policy of the repository; nodes of a cluster pull by their own role.
    """

    dockerfile: str
    context: Path
    base_image: str
    registry: Registry
    architecture: Architecture = "x86_64"
    build_args: Mapping[str, str] = field(default_factory=dict)
    kms_key_arn: str | None = None
    protected: bool = True
    pulled_by: Literal["lambda", "nodes"] = "lambda"

    def __post_init__(self) -> None:
        refuse(
            "ServiceImageArgs",
            one_of("pulled_by", self.pulled_by, ("lambda", "nodes")),
            one_of("architecture", self.architecture, PLATFORMS),
            [] if self.base_image else ["base_image is empty"],
            ["build_args names BASE_IMAGE, which is base_image"] if "BASE_IMAGE" in self.build_args else [],
            matching("kms_key_arn", self.kms_key_arn, r"arn:aws:kms:[^:]+:\d{12}:key/.+", "the ARN of a KMS key"),
        )

    @property
    def all_build_args(self) -> dict[str, str]:
        """Every build argument."""
        return {**self.build_args, "BASE_IMAGE": self.base_image}

    def tag(self) -> str:
        """The hash of everything that goes into the image."""
        inputs = {**self.all_build_args, "platform": PLATFORMS[self.architecture]}
        return BuildContext(root=self.context, dockerfile=self.dockerfile).tag(inputs)


class ImageNotBuiltError(pulumi.RunError):
    """The stack to promote from has no image of this checkout."""


class ServiceImage(pulumi.ComponentResource):
    """An image in ECR, and its repository where this stack builds it.

    Attributes:
        uri: `repository@digest`, which is what Lambda and ECS take.
        tag: The hash of everything that went into it.
        architecture: What it runs on.
        ready: What must exist before AWS may pull it.
    """

    uri: pulumi.Output[str]
    tag: str
    architecture: Architecture
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: ServiceImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("quintet:build:ServiceImage", checked_name(name), None, opts)
        self.tag, self.architecture, self.ready = args.tag(), args.architecture, []
        if args.registry.promote_from:
            self.uri = self._promoted(name, args, args.registry.promote_from)
        else:
            self.uri = self._built(name, args)
        self.register_outputs({"uri": self.uri, "tag": self.tag})

    def _promoted(self, name: str, args: ServiceImageArgs, stack: str) -> pulumi.Output[str]:
        repository = repository_name(name, stack)
        try:
            found = aws.ecr.get_image(
                repository_name=repository, image_tag=self.tag, opts=pulumi.InvokeOptions(parent=self)
            )
        except Exception as missing:  # the SDK raises no narrower type for an invoke that finds nothing
            raise ImageNotBuiltError(
                f"The image {repository}:{self.tag} cannot be promoted ({missing}). Deploy this very commit to the "
                f"stack {stack} first: promotion takes what that stack built and tested"
            ) from missing
        return pulumi.Output.from_input(f"{args.registry.host}/{repository}@{found.image_digest}")

    def _built(self, name: str, args: ServiceImageArgs) -> pulumi.Output[str]:
        child = pulumi.ResourceOptions(parent=self)
        kept = _kept(repository_name(name), self.tag, pulumi.InvokeOptions(parent=self))
        # Tags are immutable: pushing one again fails, even with the same digest. So an image that was built before is
        # not declared when a commit is reverted; the one that this stack built last stays declared, and unchanged.
        declared = kept.digest is None or kept.last_built == self.tag
        repository = _repository(name, args, self.tag if declared else _NOT_DECLARED, child)
        self.ready.append(
            _pulled_by_lambda(name, args, repository, child) if args.pulled_by == "lambda" else repository
        )
        url = f"{args.registry.host}/{repository_name(name)}"
        if not declared:
            return repository.name.apply(lambda _: f"{url}@{kept.digest}")
        image = _image(name, args, url, self.tag, repository, parent=self, built=kept.digest is not None)
        # A preview may leave the digest empty instead of unknown.
        return image.digest.apply(lambda digest: f"{url}@{digest}" if digest else f"{url}:{self.tag}")


@dataclass(frozen=True)
class _Kept:
    """What the repository says of an image.

    Attributes:
        digest: What is under its tag; None when it was never built.
        last_built: The tag of the image that this stack declares since its last update.
    """

    digest: str | None = None
    last_built: str | None = None


_LAST_BUILT = "last-built"
_NOT_DECLARED = "none"


def _kept(repository: str, tag: str, options: pulumi.InvokeOptions) -> _Kept:
    """Asks the repository, which may not be there yet."""
    if repository not in aws.ecr.get_repositories(opts=options).names:
        return _Kept()
    images = aws.ecr.get_images(repository_name=repository, opts=options).image_ids
    digest = next((image.image_digest for image in images if image.image_tag == tag), None)
    return _Kept(digest, aws.ecr.get_repository(name=repository, opts=options).tags.get(_LAST_BUILT))


def _repository(
    name: str, args: ServiceImageArgs, last_built: str, child: pulumi.ResourceOptions
) -> aws.ecr.Repository:
    by_key: aws.ecr.RepositoryEncryptionConfigurationArgsDict = {"encryption_type": "KMS", "kms_key": args.kms_key_arn}
    repository = aws.ecr.Repository(
        f"{name}-repository",
        name=repository_name(name),
        image_tag_mutability="IMMUTABLE_WITH_EXCLUSION",
        image_tag_mutability_exclusion_filters=[{"filter": "cache-*", "filter_type": "WILDCARD"}],
        image_scanning_configuration={"scan_on_push": True},
        encryption_configurations=[by_key if args.kms_key_arn else {"encryption_type": "AES256"}],
        force_delete=not args.protected,
        tags={_LAST_BUILT: last_built},
        opts=child,
    )
    aws.ecr.LifecyclePolicy(f"{name}-lifecycle", repository=repository.name, policy=_lifecycle(), opts=child)
    return repository


def _pulled_by_lambda(
    name: str, args: ServiceImageArgs, repository: aws.ecr.Repository, child: pulumi.ResourceOptions
) -> aws.ecr.RepositoryPolicy:
    # Lambda writes this policy itself where it is missing, and the program would then take it away again.
    return aws.ecr.RepositoryPolicy(
        f"{name}-pull", repository=repository.name, policy=_pull_policy(args.registry), opts=child
    )


def _pull_policy(registry: Registry) -> str:
    statement = {
        "Sid": "LambdaOfThisAccountPulls",
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:lambda:{registry.region}:{registry.account}:function:*"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _lifecycle() -> str:
    """Old caches and what has no tag go. A tagged image stays: any stack may run it, or go back to it."""

    def rule(priority: int, description: str, days: int, selection: dict[str, object]) -> dict[str, object]:
        age = {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": days}
        return {
            "rulePriority": priority,
            "description": description,
            "selection": selection | age,
            "action": {"type": "expire"},
        }

    caches = rule(1, "build caches", _CACHE_DAYS, {"tagStatus": "tagged", "tagPatternList": ["cache-*"]})
    untagged = rule(2, "what no tag names", _UNTAGGED_DAYS, {"tagStatus": "untagged"})
    return json.dumps({"rules": [caches, untagged]})


def _image(
    name: str,
    args: ServiceImageArgs,
    url: str,
    tag: str,
    repository: aws.ecr.Repository,
    *,
    parent: pulumi.Resource,
    built: bool,
) -> docker_build.Image:
    token = aws.ecr.get_authorization_token(opts=pulumi.InvokeOptions(parent=parent))
    cache = f"{url}:cache-{args.architecture}"
    # The provider adds no provenance as long as `exec_` is not set; Lambda refuses images that carry it.
    return docker_build.Image(
        f"{name}-image",
        # `push=True` would skip the build in previews, and with it the proof that the Dockerfile still works.
        push=False,
        exports=[{"registry": {}}],
        tags=[f"{url}:{tag}"],
        # Relative: the provider compares paths as texts, and an absolute one differs on every machine.
        context={"location": os.path.relpath(args.context)},
        dockerfile={"location": os.path.relpath(args.context / args.dockerfile)},
        platforms=[docker_build.Platform(PLATFORMS[args.architecture])],
        build_args=args.all_build_args,
        cache_from=[{"registry": {"ref": cache}}],
        # A preview that builds would push its cache; one with nothing to build must not differ from the update.
        cache_to=[_cache_to(cache)] if built or not pulumi.runtime.is_dry_run() else None,
        registries=[
            {
                "address": args.registry.host,
                "username": token.user_name,
                "password": pulumi.Output.secret(token.password),
            }
        ],
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[repository], retain_on_delete=True),
    )


def _cache_to(ref: str) -> docker_build.CacheToArgsDict:
    # ECR takes a cache only as an image manifest of OCI types.
    registry: docker_build.CacheToRegistryArgsDict = {
        "ref": ref,
        "mode": docker_build.CacheMode.MAX,
        "image_manifest": True,
        "oci_media_types": True,
    }
    return {"registry": registry}
