"""`quintet up SERVICE...` as configuration: each service has a boolean setting of its name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from quintet.errors import Exit, QuintetError
from quintet.project import Project
from quintet.smoke.services import known


def overrides(project: Project, wanted: Sequence[str], *, present: Collection[str]) -> Mapping[str, bool]:
    """The settings that turn on the wanted services and those that are up already, and no other.

    Args:
        project: Declares the settings.
        wanted: Names of services; empty leaves the stack's own configuration as it is.
        present: Services that are up.

    Raises:
        QuintetError: A wanted service has no setting.
    """
    if not wanted:
        return {}
    switches = [name for name in known() if f"{project.name}:{name}" in project.declared]
    missing = [name for name in wanted if name not in switches]
    if missing:
        raise QuintetError(
            f"Pulumi.yaml declares no setting that turns {', '.join(missing)} on; "
            f"it has such settings for {', '.join(switches) or 'no service'}.",
            exit_code=Exit.USAGE,
        )
    return {name: name in wanted or name in present for name in switches}
