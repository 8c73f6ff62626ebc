"""A private load balancer: who may reach it, and what it tells when its pods are unwell."""

import re
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from stacks.components.arguments import ArgumentsError
from stacks.components.cluster import Kubernetes
from stacks.components.http_api import HttpApi, HttpApiArgs
from stacks.components.namespaces import Namespace
from stacks.components.network import Egress, Place, Subnets
from stacks.components.private_balancer import PrivateBalancer, PrivateBalancerArgs
from tests.stacks.declaring import Declare, a_topic
from tests.stacks.policy.judging import verdicts

IN, OUT = (f"aws:vpc/securityGroup{way}Rule:SecurityGroup{way}Rule" for way in ("Ingress", "Egress"))
PLACE = Place("vpc-1", Subnets(["subnet-1"], ["10.0.0.0/18"]), Subnets(["subnet-8"], ["10.0.96.0/28"]), Egress.NAT)
CLUSTER = Kubernetes("c1", "sg-pods", "172.20.0.10", "eks.amazonaws.com/v1", pulumi.ResourceOptions())


def args(**changes: Any) -> PrivateBalancerArgs:
    given = {"place": PLACE, "namespace": Namespace("ns", CLUSTER, ()), "service": "nginx", "alarms": None}
    given |= {"service_port": 80, "pod_port": 8080, "health_path": "/healthz/backend"}
    return PrivateBalancerArgs(**(given | changes))


def balancer(**changes: Any) -> Callable[[], PrivateBalancer]:
    def program() -> PrivateBalancer:
        return PrivateBalancer("echo", args(**({"alarms": changes.get("alarms") or a_topic()} | changes)))

    return program


def test_link_balancer_and_pods_are_one_chain_of_doors(declare: Declare) -> None:
    recording = declare(balancer())

    groups = {item.id: item.name for item in recording.of("aws:ec2/securityGroup:SecurityGroup")} | {"sg-pods": "pods"}
    ends = ("securityGroupId", "referencedSecurityGroupId")
    doors = {
        (type_, *(groups[item.inputs[end]] for end in ends), item.inputs["fromPort"])
        for type_ in (IN, OUT)
        for item in recording.of(type_)
    }
    assert doors == {
        (OUT, "echo-link", "echo-balancer", 80),
        (IN, "echo-balancer", "echo-link", 80),
        (OUT, "echo-balancer", "pods", 8080),
        (IN, "pods", "echo-balancer", 8080),
    }
    assert verdicts(recording, "security-groups-pair", "ingress-through-edges") == []


def test_it_stands_in_the_edge_with_a_name_that_aws_takes(declare: Declare) -> None:
    recording = declare(balancer(), stack="a-stack-with-a-name-of-length")

    for type_ in ("aws:lb/loadBalancer:LoadBalancer", "aws:lb/targetGroup:TargetGroup"):
        made = recording.one(type_).inputs
        assert len(made["namePrefix"]) <= 6
        assert "name" not in made
    assert recording.one("aws:lb/loadBalancer:LoadBalancer").inputs["subnets"] == ["subnet-8"]
    assert recording.one("aws:apigatewayv2/vpcLink:VpcLink").inputs["subnetIds"] == ["subnet-8"]


def test_somebody_is_told_when_a_pod_is_unwell(declare: Declare) -> None:
    alarms = [item.inputs for item in declare(balancer()).of("aws:cloudwatch/metricAlarm:MetricAlarm")]

    assert {item["metricName"] for item in alarms} == {"UnHealthyHostCount", "TCP_Target_Reset_Count"}
    assert all(item["namespace"] == "AWS/NetworkELB" and item["dimensions"]["LoadBalancer"] for item in alarms)


def test_an_api_before_it_needs_no_permission_and_waits_a_little_longer(declare: Declare) -> None:
    def program() -> None:
        topic = a_topic()
        to = balancer(timeout_seconds=20, alarms=topic)()
        HttpApi("echo", HttpApiArgs(routes={"ANY /{path+}": to}, alarms=topic))

    recording = declare(program)

    integration = recording.one("aws:apigatewayv2/integration:Integration").inputs
    assert integration["timeoutMilliseconds"] == 21_000
    assert integration["requestParameters"] == {"overwrite:header.x-source-ip": "$context.identity.sourceIp"}
    assert recording.of("aws:lambda/permission:Permission") == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"service_port": 0}, "service_port is 0; allowed are 1 to 65535"),
        ({"pod_port": 70_000}, "pod_port is 70000"),
        ({"timeout_seconds": 31}, "timeout_seconds is 31; allowed are 1 to 30 seconds"),
        ({"health_path": "healthz"}, "health_path is 'healthz'; allowed is a path such as /healthz"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ArgumentsError, match=re.escape(told)):
        args(**changes)
