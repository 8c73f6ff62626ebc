"""What each service says about how it is tried; found through the entry points `quintet.smoke`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from itertools import repeat
from types import ModuleType

from quintet.errors import Exit, QuintetError
from services.common.smoke import Check, Example

GROUP = "quintet.smoke"

Samples = Callable[[int], Iterator[Example]]


@dataclass(frozen=True)
class ServiceChecks:
    """A service's own account of itself.

    Attributes:
        name: The service.
        example: One call that shows what it does.
        checks: What must hold wherever it runs.
        samples: Requests such as users make, without end, others for each number; else the example.
    """

    name: str
    example: Example
    checks: tuple[Check, ...]
    samples: Samples = lambda _: iter(())


def known() -> dict[str, EntryPoint]:
    """The services that declare checks, by name; nothing of theirs is imported."""
    return {point.name: point for point in entry_points(group=GROUP)}


def require_known(names: Collection[str]) -> None:
    """Refuses names of services that do not exist.

    Raises:
        QuintetError: Names the unknown ones and those that exist.
    """
    services = known()
    unknown = [name for name in names if name not in services]
    if unknown:
        raise QuintetError(
            f"There is no service {', '.join(unknown)}; the services are {', '.join(sorted(services))}.",
            exit_code=Exit.USAGE,
        )


def load(name: str) -> ServiceChecks:
    """Imports the checks of a service.

    Raises:
        QuintetError: Its module cannot be imported or lacks EXAMPLE or CHECKS.
    """
    require_known([name])
    point = known()[name]
    try:
        module = point.load()
        return ServiceChecks(name, module.EXAMPLE, _not_empty(module.CHECKS), _samples(module))
    except (ImportError, AttributeError, ValueError) as error:
        raise QuintetError(
            f"The checks of {name} cannot be read from {point.value}: {error}.",
            advice="The module needs EXAMPLE and a CHECKS that is not empty; `make install` registers a new one.",
        ) from error


def _samples(module: ModuleType) -> Samples:
    given: Samples | None = getattr(module, "samples", None)
    return given or (lambda _: repeat(module.EXAMPLE))


def _not_empty(checks: Sequence[Check]) -> tuple[Check, ...]:
    if not checks:
        raise ValueError("CHECKS is empty")
    return tuple(checks)
