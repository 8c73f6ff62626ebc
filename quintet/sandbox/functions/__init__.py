"""The sandbox's Lambda: image functions as processes of this machine, with the rights of their roles only."""

from quintet.sandbox.functions.environment import InvalidEnvironmentError, refuse_invalid
from quintet.sandbox.functions.pool import Limits
from quintet.sandbox.functions.service import Functions
from quintet.sandbox.functions.spec import Credentials, FunctionSpec, InstanceStatus

__all__ = [
    "Credentials",
    "FunctionSpec",
    "Functions",
    "InstanceStatus",
    "InvalidEnvironmentError",
    "Limits",
    "refuse_invalid",
]
