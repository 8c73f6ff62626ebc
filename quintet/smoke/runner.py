"""Runs the checks of services against their addresses."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx

from quintet.errors import QuintetError
from quintet.smoke.services import ServiceChecks, known, load, require_known
from services.common.smoke import Check, CheckFailed

TIMEOUT_SECONDS = 30.0
"""What an HTTP API waits for its function, and so the longest an answer can take."""


@dataclass(frozen=True)
class Result:
    """What came of one check.

    Attributes:
        service: The service's name.
        check: What the check says must hold.
        ok: Whether it does.
        milliseconds: How long it took.
        message: Why it does not hold; empty when it does.
    """

    service: str
    check: str
    ok: bool
    milliseconds: float
    message: str = ""


def select(names: Sequence[str], endpoints: Mapping[str, str]) -> list[ServiceChecks]:
    """The checks of the named services, or of all that are deployed.

    Args:
        names: Services; none for all.
        endpoints: Addresses by service.

    Raises:
        QuintetError: A name is of no service, a named one is not deployed, nothing is, or a deployed one has no checks.
    """
    require_known(names)
    absent = [name for name in names if name not in endpoints]
    if absent or not endpoints:
        what = f"{', '.join(absent)} is not deployed" if absent else "No service is deployed"
        raise QuintetError(f"{what}: there is no address to try.", advice=f"Run `{' '.join(['quintet up', *absent])}`.")
    silent = sorted(endpoints.keys() - known().keys())
    if silent:
        raise QuintetError(
            f"{', '.join(silent)} is deployed, yet has no entry point in the group quintet.smoke.",
            advice="Add it to pyproject.toml and run `make install`.",
        )
    return [load(name) for name in (names or sorted(endpoints))]


def run(services: Sequence[ServiceChecks], endpoints: Mapping[str, str]) -> Iterator[Result]:
    """Tries the services one check after the other, and yields what came of each."""
    for service in services:
        with httpx.Client(base_url=endpoints[service.name], timeout=TIMEOUT_SECONDS) as client:
            for check in service.checks:
                yield _try(service.name, check, client)


def _try(service: str, check: Check, client: httpx.Client) -> Result:
    began = time.perf_counter()
    message = _failure(check, client)
    return Result(service, _title(check), not message, (time.perf_counter() - began) * 1000, message)


def _failure(check: Check, client: httpx.Client) -> str:
    try:
        check(client)
    except CheckFailed as failure:
        return str(failure) or "the check does not hold"
    except httpx.HTTPError as error:
        return f"no answer from {client.base_url}: {type(error).__name__} {error}".rstrip()
    except Exception as error:  # noqa: BLE001 - a service's own code; whatever it raises is a failed check
        return f"the check itself failed: {type(error).__name__}: {error}"
    return ""


def _title(check: Check) -> str:
    """The first line of the check's docstring, which says what holds."""
    documented = (check.__doc__ or "").strip().splitlines()
    return documented[0] if documented else getattr(check, "__name__", repr(check)).replace("_", " ")
