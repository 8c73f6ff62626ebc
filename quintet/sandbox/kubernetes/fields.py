"""Which fields of an object the sandbox runs, which it names as ignored, and the refusal of every other.

A field that is neither is refused by its path, so that nothing the program declares is lost in silence. That a field
exists at all and has the right type is what a real API server checks (tests/cluster).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quintet.sandbox.kubernetes.errors import InvalidObjectError

Run = None
"""A field that the sandbox runs as a whole."""

Fields = Mapping[str, Any]
"""By name: Run, the reason why it is ignored, or the fields below it (for a list: of each element)."""

_SECURITY = (
    "a process of this machine is no container: its user, its root file system and what it may call are the machine's"
)
_NODES = "there is one node, this machine"
_NETWORK = "a process of this machine has this machine's network"
_NO_IMAGE = "images are built here and not pulled"
_DEPRECATED_SECURITY = {"securityContext": _SECURITY}

_KEY = {"name": Run, "key": Run, "optional": Run}
_ENVIRONMENT: Fields = {
    "name": Run,
    "value": Run,
    "valueFrom": {
        "configMapKeyRef": _KEY,
        "secretKeyRef": _KEY,
        "fieldRef": {"apiVersion": Run, "fieldPath": Run},
        "resourceFieldRef": {"containerName": Run, "divisor": Run, "resource": Run},
    },
}
_SOURCE = {"name": Run, "optional": Run}
_HTTP_GET: Fields = {"path": Run, "port": Run, "httpHeaders": {"name": Run, "value": Run}, "scheme": Run}
_PROBE: Fields = {
    "httpGet": _HTTP_GET,
    "tcpSocket": {"port": Run},
    "exec": {"command": Run},
    "initialDelaySeconds": Run,
    "periodSeconds": Run,
    "timeoutSeconds": Run,
    "failureThreshold": Run,
    "successThreshold": Run,
}
_CONTAINER: Fields = {
    "name": Run,
    "image": Run,
    "imagePullPolicy": _NO_IMAGE,
    "command": Run,
    "args": Run,
    "workingDir": Run,
    "ports": {"name": Run, "containerPort": Run, "protocol": Run},
    "env": _ENVIRONMENT,
    "envFrom": {"configMapRef": _SOURCE, "secretRef": _SOURCE, "prefix": Run},
    "resources": {"limits": Run, "requests": Run},
    "startupProbe": _PROBE,
    "livenessProbe": _PROBE,
    "readinessProbe": _PROBE,
    "lifecycle": {"preStop": {"sleep": {"seconds": Run}, "exec": {"command": Run}}},
    "volumeMounts": {"name": Run, "mountPath": Run, "subPath": Run, "readOnly": _SECURITY},
    "terminationMessagePath": "what a container said last is in its log",
    "terminationMessagePolicy": "what a container said last is in its log",
    **_DEPRECATED_SECURITY,
}
_ITEMS = {"key": Run, "path": Run, "mode": _SECURITY}
_VOLUME: Fields = {
    "name": Run,
    "configMap": {"name": Run, "items": _ITEMS, "optional": Run, "defaultMode": _SECURITY},
    "secret": {"secretName": Run, "items": _ITEMS, "optional": Run, "defaultMode": _SECURITY},
    "emptyDir": {"medium": "it is a folder of this machine", "sizeLimit": "it is a folder of this machine"},
}
POD: Fields = {
    "containers": _CONTAINER,
    "volumes": _VOLUME,
    "serviceAccountName": Run,
    "terminationGracePeriodSeconds": Run,
    "restartPolicy": Run,
    "automountServiceAccountToken": "there is no API server to use a token at",
    "enableServiceLinks": "the sandbox gives no variables of services",
    "affinity": _NODES,
    "dnsConfig": _NETWORK,
    "dnsPolicy": _NETWORK,
    "nodeSelector": _NODES,
    "priorityClassName": _NODES,
    "schedulerName": _NODES,
    "tolerations": _NODES,
    "topologySpreadConstraints": _NODES,
    "hostUsers": _SECURITY,
    "imagePullSecrets": _NO_IMAGE,
    **_DEPRECATED_SECURITY,
}
DEPLOYMENT: Fields = {
    "replicas": Run,
    "selector": {"matchLabels": Run},
    "template": {"metadata": {"labels": Run, "annotations": Run}, "spec": POD},
    "strategy": {"type": Run, "rollingUpdate": {"maxSurge": Run, "maxUnavailable": Run}},
    "minReadySeconds": Run,
    "progressDeadlineSeconds": Run,
    "revisionHistoryLimit": "an earlier version comes back by declaring it again",
}
SERVICE: Fields = {
    "selector": Run,
    "type": Run,
    "clusterIP": Run,
    "publishNotReadyAddresses": Run,
    "ports": {"name": Run, "port": Run, "targetPort": Run, "protocol": Run, "appProtocol": "nobody here reads it"},
    "clusterIPs": _NETWORK,
    "internalTrafficPolicy": _NODES,
    "ipFamilies": _NETWORK,
    "ipFamilyPolicy": _NETWORK,
    "sessionAffinity": "it is None by default; nothing here goes through a cluster address",
    "trafficDistribution": _NODES,
}


def refuse_unknown(value: Any, fields: Fields, path: str) -> None:  # noqa: ANN401  any JSON
    """Refuse what is given and neither run nor ignored.

    Raises:
        InvalidObjectError: The message has the path and what is known there.
    """
    if isinstance(value, list):
        for index, item in enumerate(value):
            refuse_unknown(item, fields, f"{path}[{index}]")
        return
    if not isinstance(value, dict):
        raise InvalidObjectError(f"`{path}` is {value!r}; it must be an object")
    for name, item in value.items():
        if item is None:
            continue
        if name not in fields:
            known = ", ".join(sorted(fields))
            raise InvalidObjectError(f"`{path}.{name}`: the sandbox does not run this field; it knows {known}")
        if isinstance(fields[name], Mapping):
            refuse_unknown(item, fields[name], f"{path}.{name}")


def ignored(fields: Fields, path: str = "") -> dict[str, str]:
    """Every field that is taken and changes nothing here, by path, with the reason."""
    found: dict[str, str] = {}
    for name, inner in fields.items():
        below = f"{path}.{name}" if path else name
        if isinstance(inner, str):
            found[below] = inner
        elif isinstance(inner, Mapping):
            found |= ignored(inner, below)
    return found
