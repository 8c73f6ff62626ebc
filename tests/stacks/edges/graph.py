"""What is declared, by what other resources know it by, and what policies say to whom."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate, evaluate_resource_policy, parse_policy_document

from quintet.sandbox.engine.recording import ACCOUNT, Recording
from quintet.sandbox.engine.state import Resource

STRANGER = "999999999999"
"""Another account, for which no service may do here what it may do for this one."""


@dataclass(frozen=True)
class Caller:
    """An AWS service that calls in the name of a resource.

    Attributes:
        service: As `lambda.amazonaws.com`.
        source: The ARN of that resource; empty where the service tells neither it nor its account.
        account: That resource's.
        keys: What else it tells policies, by condition key in small letters.
    """

    service: str
    source: str = ""
    account: str = ACCOUNT
    keys: Mapping[str, str] = field(default_factory=dict)

    @property
    def stranger(self) -> "Caller":
        """The same service in the name of such a resource of somebody else's."""
        source = self.source.replace(self.account, STRANGER)
        # The ARN of a bucket names no account, but two accounts have no bucket of the same name.
        return Caller(self.service, source if STRANGER in source else f"{source}-of-a-stranger", STRANGER, self.keys)


@dataclass(frozen=True)
class Graph:
    """A recorded program."""

    recording: Recording
    images_of: Recording

    def of(self, type_: str) -> list[Resource]:
        return self.recording.of(type_)

    def where(self, type_: str, key: str, *values: object) -> list[Resource]:
        """All resources of a type that have one of the values under a key."""
        return [resource for resource in self.of(type_) if resource.outputs.get(key) in values]

    def first(self, type_: str, key: str, *values: object) -> Resource | None:
        """The first of them."""
        return next(iter(self.where(type_, key, *values)), None)

    def policies(self, type_: str, key: str, *values: object) -> list[dict[str, Any]]:
        """The statements of the policies that are set on a resource by one of its names."""
        return [item for policy in self.where(type_, key, *values) for item in statements(policy.outputs["policy"])]

    def role_may(self, role: Resource, action: str, arn: str) -> bool:
        """Whether the role's own policies allow a call."""
        names = (role.outputs["name"], role.outputs["arn"])
        own = self.policies("aws:iam/rolePolicy:RolePolicy", "role", *names)
        attached = [item for text in self._attached(names) for item in statements(text)]
        document = {"Statement": [*own, *attached]}
        return evaluate(_context(Caller(""), action, arn), [parse_policy_document(document)]).decision == "Allow"

    def _attached(self, role_names: Iterable[object]) -> Iterator[str]:
        for attachment in self.where("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "role", *role_names):
            policy = self.first("aws:iam/policy:Policy", "arn", attachment.outputs["policyArn"])
            if policy:
                yield policy.outputs["policy"]

    def role(self, arn: object) -> Resource | None:
        return self.first("aws:iam/role:Role", "arn", arn)

    def key(self, name: object) -> Resource | None:
        """The declared KMS key of that ARN or id; None for a key of the owner's, whose policy is not known here."""
        return self.first("aws:kms/key:Key", "arn", name) or self.first("aws:kms/key:Key", "keyId", name)


def statements(policy: str | None) -> list[dict[str, Any]]:
    return [] if policy is None else json.loads(policy)["Statement"]


def admits(policy: list[dict[str, Any]], caller: Caller, action: str, resource: str = "*") -> bool:
    """Whether a policy on a resource lets a service do something for somebody."""
    context = _context(caller, action, resource)
    return evaluate_resource_policy({"Statement": policy}, context, service=caller.service).decision == "Allow"


def trusts(role: Resource, caller: Caller) -> bool:
    """Whether a role may be taken by a service."""
    return admits(statements(role.outputs["assumeRolePolicy"]), caller, "sts:AssumeRole")


def unmet(
    policy: list[dict[str, Any]], caller: Caller, actions: Iterable[str], resource: str, *, where: str
) -> Iterator[str]:
    """What a policy lacks, or gives to everybody's resources, as sentences that end with what to declare."""
    for action in actions:
        if not admits(policy, caller, action, resource):
            yield f"{where} does not let {caller.service} {action}. Add a statement that does: {_statement(caller)}"
        elif caller.source and admits(policy, caller.stranger, action, resource):
            yield (
                f"{where} lets {caller.service} {action} in the name of any account. "
                f"Add the condition: {_statement(caller)}"
            )


def name(resource: Resource) -> str:
    """How a sentence calls a resource."""
    return f"{resource.type.rpartition(':')[2]} {resource.name}"


def _statement(caller: Caller) -> str:
    condition = f', Condition {{"StringEquals": {{"aws:SourceAccount": "{caller.account}"}}}}' if caller.source else ""
    return f'Principal {{"Service": "{caller.service}"}}{condition}'


def _context(caller: Caller, action: str, resource: str) -> EvalContext:
    source = {"aws:sourcearn": caller.source, "aws:sourceaccount": caller.account} if caller.source else {}
    return EvalContext(
        principal_arn="",
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource,
        region="",
        secure_transport=True,
        service_context={**caller.keys, **source},
    )
