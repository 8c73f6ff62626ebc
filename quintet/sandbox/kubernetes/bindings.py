"""TargetGroupBindings: the ready pods of a Service are the targets of a load balancer's group."""

from __future__ import annotations

from collections.abc import Callable

from quintet.sandbox.kubernetes.load_balancer import LoadBalancers
from quintet.sandbox.kubernetes.objects import Key, Object

Lookup = Callable[[str, str, int | str], list[tuple[str, int]]]
"""The pods of a Service, by namespace, name and port."""


class Bindings:
    """Keeps target groups as Services are; belongs to one event loop."""

    def __init__(self, balancers: LoadBalancers, lookup: Lookup) -> None:
        """None yet."""
        self._balancers, self._lookup = balancers, lookup
        self._bound: dict[Key, Object] = {}

    def put(self, key: Key, value: Object) -> None:
        """Makes or changes a binding."""
        old = self._bound.get(key)
        if old and old["spec"]["targetGroupARN"] != value["spec"]["targetGroupARN"]:
            self.remove(key)
        self._bound[key] = value
        self.look()

    def remove(self, key: Key) -> None:
        """Lets go of the targets of a binding."""
        if value := self._bound.pop(key, None):
            self._balancers.register(value["spec"]["targetGroupARN"], str(key), ())

    def look(self) -> None:
        """The pods of some Service have changed."""
        for key, value in self._bound.items():
            service = value["spec"]["serviceRef"]
            targets = self._lookup(key.namespace, service["name"], service["port"])
            self._balancers.register(value["spec"]["targetGroupARN"], str(key), targets)
