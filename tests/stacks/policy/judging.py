"""What the pack says about a recording: its own policies, given what the Pulumi engine would give them."""

import re
from collections.abc import Iterable
from typing import Any

import pulumi_aws as aws
import pulumi_docker_build as docker_build
from pulumi_policy import (
    PolicyCustomTimeouts,
    PolicyProviderResource,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from quintet.sandbox.engine.cloud import is_unknown
from quintet.sandbox.engine.recording import Recording
from quintet.sandbox.engine.state import Resource
from stacks.policy.pack import POLICIES

DIGEST = f"sha256:{'a' * 64}"
RULES = tuple(policy.name for policy in POLICIES)


def verdicts(recording: Recording, *rules: str) -> list[str]:
    """What some rules, or all, have to say: `rule: message`."""
    wanted = [policy for policy in POLICIES if not rules or policy.name in rules]
    assert {*rules} <= {policy.name for policy in wanted}, f"no such rule among {RULES}"
    found: list[str] = []
    for policy in wanted:

        def report(message: str, urn: str | None = None, name: str = policy.name) -> None:
            found.append(f"{name}: {message}")

        if isinstance(policy, StackValidationPolicy):
            policy.validate(StackValidationArgs(_resources(recording)), report)
        elif isinstance(policy, ResourceValidationPolicy):
            for args in _arguments(recording):
                policy.validate(args, report)
    return found


def _resources(recording: Recording) -> list[PolicyResource]:
    made = {item.urn: _resource(item, recording) for item in recording.resources}
    for item in recording.resources:
        made[item.urn].parent = made.get(item.parent)
        made[item.urn].dependencies = _known(made, item.dependencies)
        made[item.urn].property_dependencies = {
            key: _known(made, urns) for key, urns in item.property_dependencies.items()
        }
    return list(made.values())


def _resource(item: Resource, recording: Recording) -> PolicyResource:
    outputs = unknown_checking_proxy(sent(item.inputs | item.outputs))
    return PolicyResource(
        item.type, outputs, item.urn, item.name, _options(item), _provider(item, recording), None, [], {}
    )


def _arguments(recording: Recording) -> Iterable[ResourceValidationArgs]:
    for item in recording.resources:
        inputs = unknown_checking_proxy(sent(item.inputs))
        yield ResourceValidationArgs(item.type, inputs, item.urn, item.name, _options(item), _provider(item, recording))


def _known(made: dict[str, PolicyResource], urns: Iterable[str]) -> list[PolicyResource]:
    return [made[urn] for urn in urns if urn in made]


def _options(item: Resource) -> PolicyResourceOptions:
    timeouts = PolicyCustomTimeouts(0, 0, 0)
    return PolicyResourceOptions(item.options.protect, [], None, [], timeouts, [], item.parent or None)


def _provider(item: Resource, recording: Recording) -> PolicyProviderResource | None:
    for provider in recording.resources:
        if provider.urn == item.provider:
            props = unknown_checking_proxy(sent(provider.inputs))
            return PolicyProviderResource(provider.type, props, provider.urn, provider.name)
    return None


def sent(value: Any) -> Any:
    """A value as the engine sends it, with the mark of what is not known yet."""
    if isinstance(value, str) and is_unknown(value):
        return UNKNOWN_STRING_VALUE
    if isinstance(value, dict):
        return {key: sent(item) for key, item in value.items() if item is not None}
    return [sent(item) for item in value] if isinstance(value, list) else value


def matching(verdict: list[str], pattern: str) -> bool:
    """Whether exactly one verdict fits."""
    return len([message for message in verdict if re.search(pattern, message)]) == 1


def function(**changes: Any) -> aws.lambda_.Function:
    given = {"role": "r", "package_type": "Image", "image_uri": f"repository@{DIGEST}"} | changes
    return aws.lambda_.Function("f", **given)


def built_and_run_by_tag() -> None:
    docker_build.Image("i", push=False, tags=["repository:abc"])
    function(image_uri="repository:abc")
