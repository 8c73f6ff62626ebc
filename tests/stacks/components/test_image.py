from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from quintet.sandbox.engine.recording import Recording, RecordingCloud
from stacks.components.arguments import ArgumentsError
from stacks.components.image import Registry, ServiceImageArgs
from tests.stacks.declaring import ACCOUNT, KEY, REGISTRY, Declare, an_image, parsed, small_context, statements

HOST = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
DIGEST = f"sha256:{'c' * 64}"
PROMOTED = Registry(account=ACCOUNT, region="us-east-1", promote_from="dev")
Answer = Callable[[str, dict[str, Any]], None]


def declared(declare: Declare, context: Path, *, preview: bool = False, **changes: Any) -> Recording:
    def program() -> None:
        image = an_image(context, **changes)
        pulumi.export("uri", image.uri)
        pulumi.export("tag", image.tag)

    return declare(program, preview=preview)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    return small_context(tmp_path / "context")


def test_a_built_image_is_deployed_by_digest(declare: Declare, context: Path) -> None:
    recording = declared(declare, context)

    built = recording.one("docker-build:index:Image").outputs["digest"]
    assert recording.outputs["uri"] == f"{HOST}/quintet-test/echo@{built}"


def test_an_image_is_tagged_by_what_it_is_built_from(declare: Declare, context: Path) -> None:
    before = declared(declare, context)

    (context / "app" / "main.py").write_text("changed")
    after = declared(declare, context)

    assert before.one("docker-build:index:Image").inputs["tags"] == [
        f"{HOST}/quintet-test/echo:{before.outputs['tag']}"
    ]
    assert before.outputs["tag"] != after.outputs["tag"]


def test_the_build_is_the_one_that_previews_prove_and_lambda_takes(declare: Declare, context: Path) -> None:
    image = declared(declare, context, build_args={"VERSION": "1"}).one("docker-build:index:Image")

    assert image.inputs["push"] is False
    assert image.inputs["exports"] == [{"registry": {}}]
    assert image.inputs["platforms"] == ["linux/amd64"]
    assert image.inputs["buildArgs"] == {"BASE_IMAGE": "python:3.12", "VERSION": "1"}
    assert "exec" not in image.inputs  # which would add the provenance that Lambda refuses
    assert image.options.retain_on_delete


def test_paths_are_relative_so_that_machines_agree(declare: Declare, context: Path) -> None:
    image = declared(declare, context).one("docker-build:index:Image")

    assert not Path(image.inputs["context"]["location"]).is_absolute()
    assert image.inputs["dockerfile"]["location"] == f"{image.inputs['context']['location']}/Dockerfile"


def test_an_architecture_is_a_platform_and_another_tag(declare: Declare, context: Path) -> None:
    intel, arm = declared(declare, context), declared(declare, context, architecture="arm64")

    assert arm.one("docker-build:index:Image").inputs["platforms"] == ["linux/arm64"]
    assert intel.outputs["tag"] != arm.outputs["tag"]


def test_the_cache_is_read_always_and_written_by_updates_only(declare: Declare, context: Path) -> None:
    update = declared(declare, context).one("docker-build:index:Image").inputs
    preview = declared(declare, context, preview=True).one("docker-build:index:Image").inputs

    cache = f"{HOST}/quintet-test/echo:cache-x86_64"
    assert update["cacheFrom"] == preview["cacheFrom"] == [{"registry": {"ref": cache}}]
    assert update["cacheTo"] == [
        {"registry": {"ref": cache, "mode": "max", "imageManifest": True, "ociMediaTypes": True}}
    ]
    assert "cacheTo" not in preview


def test_the_password_of_the_registry_is_a_secret(declare: Declare, context: Path) -> None:
    image = declared(declare, context).one("docker-build:index:Image")

    assert image.inputs["registries"][0]["address"] == HOST
    assert "registries" in image.secrets


