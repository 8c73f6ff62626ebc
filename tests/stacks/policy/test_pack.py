"""The pack as Pulumi runs it: its host starts it from its folder and asks it over gRPC."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pulumi_aws as aws
import pytest
import yaml
from google.protobuf import json_format, struct_pb2
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from quintet.sandbox.engine.recording import Recording
from quintet.sandbox.engine.state import Resource
from tests.stacks.declaring import Declare
from tests.stacks.policy.judging import RULES, built_and_run_by_tag, sent

Start = Callable[..., analyzer_pb2_grpc.AnalyzerStub]


@pytest.fixture
def start(repository: Path) -> Iterator[Start]:
    """Starts the pack as Pulumi's host for Python does: the folder by its path, or, as older ones, by a module."""
    processes: list[subprocess.Popen[bytes]] = []
    channels: list[grpc.Channel] = []

    def run(*command: str) -> analyzer_pb2_grpc.AnalyzerStub:
        folder = repository / "stacks" / "policy"
        processes.append(
            subprocess.Popen(
                [sys.executable, "-u", *(command or (str(folder), "127.0.0.1:1"))],
                cwd=folder,
                stdout=subprocess.PIPE,
            )
        )
        assert processes[-1].stdout
        port = int(processes[-1].stdout.readline())
        channels.append(grpc.insecure_channel(f"127.0.0.1:{port}"))
        return analyzer_pb2_grpc.AnalyzerStub(channels[-1])

    yield run
    for channel in channels:
        channel.close()
    for process in processes:
        process.kill()
        process.wait()


def struct(properties: dict[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(sent(properties), struct_pb2.Struct())


def provider(item: Resource, recording: Recording) -> analyzer_pb2.AnalyzerProviderResource | None:
    found = next((other for other in recording.resources if other.urn == item.provider), None)
    if found is None:
        return None
    given = struct(found.inputs)
    return analyzer_pb2.AnalyzerProviderResource(type=found.type, urn=found.urn, name=found.name, properties=given)


def common(item: Resource, recording: Recording) -> dict[str, Any]:
    options = analyzer_pb2.AnalyzerResourceOptions(protect=item.options.protect, parent=item.parent)
    named = {"type": item.type, "urn": item.urn, "name": item.name}
    return named | {"options": options, "provider": provider(item, recording)}


def of_stack(recording: Recording) -> analyzer_pb2.AnalyzeStackRequest:
    def resource(item: Resource) -> analyzer_pb2.AnalyzerResource:
        sources = {
            key: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns)
            for key, urns in item.property_dependencies.items()
        }
        return analyzer_pb2.AnalyzerResource(
            **common(item, recording),
            properties=struct(item.inputs | item.outputs),
            parent=item.parent,
            dependencies=item.dependencies,
            propertyDependencies=sources,
        )

    return analyzer_pb2.AnalyzeStackRequest(resources=[resource(item) for item in recording.resources])


def of_resource(item: Resource, recording: Recording) -> analyzer_pb2.AnalyzeRequest:
    return analyzer_pb2.AnalyzeRequest(**common(item, recording), properties=struct(item.inputs))


def diagnostics(pack: analyzer_pb2_grpc.AnalyzerStub, recording: Recording) -> list[analyzer_pb2.AnalyzeDiagnostic]:
    found = [one for item in recording.resources for one in pack.Analyze(of_resource(item, recording)).diagnostics]
    return [*found, *pack.AnalyzeStack(of_stack(recording)).diagnostics]


@pytest.mark.parametrize("command", [(), ("-m", "pulumi.policy", "127.0.0.1:1", ".")], ids=["path", "module"])
def test_the_pack_tells_its_rules_and_that_they_are_mandatory(start: Start, command: tuple[str, ...]) -> None:
    info = start(*command).GetAnalyzerInfo(Empty())

    assert info.name == "quintet"
    assert [policy.name for policy in info.policies] == list(RULES)
    assert {policy.enforcementLevel for policy in info.policies} == {analyzer_pb2.MANDATORY}
    assert all(policy.description.endswith(".") for policy in info.policies)


@pytest.mark.parametrize("preview", [False, True], ids=["update", "preview"])
def test_the_pack_lets_production_pass(start: Start, program: Callable[..., Recording], preview: bool) -> None:
    recording = program("prod", preview=preview)

    found = diagnostics(start(), recording)

    assert [one.message for one in found] == []


def test_the_pack_refuses_a_mistake_and_names_the_resource(start: Start, declare: Declare) -> None:
    def program() -> None:
        aws.sqs.Queue("orders")
        aws.lambda_.FunctionUrl("door", function_name="f", authorization_type="NONE")

    found = diagnostics(start(), declare(program))

    by_rule = {one.policyName: one for one in found}
    assert by_rule.keys() == {"encrypted-at-rest", "ingress-through-edges", "required-tags"}
    assert by_rule["encrypted-at-rest"].urn.endswith("aws:sqs/queue:Queue::orders")
    assert "aws:sqs/queue:Queue orders: keeps messages unencrypted. Set" in by_rule["encrypted-at-rest"].message
    assert {one.enforcementLevel for one in found} == {analyzer_pb2.MANDATORY}


@pytest.mark.parametrize(("preview", "count"), [(True, 0), (False, 1)])
def test_the_pack_sees_what_a_preview_cannot_know(start: Start, declare: Declare, preview: bool, count: int) -> None:
    response = start().AnalyzeStack(of_stack(declare(built_and_run_by_tag, preview=preview)))

    assert len([one for one in response.diagnostics if one.policyName == "images-by-digest"]) == count


def test_the_pack_names_the_environment_it_runs_in(repository: Path) -> None:
    folder = repository / "stacks" / "policy"
    given = yaml.safe_load((folder / "PulumiPolicy.yaml").read_text())
    project = yaml.safe_load((repository / "Pulumi.yaml").read_text())

    environment = folder / given["runtime"]["options"]["virtualenv"]
    assert environment.resolve() == (repository / project["runtime"]["options"]["virtualenv"]).resolve()


def test_nothing_of_the_pack_hides_a_module_of_the_same_name(repository: Path) -> None:
    # The host puts the folder of the pack before all others on Python's path.
    own = {path.stem for path in (repository / "stacks" / "policy").glob("*.py")}

    assert not own & sys.stdlib_module_names
