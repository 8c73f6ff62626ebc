"""Physical names that the program itself gives: those of log groups, image repositories and dashboards.

All other names come from the pattern under `pulumi:autonaming` in Pulumi.yaml, so that a replacement can exist beside
what it replaces. These three are found by people and other stacks by name, so they carry nothing random.
"""

import pulumi


def stack_prefix(stack: str | None = None) -> str:
    """What every name of a stack begins with, as `quintet-dev`.

    Args:
        stack: Another stack of the same project; the present one when absent.
    """
    return f"{pulumi.get_project()}-{stack or pulumi.get_stack()}"


def log_group_name(family: str, name: str) -> str:
    """A log group's name, as `/aws/lambda/quintet-dev-moderation`."""
    return f"{family}/{stack_prefix()}-{name}"


def repository_name(name: str, stack: str | None = None) -> str:
    """An image repository's name, as `quintet-dev/moderation`; `stack` is the one that builds."""
    return f"{stack_prefix(stack)}/{name}"
