"""The whole program, for every stack: contracts that no single component can hold."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest

import stacks
from quintet.sandbox.engine.monitor import Monitor
from quintet.sandbox.engine.recording import Recording, record
from services.moderation.settings import Settings as ServiceSettings
from stacks import shared
from stacks.base_images import BaseImage, BaseImageError
from stacks.components.build_context import BuildContext
from stacks.settings import NAME_LIMITS, Common
from tests.stacks.declaring import ACCOUNT, KEY, STACKS, parsed, statements

FUNCTION, ROLE, ALARM = "aws:lambda/function:Function", "aws:iam/role:Role", "aws:cloudwatch/metricAlarm:MetricAlarm"
Program = Callable[..., Recording]
everywhere = pytest.mark.parametrize("stack", STACKS)


@everywhere
@pytest.mark.parametrize("preview", [False, True], ids=["update", "preview"])
def test_every_stack_can_be_evaluated(program: Program, stack: str, preview: bool) -> None:
    recording = program(stack, preview=preview)

    assert recording.one(FUNCTION)
    on = {"moderation"} if stack == "dev" else {"moderation", "sentiment"}
    assert recording.outputs["endpoints"].keys() == on
    assert recording.outputs["services"].keys() == on


@everywhere
def test_the_endpoints_are_addresses(program: Program, stack: str) -> None:
    endpoints = program(stack).outputs["endpoints"]

    assert endpoints["moderation"]["url"].startswith("https://")
    assert not endpoints["moderation"]["url"].endswith("/")


def test_an_operator_finds_what_runs(program: Program) -> None:
    recording = program("dev")

    details = recording.outputs["services"]["moderation"]
    assert details["function"] == recording.one(FUNCTION).outputs["name"]
    assert details["image"] == recording.one(FUNCTION).inputs["imageUri"]
    assert details["model"] == "moderation/1.2.0/"
    assert recording.outputs["alarmTopic"].startswith("arn:aws:sns:")


@everywhere
def test_the_environment_of_the_function_is_what_its_settings_read(program: Program, stack: str) -> None:
    variables = program(stack).one(FUNCTION).inputs["environment"]["variables"]

    assert set(variables) == {name.upper() for name in ServiceSettings.model_fields}


@everywhere
def test_the_settings_of_the_service_take_the_values_of_the_program(
    program: Program, stack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in program(stack).one(FUNCTION).inputs["environment"]["variables"].items():
        monkeypatch.setenv(name, value)

    settings = ServiceSettings()

    assert settings.environment == stack
    assert settings.model_prefix == "moderation/1.2.0/"


@everywhere
def test_handlers_exist_and_import(program: Program, stack: str) -> None:
    for function in program(stack).of(FUNCTION):
        [handler] = function.inputs["imageConfig"]["commands"]
        module, _, name = handler.rpartition(".")

        assert callable(getattr(importlib.import_module(module), name))


@everywhere
def test_the_role_of_moderation_may_do_what_its_code_does_and_no_more(program: Program, stack: str) -> None:
    recording = program(stack)

    bucket = recording.one("aws:s3/bucket:Bucket", name="moderation-models-bucket").outputs["arn"]
    policy = statements(recording.one("aws:iam/rolePolicy:RolePolicy", name="moderation-role-policy"))
    allowed = {action: item["Resource"] for item in policy for action in item["Action"]}
    assert allowed["s3:GetObject"] == [f"{bucket}/moderation/1.2.0/*"]
    assert allowed["dynamodb:BatchWriteItem"] == [recording.one("aws:dynamodb/table:Table").outputs["arn"]]
    assert allowed["kms:GenerateMac"] == [recording.one("aws:kms/key:Key", name="moderation-hash-key").outputs["arn"]]
    assert {action for action in allowed if not action.startswith(("logs:", "xray:"))} == {
        "s3:GetObject",
        "dynamodb:BatchWriteItem",
        "kms:GenerateMac",
    }


@everywhere
def test_every_wildcard_of_a_role_has_a_written_reason(program: Program, stack: str) -> None:
    policies = program(stack).of("aws:iam/rolePolicy:RolePolicy")

    wild = [
        item
        for policy in policies
        for item in statements(policy)
        if any("*" in text for text in (*item["Action"], *item["Resource"]))
    ]
    assert wild
    assert all(item.get("Sid") for item in wild)


@everywhere
def test_every_function_and_every_api_is_watched(program: Program, stack: str) -> None:
    recording = program(stack)

    alarms = [item.inputs for item in recording.of(ALARM)]
    of = {
        name: {item["metricName"] for item in alarms if name in item["dimensions"].values()}
        for name in subjects(recording)
    }
    assert of
    for name, wanted in subjects(recording).items():
        assert wanted <= of[name], name


def subjects(recording: Recording) -> dict[str, set[str]]:
    functions = {item.outputs["name"]: {"Errors", "Throttles", "Duration"} for item in recording.of(FUNCTION)}
    return functions | {item.id: {"5xx", "Latency"} for item in recording.of("aws:apigatewayv2/api:Api")}


@everywhere
def test_every_alarm_tells_the_topic_and_says_what_silence_means(program: Program, stack: str) -> None:
    recording = program(stack)

    topic = recording.one("aws:sns/topic:Topic").outputs["arn"]
    for alarm in recording.of(ALARM):
        assert alarm.inputs["alarmActions"] == [topic]
        assert alarm.inputs["treatMissingData"]
        assert alarm.inputs["datapointsToAlarm"] <= alarm.inputs["evaluationPeriods"]


def test_a_broken_model_and_a_gap_in_the_audit_are_alarming(program: Program) -> None:
    own = [item.inputs for item in program("prod").of(ALARM) if item.inputs["namespace"] == "Quintet"]

    assert {item["metricName"] for item in own} == {"ModelUnavailable", "DecisionLogFailures"}
    assert all(item["dimensions"] == {"service": "moderation", "environment": "prod"} for item in own)


@everywhere
def test_every_log_group_expires(program: Program, stack: str) -> None:
    groups = program(stack).of("aws:cloudwatch/logGroup:LogGroup")

    assert groups
    assert all(group.inputs["retentionInDays"] > 0 for group in groups)


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_what_holds_data_is_protected_where_people_rely_on_it(program: Program, stack: str) -> None:
    recording = program(stack)

    stateful = [
        recording.one("aws:dynamodb/table:Table"),
        recording.one("aws:kms/key:Key", name="moderation-hash-key"),
        *recording.of("aws:s3/bucket:Bucket"),
    ]
    assert all(item.options.protect for item in stateful)
    assert recording.one("aws:dynamodb/table:Table").inputs["deletionProtectionEnabled"] is True
    assert not any(item.inputs["forceDestroy"] for item in recording.of("aws:s3/bucket:Bucket"))


@everywhere
def test_protection_never_stands_in_the_way_of_a_deployment(program: Program, stack: str) -> None:
    recording = program(stack)

    changing = [FUNCTION, "aws:lambda/alias:Alias", ROLE, "aws:apigatewayv2/api:Api", "docker-build:index:Image"]
    assert not any(item.options.protect for type_ in changing for item in recording.of(type_))


@pytest.mark.parametrize("stack", ["sandbox", "dev"])
def test_a_stack_that_comes_and_goes_can_be_taken_down(program: Program, stack: str) -> None:
    recording = program(stack)

    assert not any(item.options.protect for item in recording.resources)
    assert all(item.inputs["forceDestroy"] for item in recording.of("aws:s3/bucket:Bucket"))
    assert {item.inputs["forceDelete"] for item in recording.of("aws:ecr/repository:Repository")} == {True}
    assert {item.inputs["deletionWindowInDays"] for item in recording.of("aws:kms/key:Key")} == {7}


# Types that cost money while nobody calls, in dollars a month (list prices, us-east-1).
IDLE = {"aws:kms/key:Key": 1.0, "aws:cloudwatch/metricAlarm:MetricAlarm": 0.10}
FREE_DASHBOARDS = 3


def test_dev_costs_less_than_ten_dollars_idle(program: Program) -> None:
    recording = program("dev")

    cost = sum(price * len(recording.of(type_)) for type_, price in IDLE.items())
    assert cost < 10
    assert len(recording.of("aws:cloudwatch/dashboard:Dashboard")) <= FREE_DASHBOARDS
    dear = ("natGateway", "provisionedConcurrency", "vpcEndpoint", "loadBalancer", "webAcl")
    assert not [item.type for item in recording.resources if any(word in item.type for word in dear)]


def test_prod_keeps_instances_warm(program: Program) -> None:
    kind = "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig"

    assert program("prod").one(kind).inputs["provisionedConcurrentExecutions"] == 2
    assert program("staging").of(kind) == []


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_what_dev_built_is_promoted(program: Program, stack: str) -> None:
    recording = program(stack)

    assert recording.of("docker-build:index:Image") == []
    assert recording.of("aws:ecr/repository:Repository") == []
    uri = recording.one(FUNCTION).inputs["imageUri"]
    assert uri.startswith(f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/quintet-dev/moderation@sha256:")


@everywhere
def test_a_boundary_is_on_every_role(program: Program, stack: str) -> None:
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/limit"

    roles = program(stack, permissionsBoundary=boundary).of(ROLE)

    assert roles
    assert {role.inputs["permissionsBoundary"] for role in roles} == {boundary}
    assert not any("permissionsBoundary" in role.inputs for role in program(stack).of(ROLE))


def test_tags_come_from_the_provider_and_every_resource_uses_it(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: dict[str, str] = {}
    register = Monitor.RegisterResource

    def noting(monitor: Monitor, request: Any, *rest: Any) -> Any:
        if request.custom and request.type.startswith("aws:"):
            used[request.name] = request.provider.rpartition("::")[0]
        return register(monitor, request, *rest)

    monkeypatch.setattr(Monitor, "RegisterResource", noting)

    provider = program("dev", tags={"team": "ml"}).one("pulumi:providers:aws", name="aws")

    assert parsed(provider.inputs["defaultTags"]) == {
        "tags": {"team": "ml", "project": "quintet", "environment": "dev", "managed-by": "pulumi"}
    }
    assert provider.inputs["region"] == "us-east-1"
    assert set(used.values()) == {provider.urn}


def test_a_key_of_the_owner_encrypts_all_that_is_stored(program: Program) -> None:
    recording = program("dev", kmsKey=KEY)

    rules = recording.one(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        name="moderation-models-encryption",
    ).inputs["rules"]
    assert rules[0]["applyServerSideEncryptionByDefault"]["kmsMasterKeyId"] == KEY
    assert recording.one("aws:dynamodb/table:Table").inputs["serverSideEncryption"]["kmsKeyArn"] == KEY
    assert {item.inputs["kmsKeyId"] for item in recording.of("aws:cloudwatch/logGroup:LogGroup")} == {KEY}
    for repository in recording.of("aws:ecr/repository:Repository"):
        assert repository.inputs["encryptionConfigurations"][0]["kmsKey"] == KEY


def test_settings_reach_the_resources(program: Program) -> None:
    recording = program(
        "dev",
        region="eu-central-1",
        alarmEmails=["a@example.com"],
        moderationMemory=1024,
        moderationTimeout=12,
        moderationReservedConcurrency=4,
        moderationProvisionedConcurrency=3,
        moderationArchitecture="arm64",
        moderationCorsOrigins=["https://site.example"],
        moderationAuthorization="iam",
        moderationDecisionTtlDays=5,
        moderationLogLevel="DEBUG",
        logRetentionDays=3,
    )

    function = recording.one(FUNCTION).inputs
    variables = function["environment"]["variables"]
    assert (function["memorySize"], function["timeout"], function["reservedConcurrentExecutions"]) == (1024, 12, 4)
    assert function["architectures"] == ["arm64"]
    assert (variables["DECISION_TTL_DAYS"], variables["LOG_LEVEL"]) == ("5", "DEBUG")
    assert ".dkr.ecr.eu-central-1." in function["imageUri"]
    assert recording.one("aws:sns/topicSubscription:TopicSubscription").inputs["endpoint"] == "a@example.com"
    routes = {
        item.inputs["routeKey"]: item.inputs["authorizationType"]
        for item in recording.of("aws:apigatewayv2/route:Route")
    }
    assert routes == {"ANY /{path+}": "AWS_IAM", "OPTIONS /{path+}": "NONE"}


def test_a_domain_of_ones_own_is_the_endpoint(program: Program) -> None:
    recording = program(
        "dev",
        moderationDomain="moderation.example.com",
        moderationCertificate=f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/1",
    )

    assert recording.outputs["endpoints"]["moderation"]["url"] == "https://moderation.example.com"


def test_a_service_that_is_off_leaves_nothing_behind(program: Program) -> None:
    recording = program("dev", moderation=False)

    assert recording.outputs["endpoints"] == {}
    assert not [item.name for item in recording.resources if item.name.startswith("moderation")]


@everywhere
def test_physical_names_fit_with_the_longest_stack_name(program: Program, stack: str) -> None:
    recording = program(stack)

    limited = {"bucket": "aws:s3/bucket:Bucket", "role": ROLE, "function": FUNCTION}
    for what, limit, longest in NAME_LIMITS:
        names = [item.name for item in recording.of(limited[what])]
        assert max(map(len, names)) <= len(longest), f"NAME_LIMITS knows no {what} as long as {names}"
        assert all(
            len(item.outputs["name" if what != "bucket" else "bucket"]) <= limit for item in recording.of(limited[what])
        )


def test_data_is_keyed_as_the_service_writes_it(program: Program) -> None:
    table = program("dev").one("aws:dynamodb/table:Table").inputs

    assert (table["hashKey"], table["ttl"]["attributeName"]) == ("decision_id", "expires_at")
    [index] = table["globalSecondaryIndexes"]
    assert (index["name"], index["hashKey"], index["rangeKey"]) == ("by-day", "day_shard", "decided_at")


def test_the_function_starts_when_its_model_is_there(program: Program) -> None:
    recording = program("dev")

    objects = {item.urn for item in recording.of("aws:s3/bucketObjectv2:BucketObjectv2")}
    assert len(objects) == 3
    assert objects <= set(recording.one(FUNCTION).dependencies)


def test_the_model_of_the_repository_is_the_default_and_complete(repository: Path) -> None:
    recording = record("dev", root=repository)

    manifest = parsed((repository / "models/moderation/manifest.json").read_text())
    keys = {item.inputs["key"] for item in recording.of("aws:s3/bucketObjectv2:BucketObjectv2")}
    assert keys == {f"moderation/{manifest['version']}/{name}" for name in (*manifest["files"], "manifest.json")}


def test_the_image_of_moderation_is_built_from_its_code_and_no_leftovers(repository: Path) -> None:
    files = BuildContext(root=repository, dockerfile="services/moderation/Dockerfile").files()

    assert {"services/moderation/app.py", "services/common/__init__.py", "requirements/moderation.txt"} <= set(files)
    assert not [name for name in files if name.endswith(".pyc") or name.startswith(("stacks", "quintet", "tests"))]


def test_wrong_settings_stop_the_program_before_anything_is_declared(program: Program) -> None:
    with pytest.raises(Exception, match=r"moderationMemory = '1'.*\n?.*greater than or equal to 128"):
        program("dev", moderationMemory=1)


def test_a_model_that_is_cut_stops_the_program(program: Program, model_directory: Path) -> None:
    (model_directory / "model.onnx").write_bytes(b"cut")

    with pytest.raises(Exception, match=r"model\.onnx has 3 bytes, the manifest says 7"):
        program("dev")


LOOSE = {"python": BaseImage("example/python", "3.12", None)}


def common(**changes: Any) -> Common:
    given = {"region": "us-east-1", "protected": False, "alarm_emails": (), "log_retention_days": 7, "tags": {}}
    given |= {"permissions_boundary": None, "kms_key": None, "images": "build", "images_from": None}
    given |= {"images_also": ()}
    return Common(**(given | changes))


def test_a_protected_stack_does_not_build_on_what_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "read_pins", lambda: LOOSE)

    with pytest.raises(BaseImageError, match="A protected stack does not build on base images without a digest"):
        shared._checked_pins(common(protected=True))


def test_a_stack_that_comes_and_goes_is_only_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(shared, "read_pins", lambda: LOOSE)
    monkeypatch.setattr(pulumi.log, "info", told.append)

    assert shared._checked_pins(common()) == LOOSE

    assert "python: they may change from one build to the next" in told[0]
    assert "python -m stacks.base_images" in told[0]


@pytest.mark.parametrize(
    ("changes", "digest"), [({}, f"sha256:{'d' * 64}"), ({"images": "promote", "images_from": "dev"}, None)]
)
def test_of_pinned_bases_and_promoted_images_there_is_nothing_to_tell(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], digest: str | None
) -> None:
    told: list[str] = []
    monkeypatch.setattr(shared, "read_pins", lambda: {"python": BaseImage("example/python", "3.12", digest)})
    monkeypatch.setattr(pulumi.log, "info", told.append)

    shared._checked_pins(common(protected=True, **changes))

    assert told == []


def test_an_old_python_is_told_to_go(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer; this is 3\.9\. Run `make install`"):
        stacks.require_python((3, 9))

    stacks.require_python(sys.version_info[:2])
    assert capsys.readouterr().err == ""


@everywhere
def test_nothing_of_a_person_or_a_machine_is_declared(program: Program, stack: str, repository: Path) -> None:
    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for key, item in value.items() if key != "path" for text in texts(item)]
        return [text for item in value for text in texts(item)] if isinstance(value, list) else [str(value)]

    # The model of the tests lies outside; the engine alone makes the asset's path absolute.
    inputs = [text for item in program(stack).resources for text in texts(item.inputs)]
    assert not [text for text in inputs if str(repository) in text]


def test_no_module_of_the_program_hides_one_of_python(repository: Path) -> None:
    """Pulumi puts the program's folder first on the path: `import platform` anywhere would find ours."""
    names = {path.stem for path in (repository / "stacks").iterdir()}

    assert names & sys.stdlib_module_names == set()
