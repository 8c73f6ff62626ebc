"""What an API server would refuse of the objects that the sandbox runs, beyond their schemas (tests/cluster)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from quintet.sandbox.kubernetes.deployment_spec import read_deployment
from quintet.sandbox.kubernetes.errors import InvalidObjectError
from quintet.sandbox.kubernetes.objects import Object, key_of
from quintet.sandbox.kubernetes.services import check_service


def check_object(value: Object) -> None:
    """Refuse an object.

    Raises:
        InvalidObjectError: The message names object and field.
    """
    key = key_of(value)
    try:
        if check := _CHECKS.get(key.kind):
            check(value)
    except InvalidObjectError as error:
        raise InvalidObjectError(f"{key}: {error}") from None


def _check_texts(value: Object) -> None:
    for field in ("data", "stringData", "binaryData"):
        for name, item in (value.get(field) or {}).items():
            if not isinstance(item, str):
                raise InvalidObjectError(f"`{field}.{name}` is {item!r}; it must be text")


def _check_binding(value: Object) -> None:
    spec: Mapping[str, Any] = value.get("spec") or {}
    if not spec.get("targetGroupARN") or not (spec.get("serviceRef") or {}).get("name"):
        raise InvalidObjectError("`spec` needs `targetGroupARN` and `serviceRef` with name and port")
    if spec.get("targetType") not in {None, "ip"}:
        raise InvalidObjectError("`spec.targetType` is ip; the sandbox has no instances")


def _check_autoscaler(value: Object) -> None:
    spec: Mapping[str, Any] = value.get("spec") or {}
    least, most = spec.get("minReplicas") or 1, spec.get("maxReplicas")
    if most is None or not 1 <= least <= most:
        raise InvalidObjectError(f"`minReplicas` is {least} and `maxReplicas` {most}; 1 <= minReplicas <= maxReplicas")


_CHECKS: dict[str, Callable[[Object], object]] = {
    "ConfigMap": _check_texts,
    "Deployment": read_deployment,
    "Secret": _check_texts,
    "Service": check_service,
    "TargetGroupBinding": _check_binding,
    "HorizontalPodAutoscaler": _check_autoscaler,
}
