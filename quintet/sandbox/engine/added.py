"""What the cloud adds to what is declared, also within a structure that the program gives.

A cluster's security group is a part of its `vpcConfig`: a change of that input must neither lose it nor, in a preview,
make it unknown.
"""

from typing import Any

from quintet.sandbox.engine.cloud import Properties


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
