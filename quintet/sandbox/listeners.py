"""The open ports of network load balancers: the cluster forwards them, the emulated AWS is told where they answer.

The emulator's process has the HTTP APIs whose integrations name a listener. It reads the addresses from a small file,
so that no request waits for a question to this process.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from quintet.files import read_json, write_json

if TYPE_CHECKING:
    from quintet.sandbox.world import World

FILE = Path("emulator", "listeners.json")
"""Where the addresses are, in the sandbox's folder."""

_writing = threading.Lock()


class DataPlane(Protocol):
    """What forwards connections: `World.kubernetes`, whose pods are the targets."""

    def add_listener(self, listener_arn: str, target_group_arn: str, health_check: dict[str, Any]) -> None:
        """Open a listener, or change where an open one leads and how its targets are checked.

        Args:
            listener_arn: Of the listener.
            target_group_arn: Where it forwards to.
            health_check: `enabled`, `healthyThreshold`, `interval`, `matcher`, `path`, `port`, `protocol`, `timeout`,
                `unhealthyThreshold`, as the input `healthCheck` of a target group has them; seconds.
        """

    def remove_listener(self, listener_arn: str) -> None:
        """Close a listener; one that is not open is no error."""

    def listener_address(self, listener_arn: str) -> str | None:
        """`address:port` where an open listener answers."""


class Listeners:
    """The listeners of one sandbox."""

    def __init__(self, world: "World") -> None:
        """Those of a world; where no cluster runs they are declared only."""
        self._world = world
        self._plane: DataPlane | None = getattr(world, "kubernetes", None)

    def add(self, arn: str, target_group: str) -> None:
        """Open a listener, or tell the cluster what has changed about it."""
        if self._plane is None:
            return
        self._plane.add_listener(arn, target_group, self._health(target_group))
        if address := self._plane.listener_address(arn):
            self._note({arn: address}, {})

    def remove(self, arn: str) -> None:
        """Close a listener."""
        if self._plane is not None:
            self._plane.remove_listener(arn)
        self._note({}, {arn: ""})

    def _note(self, added: Mapping[str, str], removed: Mapping[str, str]) -> None:
        path = self._world.home / FILE
        with _writing:
            known = read_json(path) or {}
            now = {arn: address for arn, address in {**known, **added}.items() if arn not in removed}
            if now != known:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_json(path, now)

    def _health(self, target_group: str) -> dict[str, Any]:
        answer = self._world.client("elbv2").describe_target_groups(TargetGroupArns=[target_group])
        group = answer["TargetGroups"][0]
        return {
            "enabled": group["HealthCheckEnabled"],
            "healthyThreshold": group["HealthyThresholdCount"],
            "interval": group["HealthCheckIntervalSeconds"],
            "matcher": group.get("Matcher", {}).get("HttpCode", "200-399"),
            "path": group.get("HealthCheckPath", "/"),
            "port": group["HealthCheckPort"],
            "protocol": group["HealthCheckProtocol"],
            "timeout": group["HealthCheckTimeoutSeconds"],
            "unhealthyThreshold": group["UnhealthyThresholdCount"],
        }
