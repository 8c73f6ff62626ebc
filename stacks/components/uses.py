"""A use: what code needs to know of a resource and what its role may do there, in one word.

A function that is given `{"MODELS_BUCKET": models.read()}` gets the variable and the permission together, so that a
permission cannot exist without a reason, nor a variable without its permission.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from stacks.components.arguments import refuse

UNTRIED = "Untried"
"""What stands before the reason for which no run in the sandbox uses a statement, in its Sid."""

_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9*]+")


class WildcardError(ValueError):
    """A policy allows more than it names, and nobody wrote why."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What a role may do, and on what.

    Attributes:
        actions: IAM actions, as `s3:GetObject`.
        resources: ARNs.
        reason: Why a wildcard is needed; it becomes the statement's Sid, so that a policy rule, and whoever reads the
            role in the console, sees it too. Needed for every `*` in an action or a resource.
        untried: Why no run in the sandbox makes these calls. Every grant is either used there or says here why it
            cannot be (tests/system/test_permissions.py); it becomes part of the Sid, after the word Untried.
    """

    actions: tuple[str, ...]
    resources: tuple[pulumi.Input[str], ...]
    reason: str = ""
    untried: str = ""

    def __post_init__(self) -> None:
        refuse(
            "Statement",
            ["reason says untried; that belongs into `untried`"] if UNTRIED.lower() in self.reason.lower() else [],
            [] if self.actions else ["actions is empty"],
            [] if self.resources else ["resources is empty"],
            [f"the action {action!r} is not of the form service:Action" for action in self.actions if not _ok(action)],
        )
        self.document([resource for resource in self.resources if isinstance(resource, str)])

    def document(self, resources: Sequence[str]) -> dict[str, Any]:
        """The statement as IAM reads it.

        Args:
            resources: The ARNs, resolved.

        Raises:
            WildcardError: There is a wildcard and no reason.
        """
        wild = [text for text in (*self.actions, *resources) if "*" in text]
        if wild and not self.reason:
            raise WildcardError(f"{', '.join(wild)}: a wildcard needs a written reason (Statement.reason)")
        statement = {"Effect": "Allow", "Action": sorted(self.actions), "Resource": sorted(resources)}
        sid = _sid(self.reason) + (UNTRIED + _sid(self.untried) if self.untried else "")
        return {"Sid": sid, **statement} if sid else statement


@dataclass(frozen=True)
class Use:
    """An identifier for a variable, and the statements that its use needs.

    Attributes:
        identifier: What the code is given: a name or an ARN.
        statements: Exactly what may be done.
    """

    identifier: pulumi.Input[str]
    statements: tuple[Statement, ...]


def decrypt(key_arn: str | None) -> tuple[Statement, ...]:
    """What a store under a key of the owner's needs of whoever reads it; nothing where there is no such key."""
    if key_arn is None:
        return ()
    by_store = "S3 and DynamoDB call KMS in the name of the role and the emulated ones do not"
    return (Statement(actions=("kms:Decrypt",), resources=(key_arn,), untried=by_store),)


def policy_document(statements: Iterable[Statement]) -> pulumi.Output[str]:
    """A JSON policy of exactly these statements."""
    kept = list(statements)

    def render(resolved: list[list[str]]) -> str:
        documents = [statement.document(arns) for statement, arns in zip(kept, resolved, strict=True)]
        return json.dumps({"Version": "2012-10-17", "Statement": _distinct(documents)})

    return pulumi.Output.all(*[pulumi.Output.all(*statement.resources) for statement in kept]).apply(render)


def _distinct(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Statements as they are, a Sid that comes again with its number: IAM refuses a policy that has one twice."""
    seen: Counter[str] = Counter()
    for document in documents:
        if sid := document.get("Sid"):
            seen[sid] += 1
            document["Sid"] = sid if seen[sid] == 1 else f"{sid}{seen[sid]}"
    return documents


def assume_role_document(service: str, *, tags: bool = False) -> str:
    """A trust policy that lets one AWS service take the role, as `lambda.amazonaws.com`.

    Args:
        service: Who takes it.
        tags: It tags the sessions, as everything of EKS does; without the right to, it cannot take the role at all.
    """
    actions = ["sts:AssumeRole", "sts:TagSession"] if tags else "sts:AssumeRole"
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": actions}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _ok(action: str) -> bool:
    return _ACTION.fullmatch(action) is not None


def _sid(reason: str) -> str:
    """A Sid of IAM has letters and digits only: the reason's words, each with a capital."""
    return "".join(word[0].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", reason))
