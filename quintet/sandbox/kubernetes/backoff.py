"""How fast the sandbox's cluster is: a tenth of what a kubelet waits, so that a laptop shows it in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Waits that are the cluster's own and no object declares; seconds.

    Attributes:
        back_off_first: Before the second restart of a container; each further one waits twice as long.
        back_off_most: The longest.
        back_off_reset: A container that ran so long has no restarts held against it.
        configuration_retry: Before a container whose ConfigMap is missing is tried again.
        impatient: Between two questions to a container that is not ready yet (a failure counts once a period).
        give_up_restarts: A rollout whose container has been restarted so often is over, whatever its deadline is.
        give_up_waiting: So is one whose container could not even be made for so long.
        deadline_most: A longer progress deadline is for nodes that start and images that are fetched; none here.
        service: How long a Service may wait for its first ready pod.
        memory: Between two looks at the memory of a container.
    """

    back_off_first: float = 1.0
    back_off_most: float = 30.0
    back_off_reset: float = 60.0
    configuration_retry: float = 0.25
    impatient: float = 0.1
    give_up_restarts: int = 3
    give_up_waiting: float = 10.0
    deadline_most: float = 90.0
    service: float = 60.0
    memory: float = 1.0

    def back_off(self, restarts: int) -> float:
        """What to wait before a restart; the first is at once."""
        return 0.0 if restarts <= 1 else min(self.back_off_most, self.back_off_first * 2 ** (restarts - 2))
