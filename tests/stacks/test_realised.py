"""The sandbox does what the program declares: each input is realised or named as ignored, each type known or listed."""

from collections.abc import Callable, Mapping

import pytest

from quintet.sandbox.engine.recording import Recording
from quintet.sandbox.engine.state import Resource
from quintet.sandbox.kinds.base import KINDS
from quintet.sandbox.kinds.cloud import load_kinds
from tests.stacks.declaring import EVERYTHING, STACKS

load_kinds()

DECLARED_ONLY: Mapping[str, str] = {
    "aws:route53/record:Record": "a name of the internet's DNS, which this machine does not answer for",
    "kubernetes:networking.k8s.io/v1:NetworkPolicy": "pods are processes, which have no packets to refuse",
    "kubernetes:monitoring.coreos.com/v1:PrometheusRule": "tests/monitoring puts the same rules to a real Prometheus",
    "kubernetes:monitoring.coreos.com/v1:ServiceMonitor": "nothing here scrapes; the pods' /metrics can be read",
    "kubernetes:policy/v1:PodDisruptionBudget": "no node is ever drained here",
}
"""Types without a realiser: `quintet up` lists them; each has its reason here."""

everything = pytest.mark.parametrize(
    ("stack", "settings"),
    [*((stack, {}) for stack in STACKS), ("dev", EVERYTHING), ("prod", EVERYTHING)],
    ids=[*STACKS, "dev-with-every-option", "prod-with-every-option"],
)


def made_by_aws(recording: Recording) -> list[Resource]:
    return [item for item in recording.resources if item.custom and not item.type.startswith("pulumi:")]


@everything
def test_every_declared_input_is_consumed_or_named_as_ignored(
    program: Callable[..., Recording], stack: str, settings: dict[str, str]
) -> None:
    lost = []
    for item in made_by_aws(program(stack, **settings)):
        if kind := KINDS.get(item.type):
            known = {*kind.consumed, *kind.ignored, *kind.replace_on, kind.name_input}
            lost += [f"{item.type} {item.name}: {key}" for key in sorted(item.inputs.keys() - known)]

    assert lost == []


@everything
def test_every_declared_type_has_a_realiser_or_a_reason(
    program: Callable[..., Recording], stack: str, settings: dict[str, str]
) -> None:
    declared = {item.type for item in made_by_aws(program(stack, **settings))}

    assert declared - KINDS.keys() <= DECLARED_ONLY.keys()
    assert not DECLARED_ONLY.keys() & KINDS.keys()
