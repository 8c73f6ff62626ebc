"""What the program declares for Kubernetes, as the objects that a cluster gets."""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import Any

from quintet.sandbox.engine.recording import Recording
from quintet.sandbox.engine.state import Resource
from tests.stacks.manifests.editing import edited

Object = dict[str, Any]
Labels = Mapping[str, str]


@dataclass(frozen=True)
class Declared:
    """The objects of one recorded program.

    Attributes:
        objects: In an order in which each comes after those it depends on.
        recording: All that was declared, for what is beside the cluster.
    """

    objects: tuple[Object, ...]
    recording: Recording

    @classmethod
    def by(cls, recording: Recording, *, last_first: bool = False) -> "Declared":
        """The objects of a recording; where the order is free, by name or the other way round."""
        return cls(tuple(_object(item) for item in _ordered(recording, last_first) if _is_object(item)), recording)

    def of(self, kind: str) -> list[Object]:
        return [item for item in self.objects if item["kind"] == kind]

    def one(self, kind: str, name: str) -> Object:
        [found] = [item for item in self.of(kind) if item["metadata"]["name"] == name]
        return found

    def has(self, kind: str, name: str, namespace: str) -> bool:
        return any(name_of(item) == (name, namespace) for item in self.of(kind))

    def workloads(self) -> list["Workload"]:
        return [Workload(item, self) for item in self.of("Deployment")]

    def selected(self, selector: Labels, namespace: str) -> list["Workload"]:
        """Those whose pods have all of these labels."""
        return [each for each in self.workloads() if each.namespace == namespace and matches(selector, each.labels)]

    def edited(self, where: str, value: Any) -> "Declared":
        """With another value in one object: `where` is its kind, its name (or the start of it with *) and a path."""
        kind, name, path = where.split(" ", 2)
        pattern = re.compile(f"{re.escape(name.removesuffix('*'))}{'.*' if name.endswith('*') else ''}")
        [old] = [item for item in self.of(kind) if pattern.fullmatch(item["metadata"]["name"])]
        return replace(self, objects=tuple(edited(item, path, value) if item is old else item for item in self.objects))

    def replaced(self, where: str, old: str, new: str) -> "Declared":
        """With another text within a text of one object."""
        kind, name, path = where.split(" ", 2)
        [place] = [item for item in self.of(kind) if item["metadata"]["name"].startswith(name.removesuffix("*"))]
        text: Any = place
        for key in path.split("/"):
            text = text[key]
        assert old in text, f"{old!r} is not in {text}"
        return self.edited(where, text.replace(old, new))

    def without(self, kind: str, name: str) -> "Declared":
        gone = self.one(kind, name)
        return replace(self, objects=tuple(item for item in self.objects if item is not gone))

    def aws(self, token: str, name: str | None = None, /, **inputs: Any) -> "Declared":
        """With other inputs of the AWS resource of a type, or of that logical name."""
        old = self.recording.one(token, name=name)
        new = replace(old, inputs=old.inputs | inputs)
        resources = tuple(new if item is old else item for item in self.recording.resources)
        return replace(self, recording=replace(self.recording, resources=resources))


@dataclass(frozen=True)
class Workload:
    """A Deployment and what belongs to it.

    Attributes:
        deployment: The object.
        declared: Where it was declared.
    """

    deployment: Object
    declared: Declared

    def __str__(self) -> str:
        return f"Deployment {self.name}"

    @property
    def name(self) -> str:
        return str(self.deployment["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.deployment["metadata"]["namespace"])

    @property
    def labels(self) -> Labels:
        labels: Labels = self.deployment["spec"]["template"]["metadata"]["labels"]
        return labels

    @property
    def pod(self) -> Object:
        pod: Object = self.deployment["spec"]["template"]["spec"]
        return pod

    @property
    def container(self) -> Object:
        """The only one of its pods."""
        [container] = self.pod["containers"]
        return dict(container)

    @property
    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for port in self.container["ports"]}

    @property
    def probes(self) -> dict[str, Object]:
        names = ("startupProbe", "readinessProbe", "livenessProbe")
        return {name: self.container[name]["httpGet"] for name in names}

    def port(self, given: int | str) -> int | None:
        """The number of a port by name or number; None if the pods have no such port."""
        if isinstance(given, str):
            return self.ports.get(given)
        return given if given in self.ports.values() else None

    def autoscalers(self) -> list[Object]:
        found = self.declared.of("HorizontalPodAutoscaler")
        return [
            item
            for item in found
            if (item["spec"]["scaleTargetRef"]["name"], item["metadata"]["namespace"]) == (self.name, self.namespace)
        ]

    @property
    def least(self) -> int:
        """Pods at rest."""
        least = [item["spec"].get("minReplicas", 1) for item in self.autoscalers()]
        return int(self.deployment["spec"].get("replicas", min(least, default=1)))

    def environment(self) -> list[tuple[str, str]]:
        """Name and value of every variable; what only the cluster knows stands as `$(field)`."""
        own = [
            (item["name"], item.get("value") or f"$({item['valueFrom']['fieldRef']['fieldPath']})")
            for item in self.container.get("env", [])
        ]
        return [*own, *(pair for source in self.container.get("envFrom", []) for pair in self._entries(source))]

    def _entries(self, source: Object) -> Iterator[tuple[str, str]]:
        if "configMapRef" in source:
            yield from self.declared.one("ConfigMap", source["configMapRef"]["name"])["data"].items()
        if "secretRef" in source:
            yield from self.declared.one("Secret", source["secretRef"]["name"])["stringData"].items()


def matches(selector: Labels, labels: Labels) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def name_of(item: Object) -> tuple[str, str]:
    """Name and namespace."""
    return item["metadata"]["name"], item["metadata"].get("namespace", "")


def title(item: Object) -> str:
    return f"{item['kind']} {item['metadata']['name']}"


def _ordered(recording: Recording, last_first: bool) -> list[Resource]:
    by_urn = {item.urn: item for item in sorted(recording.resources, key=lambda each: each.urn, reverse=last_first)}
    graph = {urn: {*item.dependencies, *([item.parent] if item.parent else [])} for urn, item in by_urn.items()}
    return [by_urn[urn] for urn in TopologicalSorter(graph).static_order() if urn in by_urn]


def _is_object(item: Resource) -> bool:
    return item.type.startswith("kubernetes:")


def _object(item: Resource) -> Object:
    return copy.deepcopy(dict(item.inputs))
