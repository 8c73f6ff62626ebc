"""The emulated AWS as a cloud: every call goes to the kind that is registered for the type."""

import importlib
import pkgutil
import secrets
from typing import TYPE_CHECKING

from quintet.sandbox import kinds
from quintet.sandbox.engine.added import merged
from quintet.sandbox.engine.assets import comparable
from quintet.sandbox.engine.cloud import UNKNOWN, Diff, Properties
from quintet.sandbox.engine.errors import SandboxUnsupported
from quintet.sandbox.kinds.base import INVOKES, KINDS, Kind, UnknownInputError

if TYPE_CHECKING:
    from quintet.sandbox.world import World


def load_kinds() -> None:
    """Import every module of `quintet.sandbox.kinds`, so that what they define is registered."""
    for module in pkgutil.walk_packages(kinds.__path__, f"{kinds.__name__}."):
        importlib.import_module(module.name)


class EmulatedCloud:
    """Realises resources through the registered kinds; a type without one gets its inputs as outputs and an id."""

    def __init__(self, world: "World") -> None:
        load_kinds()
        self._world = world
        self._kinds = {token: cls(world) for token, cls in KINDS.items()}

    def realises(self, type_: str) -> bool:
        """Whether a kind is registered for the type."""
        return type_ in self._kinds

    def check(self, type_: str, name: str, old: Properties, new: Properties, /, *, autoname: str) -> Properties:  # noqa: ARG002  Cloud's signature: names come proposed, so the old inputs are not needed
        """Refuse unknown inputs, fill the physical name, then ask the kind."""
        if (kind := self._kinds.get(type_)) is None:
            return new
        _refuse_unknown_inputs(kind, name, new)
        if kind.name_input is not None and new.get(kind.name_input) is None and not _has_prefix(kind, new):
            new = {**new, kind.name_input: _fitting(kind, name, autoname)}
        return kind.check(new)

    def diff(self, type_: str, old: Properties, new: Properties) -> Diff:
        """Compare input by input; what the kind cannot change in place replaces."""
        changed = tuple(key for key in sorted({*old, *new}) if comparable(old.get(key)) != comparable(new.get(key)))
        if (kind := self._kinds.get(type_)) is None:
            return Diff(changed)
        replaces = tuple(key for key in changed if kind.replaces(key, old, new))
        # Two resources of one name cannot live side by side.
        return Diff(changed, replaces, delete_first=kind.same_name(old, new) and not _has_prefix(kind, new))

    def create(self, type_: str, inputs: Properties) -> tuple[str, Properties]:
        """Make it; what is only declared gets an id that says so."""
        kind = self._kinds.get(type_)
        return kind.create(inputs) if kind else (f"declared-{secrets.token_hex(4)}", {})

    def update(self, type_: str, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change it in place."""
        kind = self._kinds.get(type_)
        return kind.update(id_, old, inputs) if kind else {}

    def delete(self, type_: str, id_: str, outputs: Properties) -> None:
        """Delete it."""
        if kind := self._kinds.get(type_):
            kind.delete(id_, outputs)

    def read(self, type_: str, id_: str, outputs: Properties) -> Properties | None:
        """Read it; what is only declared is always as declared."""
        kind = self._kinds.get(type_)
        return kind.read(id_, outputs) if kind else outputs

    def resume(self, type_: str, id_: str, outputs: Properties) -> None:
        """Bring back what does not outlive a restart."""
        if kind := self._kinds.get(type_):
            kind.resume(id_, outputs)

    def planned(self, type_: str, old_outputs: Properties, inputs: Properties) -> Properties:
        """Old outputs under the new inputs, the volatile ones unknown."""
        kind = self._kinds.get(type_)
        return {**merged(old_outputs, inputs), **dict.fromkeys(kind.volatile if kind else (), UNKNOWN)}

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """Call the function registered for the token.

        Raises:
            SandboxUnsupported: None is registered.
        """
        if token not in INVOKES:
            raise SandboxUnsupported(f"the provider function {token}")
        return INVOKES[token](self._world, arguments)


def _has_prefix(kind: Kind, inputs: Properties) -> bool:
    """Whether the program gives a prefix of the name: the rest is made up when the resource is made."""
    return inputs.get(f"{kind.name_input}Prefix") is not None


def _refuse_unknown_inputs(kind: Kind, name: str, inputs: Properties) -> None:
    known = {*kind.consumed, *kind.ignored, *kind.replace_on, *({kind.name_input} if kind.name_input else ())}
    if unknown := sorted(inputs.keys() - known):
        raise UnknownInputError(kind.token, name, unknown, sorted(known))


def _fitting(kind: Kind, name: str, autoname: str) -> str:
    if kind.name_limit is not None and len(autoname) > kind.name_limit:
        raise ValueError(
            f"{kind.token} {name}: the name {autoname!r} that the pattern of `pulumi:autonaming` gives has "
            f"{len(autoname)} characters, AWS takes {kind.name_limit}; shorten the logical name or give "
            f"`{kind.name_input}`"
        )
    return autoname
