"""The results of checks as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from quintet import console
from quintet.smoke.runner import Result


def show(results: Sequence[Result]) -> None:
    """Prints a table of checks, and below it why the failed ones do not hold."""
    rows = [
        (result.service, result.check, "ok" if result.ok else "failed", f"{result.milliseconds:.0f}")
        for result in results
    ]
    console.table(("SERVICE", "CHECK", "RESULT", "MS"), rows)
    for result in results:
        if not result.ok:
            console.say(f"{result.service}: {result.check} {result.message}")
