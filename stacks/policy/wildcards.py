"""No wildcard without a written reason beside it, and none at all where no reason is good enough."""

import re
from collections.abc import Iterator

from stacks.policy.declared import Declared, Finding, Rule, Stack, listed
from stacks.policy.documents import Statement, statements

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_REASON_WORDS = 4
_BROAD = re.compile(r"arn:aws[a-z-]*:iam::aws:policy/(.*/)?(AdministratorAccess|PowerUserAccess|\w*FullAccess)")


def _wildcards(resource: Declared, _: Stack) -> Iterator[Finding]:
    for statement in statements(resource):
        if statement.allows:
            yield from _too_much(statement) or _without_reason(
                statement, own_resource=resource.type.startswith("aws:kms/")
            )
    attached = [*listed(resource.props.get("policyArn")), *listed(resource.props.get("managedPolicyArns"))]
    for arn in attached:
        if isinstance(arn, str) and _BROAD.fullmatch(arn):
            yield Finding(f"attaches {arn}, which is all of a service or more", "Name the actions and ARNs it needs")


def _too_much(statement: Statement) -> list[Finding]:
    """What no reason makes good."""
    if {"*", "*:*"} & set(statement.actions):
        return [Finding(f"allows every action{_where(statement)}", "Name the actions that are called")]
    passes = [action for action in statement.actions if action.lower() in {"iam:passrole", "iam:*", "iam:pass*"}]
    if passes and any("*" in target for target in statement.resources):
        found = f"allows {passes[0]} on {', '.join(statement.resources)}{_where(statement)}"
        return [Finding(f"{found}, so it may hand on a role of more rights than its own", "Name the roles' ARNs")]
    return []


def _without_reason(statement: Statement, *, own_resource: bool) -> list[Finding]:
    # In a key's own policy the resource can only be `*`, which is the key.
    resources = [] if own_resource else statement.resources
    wild = [text for text in (*statement.actions, *resources) if "*" in text or "?" in text]
    wild += [f"everything but what {key} names" for key in statement.inverted]
    if not wild or len(_WORD.findall(statement.sid)) >= _REASON_WORDS:
        return []
    fix = (
        f"Name what is meant, or write the reason into the Sid in {_REASON_WORDS} words or more "
        "(Statement(reason=...) does)"
    )
    return [Finding(f"allows {', '.join(wild)}{_where(statement)} and no reason is written", fix)]


def _where(statement: Statement) -> str:
    return f" in the statement {statement.sid!r}" if statement.sid else ""


RULE = Rule(
    name="wildcard-has-reason",
    why="A wildcard that nobody gave a reason for grants more than the code needs, now or after the next change.",
    check=_wildcards,
)
