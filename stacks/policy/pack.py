"""The rules as Pulumi runs them: each a policy that refuses the deployment."""

import json
from collections.abc import Mapping
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyProviderResource,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from stacks.policy import (
    artifacts,
    durability,
    encryption,
    exposure,
    groups,
    literals,
    marks,
    observability,
    pods,
    transport,
    wildcards,
)
from stacks.policy.declared import UNKNOWN, Declared, Rule, Stack

NAME = "quintet"
DESCRIPTION = "What every stack of Quintet keeps to."
LEVEL = EnforcementLevel.MANDATORY
RULES: tuple[Rule, ...] = (
    wildcards.RULE,
    exposure.PUBLIC,
    exposure.INGRESS,
    encryption.RULE,
    transport.RULE,
    observability.LOGS,
    observability.ALARMS,
    durability.RULE,
    artifacts.RULE,
    marks.RULE,
    literals.RULE,
    pods.RIGHTS,
    pods.ORIGIN,
    groups.RULE,
)


def _policy(rule: Rule) -> Policy:
    return _of_a_stack(rule) if rule.whole else _of_a_resource(rule)


def _of_a_resource(rule: Rule) -> ResourceValidationPolicy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        resource = _declared(args)
        for message in rule.messages(resource, Stack((resource,))):
            report(message, None)

    return ResourceValidationPolicy(rule.name, rule.why, validate)


def _of_a_stack(rule: Rule) -> StackValidationPolicy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        stack = Stack(tuple(map(_declared, args.resources)))
        for resource in stack.resources:
            for message in rule.messages(resource, stack):
                report(message, resource.urn)

    return StackValidationPolicy(rule.name, rule.why, validate)


def _declared(given: ResourceValidationArgs | PolicyResource) -> Declared:
    props = plain(given.props)
    sources = given.property_dependencies if isinstance(given, PolicyResource) else {}
    return Declared(
        urn=given.urn,
        type=given.resource_type,
        name=given.name,
        props=props,
        tags={**_default_tags(given.provider), **_mapping(props.get("tags")), **_mapping(props.get("tagsAll"))},
        protected=bool(given.opts.protect),
        sources={key: frozenset(source.urn for source in found) for key, found in sources.items()},
    )


def plain(value: Any) -> Any:  # noqa: ANN401  any JSON
    """Dictionaries and lists in place of the SDK's, which raise about the first value that is not known yet."""
    if isinstance(value, Mapping):
        return {key: _item(value, key) for key in value}
    if hasattr(value, "__getitem__") and not isinstance(value, str | bytes):
        return [_item(value, number) for number in range(len(value))]
    return value


def _item(holder: Any, key: Any) -> Any:  # noqa: ANN401  any JSON
    try:
        return plain(holder[key])
    except UnknownValueError:
        return UNKNOWN


def _default_tags(provider: PolicyProviderResource | None) -> dict[str, Any]:
    tags = plain(provider.props).get("defaultTags") if provider else None
    # The engine hands a provider's nested properties on as JSON texts.
    return _mapping(_mapping(json.loads(tags) if isinstance(tags, str) else tags).get("tags"))


def _mapping(value: Any) -> dict[str, Any]:  # noqa: ANN401  any JSON
    return dict(value) if isinstance(value, Mapping) else {}


POLICIES: list[Policy] = [_policy(rule) for rule in RULES]
