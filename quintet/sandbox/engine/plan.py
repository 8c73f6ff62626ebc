"""What has to happen to a resource, from what is declared and what is remembered. Changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from quintet.sandbox.engine.cloud import Cloud, Properties
from quintet.sandbox.engine.property_path import differs, keeping
from quintet.sandbox.engine.registration import Registration
from quintet.sandbox.engine.state import Resource

Propose = Callable[[], str]
"""Gives a physical name by the project's pattern, another one at each call."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One step.

    Attributes:
        operation: What to do.
        inputs: Checked inputs.
        autoname: The physical name that was proposed for them.
        changed: Names of the inputs that differ.
        delete_first: A replacement deletes the old resource before it makes the new one.
    """

    operation: Literal["create", "update", "replace", "same"]
    inputs: Properties
    autoname: str
    changed: tuple[str, ...] = ()
    delete_first: bool = False


def plan(cloud: Cloud, declared: Registration, old: Resource | None, propose: Propose) -> Plan:
    """Compare a declared resource with the one that exists."""
    if old is None:
        return _creation(cloud, declared, propose())
    options = declared.options
    wanted = keeping(declared.inputs, old.inputs, options.ignore_changes)
    inputs = cloud.check(declared.type, declared.name, old.inputs, wanted, autoname=old.autoname)
    diff = cloud.diff(declared.type, old.inputs, inputs)
    if not diff.changed:
        return Plan(operation="same", inputs=inputs, autoname=old.autoname)
    if diff.replaces or any(differs(path, old.inputs, inputs) for path in options.replace_on_changes):
        # A fresh name, so that where the name is free both resources can live until the old one goes.
        renewed = _creation(cloud, replace(declared, inputs=wanted), propose())
        delete_first = options.delete_before_replace
        if delete_first is None:
            delete_first = cloud.diff(declared.type, old.inputs, renewed.inputs).delete_first
        return replace(renewed, operation="replace", changed=diff.changed, delete_first=delete_first)
    return Plan(operation="update", inputs=inputs, autoname=old.autoname, changed=diff.changed)


def _creation(cloud: Cloud, declared: Registration, autoname: str) -> Plan:
    inputs = cloud.check(declared.type, declared.name, {}, declared.inputs, autoname=autoname)
    return Plan(operation="create", inputs=inputs, autoname=autoname)
