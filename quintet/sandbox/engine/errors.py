"""What can go wrong in a deployment of the sandbox, each with what to do about it."""


class SandboxError(Exception):
    """A failure that is told to the user as its message alone."""


class SandboxUnsupported(SandboxError):  # noqa: N818  says what it is where it is raised, and tests name it so
    """A feature of Pulumi that the sandbox's own engine leaves to the real one."""

    def __init__(self, feature: str) -> None:
        super().__init__(f"{feature}: not in the sandbox's own engine; use `--engine pulumi`, which runs the real one")
        self.feature = feature


class StateError(SandboxError):
    """A state file that cannot be read, or that a newer Quintet wrote."""


class ProgramError(SandboxError):
    """The program itself raised; the message names the line."""


class DeploymentCancelledError(SandboxError):
    """The deployment was told to begin nothing new."""

    def __init__(self) -> None:
        super().__init__(
            "cancelled: what had begun is finished and saved, nothing new was begun; run it again to go on"
        )


class ResourceFailedError(SandboxError):
    """One resource could not be made, changed or deleted; the first such failure ends the deployment."""

    def __init__(self, urn: str, cause: BaseException) -> None:
        described = str(cause) if isinstance(cause, SandboxError) else f"{type(cause).__name__}: {cause}"
        super().__init__(f"{_short(urn)}: {described}")
        self.urn = urn
        self.cause = cause


def _short(urn: str) -> str:
    """`type name` of a URN: what the user wrote, without project, stack and parents."""
    *_, types, name = urn.split("::", 3)
    return f"{types.rpartition('$')[2]} {name}"
