"""The environment of a container: its image's ENV, what the pod declares, and the stand-ins of the sandbox.

The stand-ins, which whatever is declared overrides:
- PATH, HOME and HOSTNAME, which a container engine gives; HOME is an empty folder, so that nobody's ~/.aws is found;
- AWS_ENDPOINT_URL, as AWS is this machine, and AWS_EC2_METADATA_DISABLED, as no instance's role may be found;
- SSL_CERT_FILE, once there is a cache: this machine's authorities and the one that signs for the caches;
- TMPDIR, as each pod has a /tmp of its own.
A value that is a path below a mount (or below /tmp) names the folder that plays its part.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quintet.sandbox.kubernetes.errors import InvalidObjectError, ReferenceMissingError
from quintet.sandbox.kubernetes.objects import Object, ObjectStore
from quintet.sandbox.kubernetes.pod_spec import Container
from quintet.sandbox.kubernetes.quantities import divided

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_REFERENCE = re.compile(r"\$(\$)?\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")
_OF_A_MAP = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


@dataclass(frozen=True, kw_only=True)
class PodFacts:
    """What the downward API can tell of a pod."""

    name: str
    namespace: str
    uid: str
    address: str
    service_account: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def field(self, path: str) -> str:
        """The value of a `fieldPath`.

        Raises:
            InvalidObjectError: The downward API has no such field.
        """
        if match := _OF_A_MAP.fullmatch(path):
            return (self.labels if match[1] == "labels" else self.annotations).get(match[2], "")
        known = {
            "metadata.name": self.name,
            "metadata.namespace": self.namespace,
            "metadata.uid": self.uid,
            "spec.nodeName": "sandbox",
            "spec.serviceAccountName": self.service_account,
            "status.hostIP": "127.0.0.1",
            "status.podIP": self.address,
            "status.podIPs": self.address,
        }
        if path not in known:
            raise InvalidObjectError(f"the downward API has no field {path!r}; it has {', '.join(sorted(known))}")
        return known[path]


class Values:
    """Looks up what variables and volumes take from ConfigMaps and Secrets of one namespace."""

    def __init__(self, objects: ObjectStore, namespace: str) -> None:
        """Reads the objects as they are when asked."""
        self._objects, self._namespace = objects, namespace

    def all(self, kind: str, name: str, *, optional: bool = False) -> dict[str, bytes]:
        """The whole content of a ConfigMap or Secret.

        Raises:
            ReferenceMissingError: There is none, and it is not optional.
        """
        found = self._objects.find(kind, self._namespace, name)
        if found is None:
            if optional:
                return {}
            known = ", ".join(sorted(item["metadata"]["name"] for item in self._objects.all(kind, self._namespace)))
            raise ReferenceMissingError(
                f'{kind.lower()} "{name}" not found in the namespace {self._namespace}; there are: {known or "none"}'
            )
        return content(found)

    def one(self, kind: str, name: str, key: str, *, optional: bool = False) -> str | None:
        """One value; None where it is missing and optional.

        Raises:
            ReferenceMissingError: It is missing and not optional.
        """
        values = self.all(kind, name, optional=optional)
        if key in values:
            return values[key].decode()
        if optional:
            return None
        known = ", ".join(sorted(values)) or "none"
        raise ReferenceMissingError(f"{kind.lower()} {name} has no key {key!r}; it has: {known}")


def content(value: Object) -> dict[str, bytes]:
    """What a ConfigMap or a Secret holds, decoded."""
    data = value.get("data") or {}
    if value["kind"] == "ConfigMap":
        binary = {name: base64.b64decode(item) for name, item in (value.get("binaryData") or {}).items()}
        return {**{name: item.encode() for name, item in data.items()}, **binary}
    plain = {name: item.encode() for name, item in (value.get("stringData") or {}).items()}
    return {**{name: base64.b64decode(item) for name, item in data.items()}, **plain}


def declared_environment(container: Container, facts: PodFacts, values: Values) -> dict[str, str]:
    """What `envFrom` and `env` of a container give, in the order in which Kubernetes takes them.

    Raises:
        ReferenceMissingError: A ConfigMap, a Secret or a key is missing.
        InvalidObjectError: A variable cannot be understood.
    """
    made: dict[str, str] = {}
    for source in container.environment_from:
        made |= _from_source(source, values)
    for variable in container.environment:
        value = _value(variable, container, facts, values)
        if value is not None:
            made[variable["name"]] = _expanded(value, made)
    return made


def localised(environment: Mapping[str, str], local: Callable[[str], str]) -> dict[str, str]:
    """The same with paths of the container as paths of this machine."""
    return {name: local(value) if value.startswith("/") else value for name, value in environment.items()}


def _from_source(source: Mapping[str, Any], values: Values) -> dict[str, str]:
    prefix = source.get("prefix") or ""
    for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        if reference := source.get(field):
            found = values.all(kind, reference["name"], optional=bool(reference.get("optional")))
            return {f"{prefix}{name}": item.decode() for name, item in found.items()}
    raise InvalidObjectError("an element of `envFrom` needs configMapRef or secretRef")


def _value(variable: Mapping[str, Any], container: Container, facts: PodFacts, values: Values) -> str | None:
    source = variable.get("valueFrom")
    if not source:
        given = variable.get("value") or ""
        if not isinstance(given, str):
            raise InvalidObjectError(f"the value of the variable {variable['name']} is {given!r}; it must be text")
        return given
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if reference := source.get(field):
            optional = bool(reference.get("optional"))
            return values.one(kind, reference["name"], reference["key"], optional=optional)
    if reference := source.get("fieldRef"):
        return facts.field(reference["fieldPath"])
    return _resource(source["resourceFieldRef"], container)


def _resource(reference: Mapping[str, Any], container: Container) -> str:
    scope, _, name = str(reference["resource"]).partition(".")
    amounts = container.limits if scope == "limits" else container.requests
    if name not in amounts:
        raise InvalidObjectError(
            f"the container {container.name} has no {reference['resource']}; a cluster would give what the node has"
        )
    return str(divided(amounts[name], str(reference.get("divisor") or "1")))


def _expanded(value: str, known: Mapping[str, str]) -> str:
    """`$(NAME)` of variables before this one; `$$(NAME)` stays as `$(NAME)`, and so does an unknown one."""

    def fill(match: re.Match[str]) -> str:
        return match[0][1:] if match[1] else known.get(match[2], match[0])

    return _REFERENCE.sub(fill, value)