def test_tags_never_move_but_those_of_caches(declare: Declare, context: Path) -> None:
    repository = declared(declare, context).one("aws:ecr/repository:Repository")

    assert repository.inputs["name"] == "quintet-test/echo"
    assert repository.inputs["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert repository.inputs["imageTagMutabilityExclusionFilters"] == [{"filter": "cache-*", "filterType": "WILDCARD"}]
    assert repository.inputs["imageScanningConfiguration"] == {"scanOnPush": True}
    assert repository.inputs["encryptionConfigurations"] == [{"encryptionType": "AES256"}]
    assert repository.inputs["forceDelete"] is False


def test_an_owner_may_bring_a_key_and_drop_the_protection(declare: Declare, context: Path) -> None:
    repository = declared(declare, context, kms_key_arn=KEY, protected=False).one("aws:ecr/repository:Repository")

    assert repository.inputs["encryptionConfigurations"] == [{"encryptionType": "KMS", "kmsKey": KEY}]
    assert repository.inputs["forceDelete"] is True


def test_no_tagged_image_ever_expires(declare: Declare, context: Path) -> None:
    policy = declared(declare, context).one("aws:ecr/lifecyclePolicy:LifecyclePolicy")

    selections = [rule["selection"] for rule in parsed(policy.inputs["policy"])["rules"]]
    tagged = [item for item in selections if item["tagStatus"] != "untagged"]
    assert [item["tagPatternList"] for item in tagged] == [["cache-*"]]


def test_lambda_of_this_account_may_pull(declare: Declare, context: Path) -> None:
    [pull] = statements(declared(declare, context).one("aws:ecr/repositoryPolicy:RepositoryPolicy"))

    assert pull["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert pull["Action"] == ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    assert pull["Condition"]["ArnLike"]["aws:SourceArn"] == f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:*"


@pytest.fixture
def kept(answer: Answer) -> Callable[[str, str], None]:
    """A repository that holds one tag, and says which one the stack declares."""

    def hold(tag: str, last_built: str) -> None:
        answer("aws:ecr/getRepositories:getRepositories", {"names": ["quintet-test/echo"]})
        answer("aws:ecr/getImages:getImages", {"imageIds": [{"imageTag": tag, "imageDigest": DIGEST}]})
        answer("aws:ecr/getRepository:getRepository", {"tags": {"last-built": last_built}})

    return hold


def test_a_repository_tells_which_image_the_stack_declares(declare: Declare, context: Path) -> None:
    recording = declared(declare, context)

    repository = recording.one("aws:ecr/repository:Repository")
    assert repository.inputs["tags"] == {"last-built": recording.outputs["tag"]}


@pytest.mark.parametrize("preview", [False, True])
def test_the_image_built_last_stays_declared_and_the_same(
    declare: Declare, context: Path, kept: Callable[[str, str], None], preview: bool
) -> None:
    first = declared(declare, context)
    kept(first.outputs["tag"], first.outputs["tag"])

    again = declared(declare, context, preview=preview)

    image = "docker-build:index:Image"
    assert again.one(image).inputs == first.one(image).inputs
    assert again.one("aws:ecr/repository:Repository").inputs == first.one("aws:ecr/repository:Repository").inputs


@pytest.mark.parametrize("last_built", ["a-later-tag", "none"])
def test_an_earlier_image_is_deployed_without_being_pushed_again(
    declare: Declare, context: Path, kept: Callable[[str, str], None], last_built: str
) -> None:
    kept(declared(declare, context).outputs["tag"], last_built)

    recording = declared(declare, context)

    assert recording.of("docker-build:index:Image") == []
    assert recording.one("aws:ecr/repository:Repository").inputs["tags"] == {"last-built": "none"}
    assert recording.outputs["uri"] == f"{HOST}/quintet-test/echo@{DIGEST}"


def test_another_tag_in_the_repository_does_not_keep_it_from_being_built(
    declare: Declare, context: Path, kept: Callable[[str, str], None]
) -> None:
    kept("older", "older")

    assert declared(declare, context).one("docker-build:index:Image")


def test_an_empty_digest_is_replaced_by_the_tag(
    declare: Declare, context: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = RecordingCloud.create

    def without_digest(cloud: RecordingCloud, type_: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        id_, outputs = create(cloud, type_, inputs)
        return id_, outputs | ({"digest": ""} if type_ == "docker-build:index:Image" else {})

    monkeypatch.setattr(RecordingCloud, "create", without_digest)

    recording = declared(declare, context)

    assert recording.outputs["uri"] == f"{HOST}/quintet-test/echo:{recording.outputs['tag']}"


def test_a_promoted_image_is_the_digest_that_the_other_stack_built(
    declare: Declare, context: Path, answer: Answer
) -> None:
    answer("aws:ecr/getImage:getImage", {"imageDigest": DIGEST})

    recording = declared(declare, context, registry=PROMOTED)

    assert recording.outputs["uri"] == f"{HOST}/quintet-dev/echo@{DIGEST}"
    assert recording.of("docker-build:index:Image") == []
    assert recording.of("aws:ecr/repository:Repository") == []


def test_promoting_asks_for_the_tag_of_this_very_checkout(
    declare: Declare, context: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    real = aws.ecr.get_image
    monkeypatch.setattr(aws.ecr, "get_image", lambda **given: asked.append(given) or real(**given))

    recording = declared(declare, context, registry=PROMOTED)

    assert asked[0]["repository_name"] == "quintet-dev/echo"
    assert asked[0]["image_tag"] == recording.outputs["tag"]


def test_an_image_that_nobody_built_is_not_promoted_and_says_what_to_do(
    declare: Declare, context: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(**_given: Any) -> None:
        raise Exception("ImageNotFoundException")  # noqa: TRY002  what the SDK raises for a failed invoke

    monkeypatch.setattr(aws.ecr, "get_image", missing)

    with pytest.raises(Exception, match=r"quintet-dev/echo:\w+ cannot be promoted \(ImageNotFound") as refused:
        declared(declare, context, registry=PROMOTED)

    assert "Deploy this very commit to the stack dev first" in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"architecture": "riscv"}, "architecture is 'riscv'; allowed are 'x86_64', 'arm64'"),
        ({"base_image": ""}, "base_image is empty"),
        ({"build_args": {"BASE_IMAGE": "x"}}, "build_args names BASE_IMAGE"),
        ({"kms_key_arn": "mine"}, "kms_key_arn is 'mine'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(context: Path, changes: dict[str, Any], complaint: str) -> None:
    given = {"dockerfile": "Dockerfile", "context": context, "base_image": "python:3.12", "registry": REGISTRY}

    with pytest.raises(ArgumentsError, match=complaint):
        ServiceImageArgs(**(given | changes))


@pytest.mark.parametrize(("account", "region", "wrong"), [("1", "us-east-1", "account"), (ACCOUNT, "home", "region")])
def test_a_registry_without_an_address_is_refused(account: str, region: str, wrong: str) -> None:
    with pytest.raises(ArgumentsError, match=f"{wrong} is"):
        Registry(account=account, region=region)


def test_nodes_of_a_cluster_pull_without_a_policy_for_lambda(declare: Declare, tmp_path: Path) -> None:
    context = small_context(tmp_path / "context")

    recording = declare(lambda: an_image(context, pulled_by="nodes"))

    assert recording.of("aws:ecr/repositoryPolicy:RepositoryPolicy") == []
    assert recording.one("aws:ecr/repository:Repository")
