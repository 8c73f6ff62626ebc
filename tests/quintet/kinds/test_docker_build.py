"""Images as the program declares them: pushed to ECR under their tag, another one when the code changes."""

import pytest
from botocore.exceptions import ClientError

from quintet.sandbox.engine.errors import SandboxError
from quintet.sandbox.kinds.base import UNKNOWN
from tests.quintet.emulator.running import error_code
from tests.quintet.kinds.deploying import Deployer


def test_an_image_is_in_ecr_under_its_tag_and_digest(deploy: Deployer) -> None:
    image = deploy.image()
    repository, _, tag = image["tags"][0].partition("/")[2].partition(":")

    found = deploy.world.client("ecr").describe_images(repositoryName=repository)["imageDetails"]

    assert [(each["imageDigest"], each["imageTags"]) for each in found] == [(image["digest"], [tag])]
    assert image["ref"] == f"{image['tags'][0]}@{image['digest']}"


def test_an_export_to_a_registry_pushes_as_well(deploy: Deployer) -> None:
    assert deploy.image(push=False, exports=[{"registry": {}}]).read() is not None


def test_an_image_that_is_not_pushed_is_not_in_ecr(deploy: Deployer) -> None:
    image = deploy.image(push=False)

    with pytest.raises(SandboxError, match="does not exist"):
        deploy.function(image)


def test_a_change_of_the_code_shows_in_a_preview(deploy: Deployer) -> None:
    image = deploy.image("previewed")
    inputs = {key: value for key, value in image.inputs.items() if key != "contextHash"}

    (deploy.world.root / "previewed" / "app.py").write_text("changed")
    checked = deploy.cloud.check(image.type, "x", image.inputs, inputs, autoname="x")

    assert deploy.cloud.diff(image.type, image.inputs, checked).changed == ("contextHash",)
    assert deploy.cloud.planned(image.type, image.outputs, checked)["digest"] == UNKNOWN


def test_nothing_changed_is_no_change(deploy: Deployer) -> None:
    image = deploy.image("unchanged")
    inputs = {key: value for key, value in image.inputs.items() if key != "contextHash"}

    checked = deploy.cloud.check(image.type, "x", image.inputs, inputs, autoname="x")

    assert deploy.cloud.diff(image.type, image.inputs, checked).changed == ()


def test_what_was_built_before_stays_for_those_who_run_it(deploy: Deployer) -> None:
    image = deploy.image("rebuilt")
    before = image["digest"]
    (deploy.world.root / "rebuilt" / "app.py").write_text("changed")

    image.update({key: value for key, value in image.inputs.items() if key != "contextHash"})

    assert image["digest"] != before
    assert before in deploy.world.images
    assert image["digest"] in deploy.world.images


def test_a_push_without_credentials_for_the_registry_is_refused(deploy: Deployer) -> None:
    with pytest.raises(SandboxError, match="`registries` has no credentials"):
        deploy.image(registries=[])


def test_a_push_to_a_foreign_registry_is_refused(deploy: Deployer) -> None:
    foreign = {"tags": ["docker.io/me/image:1"], "registries": [{"address": "docker.io"}]}

    with pytest.raises(SandboxError, match=r"is not in the account's registry 123456789012\.dkr\.ecr"):
        deploy.image(**foreign)


def test_a_push_to_a_repository_that_is_not_declared_fails(deploy: Deployer) -> None:
    tag = "123456789012.dkr.ecr.us-east-1.amazonaws.com/undeclared:1"

    with pytest.raises(ClientError) as error:
        deploy.image(tags=[tag])

    assert error_code(error) == "RepositoryNotFoundException"


def test_an_immutable_tag_takes_no_other_image(deploy: Deployer) -> None:
    repository = deploy.make("aws:ecr/repository:Repository", imageTagMutability="IMMUTABLE")
    tag = f"{repository['repositoryUrl']}:v1"
    deploy.image("immutable-one", tags=[tag])

    with pytest.raises(ClientError) as error:
        deploy.image("immutable-two", tags=[tag])

    assert error_code(error) == "ImageTagAlreadyExistsException"


def test_an_image_that_is_gone_from_ecr_is_gone(deploy: Deployer) -> None:
    image = deploy.image()
    name = image["tags"][0].partition("/")[2].partition(":")[0]

    deploy.world.client("ecr").batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": image["digest"]}])

    assert image.read() is None


def test_a_dockerfile_that_forgets_a_module_leaves_it_out(deploy: Deployer) -> None:
    folder = deploy.world.root / "forgetful"
    folder.mkdir()
    (folder / "needed.py").write_text("")

    function = deploy.function(deploy.image("forgetful"))

    code = deploy.world.describe_function(function["qualifiedArn"]).code_root
    assert (code / "app.py").is_file()
    assert not (code / "needed.py").exists()
