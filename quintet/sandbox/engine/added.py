"""What the cloud adds to what is declared, also within a structure that the program gives.

A cluster's security group is a part of its `vpcConfig`: a change of that input must neither lose it nor, in a preview,
make it unknown.
"""

from collections.abc import Mapping
from typing import Any

from quintet.sandbox.engine.cloud import UNKNOWN, Properties

WITHIN_INPUTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "aws:apigatewayv2/domainName:DomainName": ("domainNameConfiguration", ("hostedZoneId", "targetDomainName")),
    "aws:eks/cluster:Cluster": ("vpcConfig", ("clusterSecurityGroupId", "vpcId")),
}
"""What AWS computes within a structure that the program gives."""


def foreseen(type_: str, inputs: Properties) -> Properties:
    """What a preview knows of a new resource: its inputs, and not what AWS will compute within them."""
    structure, names = WITHIN_INPUTS.get(type_, ("", ()))
    given = inputs.get(structure)
    return {**inputs, structure: {**given, **dict.fromkeys(names, UNKNOWN)}} if isinstance(given, dict) else inputs


def added(outputs: Properties, inputs: Properties) -> Properties:
    """The outputs beyond the inputs; an input that is no longer declared must not live on as an output."""
    found: Properties = {}
    for key, value in outputs.items():
        if key not in inputs:
            found[key] = value
        elif isinstance(value, dict) and isinstance(inputs[key], dict) and (within := added(value, inputs[key])):
            found[key] = within
    return found


def merged(beyond: Properties, inputs: Properties) -> Properties:
    """New inputs with what the cloud had added to the old ones."""
    return beyond | {
        key: merged(beyond[key], value) if isinstance(value, dict) and isinstance(beyond.get(key), dict) else value
        for key, value in inputs.items()
    }


def as_declared(inputs: Properties, real: Properties) -> Properties:
    """What was read in the form of what was declared: without what the cloud adds, and with what it does not tell."""

    def read(key: str, value: Any) -> Any:  # noqa: ANN401  any property
        found = real.get(key)
        return as_declared(value, found) if isinstance(value, dict) and isinstance(found, dict) else found

    return {key: value if real.get(key) is None else read(key, value) for key, value in inputs.items()}
