"""Every resource that takes tags carries those by which cost, owners and leftovers are found."""

from collections.abc import Iterator

from stacks.policy.declared import UNKNOWN, Declared, Finding, Rule, Stack

REQUIRED = ("project", "environment", "managed-by")


def _tags(resource: Declared, _: Stack) -> Iterator[Finding]:
    if not resource.type.startswith("aws:") or not resource.taggable:
        return
    missing = [key for key in REQUIRED if not resource.tags.get(key)]
    if missing:
        fix = "Give it the provider of stacks/shared.py (`shared.options`), whose default tags they are"
        yield Finding(f"lacks the tag {' and '.join(missing)}", fix)
    environment = resource.tags.get("environment")
    if environment not in {None, UNKNOWN, resource.stack}:
        found = f"is tagged as of the environment {environment!r} in the stack {resource.stack!r}"
        yield Finding(found, "Leave the tag to the provider, which takes it from the stack")


RULE = Rule(
    name="required-tags",
    why="By its tags one finds whose a resource is, what it costs, and what a deleted stack left behind.",
    check=_tags,
    whole=True,
)
