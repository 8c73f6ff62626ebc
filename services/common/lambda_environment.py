"""What Lambda itself tells a function through its environment; absent everywhere else."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

MEMORY_MB_PER_VCPU = 1769
"""A function with this much memory has the equivalent of one vCPU (AWS Lambda developer guide, "Configure memory")."""


@dataclass(frozen=True)
class LambdaEnvironment:
    """The variables that the Lambda service sets, as far as services use them.

    Attributes:
        runtime_api: Host and port of the Runtime and Extensions APIs, or None outside Lambda.
        memory_mb: The function's memory in MB, or None outside Lambda.
    """

    runtime_api: str | None
    memory_mb: int | None

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> LambdaEnvironment:
        """Reads the variables; outside Lambda every attribute is None."""
        memory = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
        return cls(
            runtime_api=environ.get("AWS_LAMBDA_RUNTIME_API"),
            memory_mb=int(memory) if memory.isdecimal() else None,
        )

    def cpu_threads(self, cpu_count: int | None) -> int:
        """How many threads can compute at once without being throttled by the share of CPU that was paid for.

        Args:
            cpu_count: The CPUs that the system shows, or None where it hides them.

        Returns:
            At least 1, at most `cpu_count`. Lambda shows two CPUs from 128 MB on, whatever share of them is granted.
        """
        visible = cpu_count or 1
        if self.memory_mb is None:
            return visible
        return max(1, min(visible, math.floor(self.memory_mb / MEMORY_MB_PER_VCPU + 0.5)))
