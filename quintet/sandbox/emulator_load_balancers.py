"""What ministack's load balancers do otherwise than AWS's; see `emulator_gaps` for the rules of these functions."""

import re
from collections.abc import Callable
from typing import Any

from quintet.sandbox.emulator_gaps import found

Answer = tuple[int, dict[str, Any], bytes]
Call = Callable[[dict[str, Any]], Answer]

_BALANCER = re.compile(rb"<LoadBalancerArn>([^<]+:loadbalancer/app/[^<]+)</LoadBalancerArn>")
_LISTENER = re.compile(rb"<ListenerArn>([^<]+:listener/app/[^<]+)</ListenerArn>")
_NEEDED = "network load balancers have names, and lie in a network, as on AWS"


def name_network_load_balancers_as_aws_does() -> None:
    """1.5.33 names every load balancer and listener as an application's, and puts it into one and the same network."""
    actions = found("services.alb", "_ACTION_MAP", needed=_NEEDED)
    actions["CreateLoadBalancer"] = _balancer(actions["CreateLoadBalancer"])
    actions["CreateListener"] = _listener(actions["CreateListener"])


def _balancer(original: Call) -> Call:
    stores = [found("services.alb", name, needed=_NEEDED) for name in ("_lbs", "_lb_attrs", "_tags")]
    balancers = stores[0]
    subnets = found("services.ec2", "_subnets", needed=_NEEDED)

    def create(parameters: dict[str, Any]) -> Answer:
        status, headers, body = original(parameters)
        match = _BALANCER.search(body)
        if status != 200 or not match or balancers[match[1].decode()]["Type"] != "network":  # noqa: PLR2004  HTTP
            return status, headers, body
        old, new = match[1].decode(), _of_network(match[1].decode())
        for store in stores:
            store[new] = store.pop(old)
        record = balancers[new]
        record["LoadBalancerArn"] = new
        first = subnets.get(next(iter(record["Subnets"]), "")) or {}
        vpc, record["VpcId"] = record["VpcId"], first.get("VpcId", record["VpcId"])
        body = body.replace(old.encode(), new.encode())
        return status, headers, body.replace(f">{vpc}<".encode(), f">{record['VpcId']}<".encode())

    return create


def _listener(original: Call) -> Call:
    stores = [found("services.alb", name, needed=_NEEDED) for name in ("_listeners", "_listener_attrs", "_tags")]
    listeners, rules = stores[0], found("services.alb", "_rules", needed=_NEEDED)

    def create(parameters: dict[str, Any]) -> Answer:
        status, headers, body = original(parameters)
        match = _LISTENER.search(body)
        if not match or "/net/" not in listeners[match[1].decode()]["LoadBalancerArn"]:
            return status, headers, body
        old, new = match[1].decode(), _of_network(match[1].decode())
        for store in stores:
            store[new] = store.pop(old)
        listeners[new]["ListenerArn"] = new
        for rule in rules.values():
            if rule["ListenerArn"] == old:
                rule["ListenerArn"] = new
        return status, headers, body.replace(old.encode(), new.encode())

    return create


def _of_network(arn: str) -> str:
    return arn.replace("/app/", "/net/", 1)
