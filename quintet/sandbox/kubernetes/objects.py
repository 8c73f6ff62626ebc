"""The objects that were applied, as an API server keeps them."""

from __future__ import annotations

import copy
import itertools
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from quintet.files import read_json, write_json
from quintet.sandbox.kubernetes.errors import InvalidObjectError, KubernetesError

Object = dict[str, Any]
_CLUSTER_WIDE = frozenset({"Namespace", "NodeClass", "NodePool", "ClusterRole", "ClusterRoleBinding", "IngressClass"})
_ALWAYS_THERE = frozenset({"default", "kube-system"})


class Key(NamedTuple):
    """What tells objects apart."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def key_of(value: Object) -> Key:
    """The key of an object; its namespace is `default` where it names none.

    Raises:
        InvalidObjectError: It has no kind or no name.
    """
    metadata = value.get("metadata") or {}
    kind, name = value.get("kind"), metadata.get("name")
    if not kind or not name:
        raise InvalidObjectError(
            "an object needs `kind` and `metadata.name`; the sandbox proposes no names, as those of a cluster are read "
            "in other places, too"
        )
    return Key(kind, "" if kind in _CLUSTER_WIDE else metadata.get("namespace") or "default", name)


class ObjectStore:
    """Objects by key; what it gives out is the caller's own copy.

    Secrets are also kept in a file of the user's alone: the real engine's state has them encrypted, so that after a
    restart nobody could tell the cluster what they hold.
    """

    def __init__(self, secrets: Path | None = None) -> None:
        """The namespaces that every cluster has, and the Secrets of the last time."""
        self._secrets = secrets
        kept = (read_json(secrets) or {}).get("secrets", []) if secrets else []
        self._objects: dict[Key, Object] = {key_of(value): value for value in kept}
        self._versions = itertools.count(1)

    def put(self, value: Object) -> Object:
        """Keeps an object, its `status` as it was before; gives it back with what the server adds.

        Raises:
            KubernetesError: Its namespace does not exist.
        """
        key = key_of(value)
        self._require_namespace(key)
        old = self._objects.get(key)
        before = old["metadata"] if old else {}
        changed = old is None or _content(old) != _content(value)
        kept = copy.deepcopy(value)
        kept["metadata"] = {
            **kept["metadata"],
            **({"namespace": key.namespace} if key.namespace else {}),
            "uid": before.get("uid") or str(uuid.uuid4()),
            "creationTimestamp": before.get("creationTimestamp") or _now(),
            "generation": before.get("generation", 0) + changed,
            "resourceVersion": str(next(self._versions)) if changed else before["resourceVersion"],
        }
        if old and "status" in old:
            kept["status"] = old["status"]
        self._objects[key] = kept
        self._keep_secrets(key)
        return copy.deepcopy(kept)

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """An object, or None."""
        return copy.deepcopy(self._objects.get(Key(kind, namespace, name)))

    def all(self, kind: str, namespace: str | None = None) -> Iterator[Object]:
        """All objects of a kind, in one namespace or all."""
        for key, value in list(self._objects.items()):
            if key.kind == kind and namespace in {None, key.namespace}:
                yield copy.deepcopy(value)

    def set_status(self, key: Key, status: Object) -> None:
        """Writes the status of an object that is there."""
        if key in self._objects:
            self._objects[key]["status"] = status

    def remove(self, key: Key) -> bool:
        """Forgets an object; whether it was there."""
        was_there = self._objects.pop(key, None) is not None
        self._keep_secrets(key)
        return was_there

    def inside(self, namespace: str) -> list[Key]:
        """What lies in a namespace."""
        return [key for key in self._objects if key.namespace == namespace]

    def _keep_secrets(self, changed: Key) -> None:
        if self._secrets and changed.kind == "Secret":
            self._secrets.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_json(self._secrets, {"secrets": [*self.all("Secret")]})

    def _require_namespace(self, key: Key) -> None:
        known = {name for kind, _, name in self._objects if kind == "Namespace"} | _ALWAYS_THERE
        if key.namespace and key.namespace not in known:
            raise KubernetesError(
                f'{key}: namespaces "{key.namespace}" not found; there are {", ".join(sorted(known))}. Declare it '
                "before what lies in it (`depends_on`, or its output as `metadata.namespace`)"
            )


def _content(value: Object) -> Object:
    return {name: item for name, item in value.items() if name not in {"metadata", "status"}}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def labels_of(value: Object) -> dict[str, str]:
    """The labels of an object."""
    return dict((value.get("metadata") or {}).get("labels") or {})


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    """Whether labels have all that a selector asks for; an empty one selects nothing."""
    return bool(selector) and selector.items() <= labels.items()
