"""Whether a VPC link reaches a load balancer: both exist, in one network, and their security groups pair up.

Nothing filters packets on this machine, so a missing rule would pass unseen here and time out on AWS.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from quintet.sandbox.emulator_gaps import Record, found
from quintet.sandbox.emulator_vpc_links import VpcLinks

_NEEDED = "what security groups refuse must show as it does on AWS"
_TCP = ("tcp", "6", "-1")


@dataclass(frozen=True)
class Reached:
    """Where a request goes; without an address, the status that its client gets."""

    address: str | None
    status: int = 200


class Reachability:
    """Asks the emulated EC2 and the addresses of the open listeners."""

    def __init__(self, links: VpcLinks, addresses: Path | None, record: Record) -> None:
        """Prepare it.

        Args:
            links: The VPC links that there are.
            addresses: A file with a JSON object, addresses by the ARN of a listener.
            record: Told of what is refused.
        """
        self._links, self._record = links, record
        self._addresses = _Addresses(addresses)
        self._listeners = found("services.alb", "_listeners", needed=_NEEDED)
        self._balancers = found("services.alb", "_lbs", needed=_NEEDED)
        self._groups = found("services.ec2", "_security_groups", needed=_NEEDED)
        self._subnets = found("services.ec2", "_subnets", needed=_NEEDED)

    def forget_addresses(self) -> None:
        """Read the file again, whatever its time: one of its addresses did not answer."""
        self._addresses.forget()

    def of(self, integration: Mapping[str, Any]) -> Reached:
        """Where an integration leads."""
        link_id, arn = str(integration.get("connectionId")), str(integration.get("integrationUri"))
        link, listener = self._links.records.get(link_id), self._listeners.get(arn)
        if link is None or listener is None:
            self._record(f"VPC link {link_id}", "connect:exists", arn if link else f"vpclinks/{link_id}")
            return Reached(None, 500)
        balancer = self._balancers.get(listener["LoadBalancerArn"])
        if balancer is None or not self._admits(link, balancer, listener["Port"]):
            self._record(f"VPC link {link_id}", f"connect:tcp/{listener['Port']}", arn)
            return Reached(None, 503)
        return Reached(self._addresses.of(arn), 503)

    def _admits(self, link: Mapping[str, Any], balancer: Mapping[str, Any], port: int) -> bool:
        if self._networks(link["subnetIds"]) != self._networks(balancer["Subnets"]):
            return False
        from_, to = link["securityGroupIds"], balancer["SecurityGroups"]
        out = _Side(to, self._blocks(balancer["Subnets"]))
        into = _Side(from_, self._blocks(link["subnetIds"]))
        leaves = not from_ or self._any(from_, "IpPermissionsEgress", out, port)
        # A network load balancer without groups admits everybody.
        return leaves and (not to or self._any(to, "IpPermissions", into, port))

    def _any(self, groups: Iterable[str], direction: str, side: "_Side", port: int) -> bool:
        rules = (rule for group in groups for rule in (self._groups.get(group) or {}).get(direction, ()))
        return any(side.is_in(rule, port) for rule in rules)

    def _networks(self, subnets: Iterable[str]) -> set[str]:
        return {(self._subnets.get(subnet) or {}).get("VpcId", "") for subnet in subnets}

    def _blocks(self, subnets: Iterable[str]) -> list[str]:
        return [record["CidrBlock"] for subnet in subnets if (record := self._subnets.get(subnet))]


@dataclass(frozen=True)
class _Side:
    """The other side of a rule: its groups, and the addresses that it may have."""

    groups: list[str]
    blocks: list[str]

    def is_in(self, rule: Mapping[str, Any], port: int) -> bool:
        """Whether a rule is about this side and a port."""
        if rule["IpProtocol"] not in _TCP:
            return False
        if rule["IpProtocol"] != "-1" and not rule.get("FromPort", 0) <= port <= rule.get("ToPort", 65_535):
            return False
        if any(pair.get("GroupId") in self.groups for pair in rule.get("UserIdGroupPairs", ())):
            return True
        admitted = [ip_network(each["CidrIp"]) for each in rule.get("IpRanges", ())]
        return bool(self.blocks) and all(
            any(ip_network(block).subnet_of(each) for each in admitted)  # type: ignore[arg-type]  # both are IPv4
            for block in self.blocks
        )


class _Addresses:
    """Reads the file again when it has changed."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen = 0
        self._known: dict[str, str] = {}

    def of(self, arn: str) -> str | None:
        """Where a listener answers; None while it is not open."""
        try:
            changed = self._path.stat().st_mtime_ns if self._path else 0
        except FileNotFoundError:
            return None
        if self._path and changed != self._seen:
            self._known, self._seen = json.loads(self._path.read_text()), changed
        return self._known.get(arn)

    def forget(self) -> None:
        """Read it anew at the next question."""
        self._seen = 0
