"""A Pulumi resource monitor in this process: the same program, planned against a saved state, on any cloud."""

from quintet.sandbox.engine.cloud import UNKNOWN, Cloud, Diff, Properties, is_unknown
from quintet.sandbox.engine.deployment import Deployment
from quintet.sandbox.engine.errors import (
    DeploymentCancelledError,
    ProgramError,
    ResourceFailedError,
    SandboxError,
    SandboxUnsupported,
    StateError,
)
from quintet.sandbox.engine.outcome import Outcome, ResourceEvent
from quintet.sandbox.engine.recording import Recording, RecordingCloud, record
from quintet.sandbox.engine.state import Options, Resource, State

__all__ = [
    "UNKNOWN",
    "Cloud",
    "Deployment",
    "DeploymentCancelledError",
    "Diff",
    "Options",
    "Outcome",
    "ProgramError",
    "Properties",
    "Recording",
    "RecordingCloud",
    "Resource",
    "ResourceEvent",
    "ResourceFailedError",
    "SandboxError",
    "SandboxUnsupported",
    "State",
    "StateError",
    "is_unknown",
    "record",
]
