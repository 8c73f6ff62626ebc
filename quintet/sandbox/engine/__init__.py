"""A Pulumi resource monitor in this process: the same program, planned against a saved state, on any cloud."""

from quintet.sandbox.engine.cloud import UNKNOWN, Cloud, Diff, Properties, is_unknown
from quintet.sandbox.engine.errors import (
    DeploymentCancelledError,
    ResourceFailedError,
    SandboxError,
    SandboxUnsupported,
    StateError,
)

__all__ = [
    "UNKNOWN",
    "Cloud",
    "DeploymentCancelledError",
    "Diff",
    "Properties",
    "ResourceFailedError",
    "SandboxError",
    "SandboxUnsupported",
    "StateError",
    "is_unknown",
]
