"""All that `quintet` prints: colours and tables on a terminal, plain lines in a pipe, JSON for machines."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from quintet.errors import Exit, QuintetError

if TYPE_CHECKING:
    from rich.console import Console

DEBUG_VARIABLE = "QUINTET_DEBUG"

STYLES = {
    "healthy": "green",
    "ok": "green",
    "create": "green",
    "unhealthy": "red",
    "failed": "red",
    "delete": "red",
    "stopped": "dim",
    "update": "yellow",
    "replace": "magenta",
}
"""How a word that stands alone in a cell is coloured."""


@cache
def terminal() -> Console:
    """Standard output; colours only where it is a terminal and NO_COLOR is not set."""
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second that `status --json` does without

    return Console(highlight=False)


def on_a_terminal() -> bool:
    """Whether somebody looks at standard output."""
    return sys.stdout.isatty()


def say(text: str = "") -> None:
    """Prints a line as it is: never wrapped, so that a long URL or command can be pasted."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Prints a line for people beside the output: on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def as_json(document: object) -> None:
    """Prints one JSON document."""
    say(json.dumps(document, indent=2))


def heading(text: str) -> None:
    """Prints a line that stands out on a terminal."""
    if on_a_terminal():
        from rich.text import Text  # noqa: PLC0415

        terminal().print(Text(text, style="bold"))
    else:
        say(text)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows under named columns: a table on a terminal, aligned lines without wrapping in a pipe."""
    if on_a_terminal():
        _rich_table(columns, rows)
        return
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    for cells in (columns, *rows):
        say("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


def _rich_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for cells in rows:
        drawn.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in cells))
    terminal().print(drawn)


def fail(error: QuintetError, *, machine: bool = False) -> None:
    """Says what went wrong and what to do: on standard error, and as JSON on standard output when `machine`."""
    if machine:
        told = {"message": error.message, "advice": error.advice, "exit_code": int(error.exit_code)}
        as_json({"error": told, **error.details})
    red, plain = ("\x1b[31m", "\x1b[0m") if sys.stderr.isatty() and "NO_COLOR" not in os.environ else ("", "")
    note(f"{red}error:{plain} {error.message}")
    if error.advice:
        note(error.advice)
    if debugging():
        note("".join(traceback.format_exception(error)))


def debugging() -> bool:
    """Whether the user asked for tracebacks."""
    return bool(os.environ.get(DEBUG_VARIABLE))


def unexpected(error: Exception) -> QuintetError:
    """A mistake of this program as something the user can report."""
    wrapped = QuintetError(
        f"{type(error).__name__}: {error}",
        advice=f"This is a mistake in quintet. Run it again with {DEBUG_VARIABLE}=1 to see where.",
        exit_code=Exit.INTERNAL,
    )
    wrapped.__cause__ = error
    return wrapped


def seconds(value: float) -> str:
    """A duration as people read it: "0.42 s", "12.3 s"."""
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"  # noqa: PLR2004 - the decimals that matter
