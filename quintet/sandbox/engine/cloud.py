"""What a deployment is realised on: the engine plans, a cloud makes.

Properties are plain JSON-able dictionaries with camelCase keys: outputs resolved, secrets unwrapped. A value that a
preview cannot know yet is the string `UNKNOWN` (`is_unknown` finds it at any depth); an asset is a dictionary that
`quintet.sandbox.engine.assets` reads.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from pulumi.runtime import rpc

Properties = dict[str, Any]

UNKNOWN: str = rpc.UNKNOWN
"""Stands in a preview for a value that only an update brings; the Pulumi SDK turns it into an unknown output."""


def is_unknown(value: object) -> bool:
    """Whether a value is unknown in this preview, or holds something unknown at any depth."""
    if isinstance(value, dict):
        return any(is_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(is_unknown(item) for item in value)
    return isinstance(value, str) and UNKNOWN in value


@dataclass(frozen=True)
class Diff:
    """What differs between the inputs a resource was made with and those it is declared with now.

    Attributes:
        changed: Names of the inputs that differ, sorted; empty when nothing does.
        replaces: Those of them that need a new resource.
        delete_first: A replacement, should there be one, must delete the old resource before it makes the new one,
            as both would carry one physical name.
    """

    changed: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    delete_first: bool = False


class Cloud(Protocol):
    """Makes, changes, reads and deletes resources by their Pulumi type token.

    `check`, `diff` and `planned` are pure: a preview calls nothing else, so it needs no running cloud.
    Every method may be called from several threads at once. An exception of any type fails the resource.
    """

    def realises(self, type_: str, /) -> bool:
        """Whether the type is really made; one that is not is only declared, and listed as such."""
        ...

    def check(self, type_: str, name: str, old: Properties, new: Properties, /, *, autoname: str) -> Properties:
        """Inputs completed with defaults and physical names, or an error about what the program wrote.

        Args:
            type_: The type token, as `aws:s3/bucket:Bucket`.
            name: The logical name.
            old: The checked inputs of the resource that exists; empty for a new one and for a replacement.
            new: The inputs as declared; may hold unknown values in a preview.
            autoname: The physical name that the project's pattern proposes; stays the same while the resource lives.
        """
        ...

    def diff(self, type_: str, old: Properties, new: Properties, /) -> Diff:
        """Compare checked inputs."""
        ...

    def create(self, type_: str, inputs: Properties, /) -> tuple[str, Properties]:
        """Make a resource; its id and its outputs (the state keeps inputs | outputs)."""
        ...

    def update(self, type_: str, id_: str, old: Properties, inputs: Properties, /) -> Properties:
        """Change a resource in place from its old outputs to new inputs; the outputs that this changed."""
        ...

    def delete(self, type_: str, id_: str, outputs: Properties, /) -> None:
        """Delete a resource; one that is gone already is not an error."""
        ...

    def read(self, type_: str, id_: str, outputs: Properties, /) -> Properties | None:
        """The outputs as they really are now; None when the resource is gone."""
        ...

    def resume(self, type_: str, id_: str, outputs: Properties, /) -> None:
        """Bring back what does not outlive a restart (a process, a route); called when nothing changed."""
        ...

    def planned(self, type_: str, old_outputs: Properties, inputs: Properties, /) -> Properties:
        """The outputs to show in the preview of an update, those that the update may change unknown."""
        ...

    def invoke(self, token: str, arguments: Properties, /) -> Properties:
        """The result of a provider function such as `aws:index/getCallerIdentity:getCallerIdentity`."""
        ...
