"""Rules of what is deployed: each finds its mistake, says how to mend it, and leaves alone what only looks like it."""

import json
from collections.abc import Callable

import pulumi
import pulumi_aws as aws
import pulumi_docker_build as docker_build
import pytest

from tests.stacks.declaring import ACCOUNT, Declare
from tests.stacks.policy.judging import DIGEST, built_and_run_by_tag, function, matching, verdicts

Program = Callable[[], object]


def task(image: str) -> Program:
    containers = json.dumps([{"name": "web", "image": image}])
    return lambda: aws.ecs.TaskDefinition("t", family="t", container_definitions=containers)


def cron_job(image: str) -> Program:
    pod = {"containers": [{"name": "a", "image": image}], "restartPolicy": "Never"}
    spec = {"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    return lambda: pulumi.CustomResource("kubernetes:batch/v1:CronJob", "c", {"spec": spec})


LOOSE: list[tuple[Program, str]] = [
    (lambda: function(image_uri="repository:latest"), "Function f: runs the image repository:latest, which may be ano"),
    (lambda: function(image_uri="repository@sha256:abc"), "runs the image repository@sha256:abc"),
    (task("nginx"), "TaskDefinition t: runs the image nginx.* Deploy it as `repository@sha256"),
    (cron_job("nginx:1"), "CronJob c: runs the image nginx:1"),
    (lambda: aws.ecr.Repository("r"), "Repository r: lets a tag be moved to another image. Set `imageTagMutability`"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "message"), LOOSE)
def test_an_image_that_may_change_is_found(declare: Declare, program: Program, message: str) -> None:
    assert matching(verdicts(declare(program), "images-by-digest"), message)


@pytest.mark.parametrize(
    "program",
    [
        function,
        task(f"nginx@{DIGEST}"),
        cron_job(f"nginx:1@{DIGEST}"),
        lambda: aws.ecr.Repository("r", image_tag_mutability="IMMUTABLE"),
    ],
)
def test_an_image_by_its_digest_is_fine(declare: Declare, program: Program) -> None:
    assert verdicts(declare(program), "images-by-digest") == []


@pytest.mark.parametrize(("preview", "count"), [(True, 0), (False, 1)])
def test_only_a_preview_may_name_the_tag_of_an_image_that_it_builds(
    declare: Declare, preview: bool, count: int
) -> None:
    recording = declare(built_and_run_by_tag, preview=preview)

    assert len(verdicts(recording, "images-by-digest")) == count


def tagged(**tags: str) -> Program:
    def program() -> None:
        provider = aws.Provider("aws", default_tags={"tags": tags})
        aws.sqs.Queue("q", opts=pulumi.ResourceOptions(provider=provider))

    return program


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (lambda: aws.sqs.Queue("q"), "Queue q: lacks the tag project and environment and managed-by. Give it the prov"),
        (tagged(project="quintet", environment="test"), "lacks the tag managed-by"),
        (
            tagged(project="quintet", environment="prod", **{"managed-by": "pulumi"}),
            "is tagged as of the environment 'prod' in the stack 'test'. Leave",
        ),
    ],
)
def test_a_resource_that_nobody_would_find_is_found(declare: Declare, program: Program, message: str) -> None:
    assert matching(verdicts(declare(program), "required-tags"), message)


@pytest.mark.parametrize(
    "program",
    [
        tagged(project="quintet", environment="test", **{"managed-by": "pulumi"}),
        lambda: aws.lambda_.Alias("a", function_name="f", function_version="1"),
    ],
)
def test_the_tags_of_the_provider_and_what_takes_none_are_fine(declare: Declare, program: Program) -> None:
    assert verdicts(declare(program), "required-tags") == []


def variable(**variables: str) -> Program:
    return lambda: function(environment={"variables": variables})


def container(name: str, value: str) -> Program:
    text = json.dumps([{"name": "web", "image": "i", "environment": [{"name": name, "value": value}]}])
    return lambda: aws.ecs.TaskDefinition("t", family="t", container_definitions=text)


SECRET = "correct-horse-battery"
PRIVATE_KEY = f"-----BEGIN {'PRIVATE KEY'}-----"
FOUND: list[tuple[Program, str]] = [
    (variable(DB_PASSWORD=SECRET), "Function f: holds the value of DB_PASSWORD in `environment`. Keep it"),
    (variable(api_key=SECRET), "holds the value of api_key"),
    (variable(CLIENT_SECRET=SECRET), "holds the value of CLIENT_SECRET"),
    (container("HF_TOKEN", SECRET), "TaskDefinition t: holds the value of HF_TOKEN in `containerDefinitions`"),
    (variable(SETTING="AKIA" + "Q" * 16), "holds an access key of AWS in `environment.variables.SETTING`"),
    (variable(URL="postgres://app:hunter2@db.example/app"), "holds an address with a password"),
    (lambda: aws.ssm.Document("d", document_type="Command", content=PRIVATE_KEY), "a private key"),
    (lambda: aws.sqs.Queue("q", tags={"x": "ghp_" + "a" * 36}), "holds a token of GitHub in `tags.x`"),
    (lambda: docker_build.Image("i", push=False, build_args={"NPM_TOKEN": SECRET}), "holds the value of NPM_TOKEN"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "message"), FOUND)
def test_a_secret_is_found_and_not_repeated(declare: Declare, program: Program, message: str) -> None:
    found = verdicts(declare(program), "no-secret-literal")

    assert matching(found, message)
    assert not [text for text in found if SECRET in text or "hunter2" in text or "AKIAQ" in text]


@pytest.mark.parametrize(
    "program",
    [
        variable(DB_SECRET=f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:db"),
        variable(HASH_KEY_ID="0a1b", TOKEN_URL="https://example.com/token", SECRET_NAME="db", USE_TOKEN="true"),
        variable(PASSWORD=""),
        lambda: aws.secretsmanager.SecretVersion("s", secret_id="s", secret_string="AKIA" + "Q" * 16),
        lambda: docker_build.Image("i", push=False, registries=[{"address": "a", "password": SECRET}]),
    ],
)  # fmt: skip
def test_a_reference_and_what_is_made_for_secrets_are_fine(declare: Declare, program: Program) -> None:
    assert verdicts(declare(program), "no-secret-literal") == []
