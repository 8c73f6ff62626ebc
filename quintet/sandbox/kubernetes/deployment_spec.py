"""What a Deployment declares, read once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quintet.sandbox.kubernetes.errors import InvalidObjectError
from quintet.sandbox.kubernetes.fields import DEPLOYMENT, refuse_unknown
from quintet.sandbox.kubernetes.objects import Object, selects
from quintet.sandbox.kubernetes.pod_spec import PodSpec, read_template
from quintet.sandbox.kubernetes.quantities import share

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes writes random names with: no vowels, no words."""

_DEADLINE_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class DeploymentSpec:
    """A Deployment's `spec`, read.

    Attributes:
        replicas: None where it leaves the number to an autoscaler.
        template: The version: a hash of the pod template.
        surge: `maxSurge` as declared.
        unavailable: `maxUnavailable` as declared.
        recreates: Strategy Recreate.
    """

    replicas: int | None
    template: str
    pod: PodSpec
    surge: int | str
    unavailable: int | str
    recreates: bool
    min_ready_seconds: float
    deadline_seconds: float


def read_deployment(value: Object) -> DeploymentSpec:
    """Read and check a Deployment.

    Raises:
        InvalidObjectError: An API server would refuse it, or the sandbox does not run what it declares.
    """
    spec = value.get("spec") or {}
    refuse_unknown(spec, DEPLOYMENT, "spec")
    template = spec.get("template") or {}
    pod = read_template(template)
    selector = (spec.get("selector") or {}).get("matchLabels") or {}
    if not selects(selector, dict(pod.labels)):
        raise InvalidObjectError(
            f"`selector` does not match template `labels`: {json.dumps(selector)} is not in "
            f"{json.dumps(dict(pod.labels))}"
        )
    strategy = spec.get("strategy") or {}
    rolling = strategy.get("rollingUpdate") or {}
    surge, unavailable = _given(rolling, "maxSurge", "25%"), _given(rolling, "maxUnavailable", "25%")
    if share(surge, 100, up=True) == 0 and share(unavailable, 100, up=False) == 0:
        raise InvalidObjectError("`maxUnavailable` may not be 0 when `maxSurge` is 0: no pod could ever be replaced")
    return DeploymentSpec(
        replicas=spec.get("replicas"),
        template=_hash(template),
        pod=pod,
        surge=surge,
        unavailable=unavailable,
        recreates=strategy.get("type") == "Recreate",
        min_ready_seconds=float(spec.get("minReadySeconds") or 0),
        deadline_seconds=float(_given(spec, "progressDeadlineSeconds", _DEADLINE_SECONDS)),
    )


def _given(values: Mapping[str, Any], name: str, default: Any) -> Any:  # noqa: ANN401  any JSON
    found = values.get(name)
    return default if found is None else found


def _hash(template: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:9])
