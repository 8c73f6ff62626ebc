"""What the sandbox's cluster refuses, each with the sentence that is told to the user."""

from quintet.sandbox.engine.errors import SandboxError


class KubernetesError(SandboxError):
    """Something the cluster cannot do, or does not have."""


class InvalidObjectError(KubernetesError):
    """An object that a real API server refuses, or that the sandbox does not run."""


class ReferenceMissingError(KubernetesError):
    """A pod names a ConfigMap, a Secret, a key or a port that does not exist; on a cluster its container waits."""


class RolloutError(KubernetesError):
    """A Deployment or a Service that did not become what it declares."""
