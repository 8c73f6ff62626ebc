"""What the front is told of a function, and what it tells of its instances."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

InstanceState = Literal["starting", "idle", "busy", "ended"]


@dataclass(frozen=True, kw_only=True)
class FunctionSpec:
    """The configuration of one version of an image function, as the emulator's GetFunction knows it.

    Attributes:
        arn: with its version, or with `$LATEST`.
        version: a number, or `$LATEST`, which alone may change and is therefore looked up at every invocation.
        handler: `module.function`, the image's command.
        code_root: the folder of this machine that stands for the image's LAMBDA_TASK_ROOT.
        image_environment: what the image's ENV says.
        environment: what the function declares.
    """

    arn: str
    name: str
    version: str
    handler: str
    code_root: Path
    image_environment: Mapping[str, str]
    environment: Mapping[str, str]
    timeout_seconds: int
    memory_mb: int
    role_arn: str
    log_group: str

    @property
    def region(self) -> str:
        """The region of the function's ARN."""
        return self.arn.split(":")[3]

    @property
    def account(self) -> str:
        """The account of the function's ARN."""
        return self.arn.split(":")[4]


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Temporary credentials of a function's role; the secrets stay out of its repr."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class InstanceStatus:
    """One instance, as `quintet status` shows it."""

    id: str
    function: str
    version: str
    state: InstanceState
    pid: int | None
    started_at: datetime
    invocations: int
    max_memory_mb: int
