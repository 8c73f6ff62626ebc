"""What the roles of a deployed program may do, compared with what they did."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ministack.core.iam_evaluator import fnmatch_iam, fnmatch_iam_cs

from quintet.sandbox.calls import Call

# What stacks/components/uses.py puts into a Sid for a grant that no test can use.
_UNTRIED = "Untried"


@dataclass(frozen=True)
class Grant:
    """One action on one resource pattern, as a statement of a role's policy allows it."""

    action: str
    resource: str
    sid: str = ""

    @property
    def justified(self) -> bool:
        """Whether the program says why nothing here makes the call."""
        return _UNTRIED in self.sid

    def allows(self, call: Call) -> bool:
        return fnmatch_iam(call.action, self.action) and fnmatch_iam_cs(call.resource, self.resource)

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


@dataclass(frozen=True)
class Role:
    """A deployed role: its service, its physical name and all that it may do."""

    service: str
    name: str
    grants: tuple[Grant, ...]

    @property
    def file(self) -> str:
        return f"stacks/{self.service}.py"


def grants_in(policy: str | dict[str, Any]) -> Iterator[Grant]:
    """Every pair of action and resource that a policy allows.

    Raises:
        ValueError: It allows all but something, which nothing can be compared with.
    """
    document = json.loads(policy) if isinstance(policy, str) else policy
    for statement in _listed(document["Statement"]):
        if statement["Effect"] != "Allow":
            continue
        if excepting := {"NotAction", "NotResource"} & statement.keys():
            raise ValueError(f"{', '.join(sorted(excepting))} allows whatever is not named: name what is used")
        for action in _listed(statement["Action"]):
            for resource in _listed(statement["Resource"]):
                yield Grant(action, resource, statement.get("Sid", ""))


def deployed_role(iam: Any, service: str, name: str) -> Role:
    """A role with the policies it has now, its own and those attached to it."""
    own = [
        iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    attached = [
        _default_version(iam, policy["PolicyArn"])
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    ]
    return Role(service, name, tuple(grant for policy in (*own, *attached) for grant in grants_in(policy)))


def findings(role: Role, allowed: Iterable[Call], refused: Iterable[Call]) -> list[str]:
    """What is granted and not used, used and not granted, or justified for no reason; a sentence each.

    Args:
        role: As it is deployed.
        allowed: All calls that anybody's role was allowed to make.
        refused: All calls that were refused.
    """
    own = [call for call in allowed if call.role == role.name]
    missed = {(call.action, call.resource) for call in refused if call.role == role.name}
    by_others = {(call.action, call.resource) for call in own if not any(grant.allows(call) for grant in role.grants)}
    return [
        *(_missing(role, action, resource) for action, resource in sorted(missed)),
        *(_of_the_resource(role, action, resource) for action, resource in sorted(by_others)),
        *(sentence for grant in role.grants for sentence in _faults(role, grant, own)),
    ]


def table(role: Role, allowed: Iterable[Call]) -> list[str]:
    """A line for each grant: how often it was used, or that the program says why it is not."""
    own = [call for call in allowed if call.role == role.name]

    def used(grant: Grant) -> str:
        times = sum(grant.allows(call) for call in own)
        return f"{times} times" if times or not grant.justified else f"justified ({grant.sid})"

    return [f"{role.service}: {role.name}: {grant}: {used(grant)}" for grant in role.grants]


def _faults(role: Role, grant: Grant, calls: list[Call]) -> Iterator[str]:
    may = f"{role.service}: the role {role.name} may {grant}"
    used = any(grant.allows(call) for call in calls)
    if grant.justified and used:
        yield (
            f"{may}, of which the program says that no run here needs it ({grant.sid}), and that call was made. "
            f"Remove `untried` from the statement that {role.file} leads to"
        )
    elif "*" in grant.action and not grant.justified:
        yield (
            f"{may}, which is a family of actions. Name those that the code calls in the use that {role.file} leads to"
        )
    elif not grant.justified and not used:
        yield (
            f"{may}, and nothing that was tried makes that call. Take it out of the use in {role.file} that grants it, "
            "or try what needs it in tests/system/test_permissions.py; where only AWS itself makes the call, write why "
            "into `Statement(untried=...)`"
        )


def _missing(role: Role, action: str, resource: str) -> str:
    return (
        f"{role.service}: the role {role.name} may not {action} on {resource}, and the service made that call. Add the "
        f"use that grants it, such as `table.write()`, in {role.file}, or make the code do without"
    )


def _of_the_resource(role: Role, action: str, resource: str) -> str:
    return (
        f"{role.service}: the role {role.name} was allowed {action} on {resource} by that resource's own policy only. "
        f"Add the use that grants it in {role.file}, so that whoever reads the role knows what it does"
    )


def _default_version(iam: Any, arn: str) -> Any:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
