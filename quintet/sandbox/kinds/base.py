"""What the sandbox knows of a resource type: one small class each, registered by its type token.

A kind turns checked inputs into calls on the emulated AWS. Every input it takes is named, either in `consumed` or,
with a reason, in `ignored`; any other is refused before anything is made, so that nothing the program declares is
lost in silence. A type without a kind is declared only.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, TypeVar

from quintet.sandbox.engine.cloud import UNKNOWN, Properties, is_unknown
from quintet.sandbox.engine.errors import SandboxError

if TYPE_CHECKING:
    from quintet.sandbox.world import World

__all__ = ["INVOKES", "KINDS", "UNKNOWN", "Kind", "Properties", "UnknownInputError", "invoke", "is_unknown", "kind"]


class UnknownInputError(SandboxError):
    """The program gives an input that the kind neither realises nor names as ignored."""

    def __init__(self, token: str, name: str, unknown: list[str], known: list[str]) -> None:
        listed = ", ".join(f"`{item}`" for item in unknown)
        super().__init__(
            f"{token} {name}: the sandbox does not realise the input {listed}; it knows {', '.join(known) or 'none'}. "
            "Leave it out, or teach the kind in quintet/sandbox/kinds what it means"
        )


class Kind:
    """One resource type: how it is checked, made, changed, read and deleted.

    Attributes:
        token: The type token.
        name_input: The input that carries the physical name; the project's pattern fills it where the program does not.
        name_limit: The longest proposed name that AWS takes, in characters; a longer one is refused, as the AWS
            provider does, rather than cut.
        replace_on: Inputs whose change needs a new resource (the name is always one of them).
        volatile: Outputs that an update may change: unknown in its preview, so that what follows from them shows.
        consumed: Inputs that are realised.
        ignored: Inputs that are taken and change nothing in the sandbox, each with the reason.
    """

    token: ClassVar[str]
    name_input: ClassVar[str | None] = None
    name_limit: ClassVar[int | None] = None
    replace_on: ClassVar[frozenset[str]] = frozenset()
    volatile: ClassVar[frozenset[str]] = frozenset()
    consumed: ClassVar[frozenset[str]] = frozenset()
    ignored: ClassVar[Mapping[str, str]] = {}

    def __init__(self, world: "World") -> None:
        self.world = world

    def check(self, inputs: Properties) -> Properties:
        """Inputs with defaults filled in; raises about a value that AWS would refuse. Pure; may see unknown values."""
        return inputs

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Make it; the id and the outputs beyond the inputs."""
        raise NotImplementedError

    def update(self, id_: str, old: Properties, inputs: Properties) -> Properties:
        """Change it in place from its old outputs; the outputs that this changed. Left out: every change replaces."""
        raise NotImplementedError

    def delete(self, id_: str, outputs: Properties) -> None:
        """Delete it; one that is gone already is not an error."""
        raise NotImplementedError

    def read(self, id_: str, outputs: Properties) -> Properties | None:
        """The outputs as they are now; None when it is gone."""
        raise NotImplementedError

    def replaces(self, key: str, old: Properties, new: Properties) -> bool:  # noqa: ARG002  for those that look deeper
        """Whether a change of an input needs a new resource."""
        return key in self.replace_on or key == self.name_input or not self.updates_in_place()

    def same_name(self, old: Properties, new: Properties) -> bool:
        """Whether the old and the new resource of a replacement would carry one physical name."""
        # Without a name its identity may be its inputs.
        return self.name_input is None or old.get(self.name_input) == new.get(self.name_input)

    def resume(self, id_: str, outputs: Properties) -> None:
        """Bring back what does not outlive a restart of the sandbox; nothing for most kinds."""

    @classmethod
    def updates_in_place(cls) -> bool:
        """Whether a change can be made without a new resource."""
        return cls.update is not Kind.update


Invoke = Callable[["World", Properties], Properties]
KINDS: dict[str, type[Kind]] = {}
INVOKES: dict[str, Invoke] = {}

_K = TypeVar("_K", bound=type[Kind])


def kind(cls: _K) -> _K:
    """Register a class for its `token`.

    Raises:
        ValueError: Two classes have the same token, or an input is both consumed and ignored.
    """
    if (other := KINDS.get(cls.token)) is not None and other.__qualname__ != cls.__qualname__:
        raise ValueError(f"{cls.token} is registered by both {other.__qualname__} and {cls.__qualname__}")
    if both := cls.consumed & cls.ignored.keys():
        raise ValueError(f"{cls.__qualname__}: {', '.join(sorted(both))} is both consumed and ignored")
    KINDS[cls.token] = cls
    return cls


def invoke(token: str) -> Callable[[Invoke], Invoke]:
    """Register a function `(world, arguments) -> result` for a provider function's token."""

    def register(function: Invoke) -> Invoke:
        INVOKES[token] = function
        return function

    return register
