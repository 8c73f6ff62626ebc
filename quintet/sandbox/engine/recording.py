"""A cloud that makes nothing and remembers nothing: the program's declarations, for tests and policies.

`record("dev")` evaluates the program of the checkout as the sandbox would and returns what it declared.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quintet.project import Project
from quintet.sandbox.engine.added import merged
from quintet.sandbox.engine.assets import comparable
from quintet.sandbox.engine.aws_names import AwsName
from quintet.sandbox.engine.cloud import Diff, Properties
from quintet.sandbox.engine.computed import computed_outputs, name_input
from quintet.sandbox.engine.deployment import Deployment
from quintet.sandbox.engine.errors import SandboxError
from quintet.sandbox.engine.recorded_functions import FUNCTIONS, Place
from quintet.sandbox.engine.state import Resource, State

ACCOUNT = "123456789012"
DEFAULT_REGION = "us-east-1"
_NAMES = {
    "aws:eks/addon:Addon": "addonName",
    "aws:elasticache/user:User": "userId",
    "aws:elasticache/userGroup:UserGroup": "userGroupId",
}
"""Inputs that carry the name where none is called `name`."""
_UNIQUE = "20260101000000000000000001"
"""What the AWS provider adds to a prefix."""


class _Checked(dict[str, Any]):
    """Checked inputs that know the logical name: two resources that are declared alike have different ids."""

    def __init__(self, inputs: Properties, logical_name: str) -> None:
        super().__init__(inputs)
        self.logical_name = logical_name


class RecordingCloud:
    """Gives every resource its inputs and plausible computed outputs; none is declared only."""

    def __init__(self, region: str = DEFAULT_REGION, account: str = ACCOUNT) -> None:
        self._place = Place(region, account)

    def realises(self, type_: str, /) -> bool:  # noqa: ARG002  every type is recorded
        """Always: there is nothing that it could not record."""
        return True

    def check(self, type_: str, name: str, old: Properties, new: Properties, /, *, autoname: str) -> Properties:  # noqa: ARG002  Cloud's signature
        """Fill the physical name as the AWS provider does: unless it, or a prefix for it, is given."""
        key = name_input(type_)
        if key is None or new.get(key) is not None or new.get(f"{key}Prefix") is not None:
            return _Checked(new, name)
        return _Checked({**new, key: autoname}, name)

    def diff(self, type_: str, old: Properties, new: Properties, /) -> Diff:  # noqa: ARG002  Cloud's signature
        """Compare input by input; nothing replaces."""
        return Diff(tuple(key for key in sorted({*old, *new}) if old.get(key) != new.get(key)))

    def create(self, type_: str, inputs: Properties, /) -> tuple[str, Properties]:
        """An id and outputs that look like those of AWS."""
        name = self._name(type_, inputs)
        return name.id, computed_outputs(type_, inputs, name)

    def update(self, type_: str, id_: str, old: Properties, inputs: Properties, /) -> Properties:  # noqa: ARG002  Cloud's signature
        """The computed outputs of the new inputs."""
        return computed_outputs(type_, inputs, self._name(type_, inputs))

    def delete(self, type_: str, id_: str, outputs: Properties, /) -> None:
        """Nothing was made."""

    def read(self, type_: str, id_: str, outputs: Properties, /) -> Properties | None:  # noqa: ARG002  Cloud's signature
        """What a resource that another program made would look like."""
        return computed_outputs(type_, outputs, self._name(type_, outputs)) | outputs

    def resume(self, type_: str, id_: str, outputs: Properties, /) -> None:
        """Nothing runs."""

    def planned(self, type_: str, old_outputs: Properties, inputs: Properties, /) -> Properties:  # noqa: ARG002  Cloud's signature
        """Old outputs under new inputs."""
        return merged(old_outputs, inputs)

    def invoke(self, token: str, arguments: Properties, /) -> Properties:
        """The recorded answer.

        Raises:
            SandboxError: There is none.
        """
        if token not in FUNCTIONS:
            raise SandboxError(
                f"no recorded answer for the provider function {token}; "
                f"add one to quintet/sandbox/engine/recorded_functions.py (there are {', '.join(sorted(FUNCTIONS))})"
            )
        return FUNCTIONS[token](self._place, arguments)

    def _name(self, type_: str, inputs: Properties) -> AwsName:
        return AwsName(
            type=type_,
            name=_physical_name(type_, inputs),
            owner=_owner(inputs),
            seed=json.dumps(comparable(inputs), sort_keys=True) + getattr(inputs, "logical_name", ""),
            region=inputs.get("region") or self._place.region,
            account=self._place.account,
        )


def _physical_name(type_: str, inputs: Properties) -> str:
    if type_.startswith("aws:s3/bucketObject"):
        return f"{inputs.get('bucket')}/{inputs.get('key')}"
    if type_.startswith("kubernetes:"):
        metadata = inputs.get("metadata") or {}
        return "/".join(str(metadata[key]) for key in ("namespace", "name") if metadata.get(key))
    if key := name_input(type_):
        prefix = inputs.get(f"{key}Prefix")
        return str(inputs.get(key) or (f"{prefix}{_UNIQUE}" if prefix else ""))
    return str(inputs.get(_NAMES.get(type_, ""), ""))


def _owner(inputs: Properties) -> str:
    """The function, the API, the cluster or the load balancer that a resource is a part of."""
    if balancer := inputs.get("loadBalancerArn"):
        return str(balancer).partition(":loadbalancer/net/")[2]
    return str(inputs.get("functionName") or inputs.get("apiId") or inputs.get("clusterName") or "")


@dataclass(frozen=True)
class Recording:
    """What a program declared.

    Attributes:
        resources: Every resource, components and the stack included, sorted by URN: registrations run side by side.
        outputs: The stack's outputs, in plain text.
        secret_outputs: Keys of those that are secret.
    """

    resources: tuple[Resource, ...]
    outputs: Properties
    secret_outputs: frozenset[str]

    def of(self, type_: str) -> list[Resource]:
        """All resources of a type."""
        return [resource for resource in self.resources if resource.type == type_]

    def one(self, type_: str, *, name: str | None = None) -> Resource:
        """The only resource of a type, or the only one of that logical name.

        Raises:
            LookupError: There is none, or more than one.
        """
        found = [resource for resource in self.of(type_) if name in {None, resource.name}]
        if len(found) != 1:
            wanted = f"{type_} {name or ''}".strip()
            names = ", ".join(resource.name for resource in self.of(type_)) or "none"
            raise LookupError(f"expected one {wanted}, found {len(found)}; of that type there are: {names}")
        return found[0]


def record(
    stack: str,
    *,
    preview: bool = False,
    overrides: Mapping[str, Any] | None = None,
    root: Path | None = None,
) -> Recording:
    """Evaluate the program for a stack without any cloud.

    Args:
        stack: The stack whose configuration it gets.
        preview: As a first preview: outputs that only AWS knows are unknown, and what depends on them does not run.
        overrides: Configuration in place of the stack's file, by key with or without namespace.
        root: The project's folder; by default that of the working directory.

    Raises:
        SandboxError: The program failed.
        ProjectError: The configuration is wrong.
    """
    project = Project.load(root) if root else Project.find(Path.cwd())
    config, _ = project.stack_config(stack, overrides)
    cloud = RecordingCloud(region=config.get("aws:region", DEFAULT_REGION))
    deployment = Deployment(cloud, State(), project, stack, preview=preview, overrides=overrides, repeatable_names=True)
    outcome = deployment.run()
    by_urn = sorted(outcome.resources.values(), key=lambda resource: resource.urn)
    return Recording(tuple(by_urn), outcome.outputs, outcome.secret_outputs)
