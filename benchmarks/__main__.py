"""Runs every benchmark of this folder and prints their figures.

python -m benchmarks                 all of them
python -m benchmarks cold_start      some of them
python -m benchmarks --write         and keep them in docs/benchmarks.md; what was not run stays as it was
"""

import importlib
import pkgutil
import platform
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

import benchmarks
from benchmarks.measurement import Comparison, Measurement

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
INFRASTRUCTURE = {"measurement", "live", "local_function", "serving"}


def names() -> list[str]:
    """The benchmarks there are: one file a claim, or a few that share a set-up."""
    found = {module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.name.startswith("_")}
    return sorted(found - INFRASTRUCTURE)


def measure(chosen: list[str], console: Console) -> Iterator[Measurement | Comparison]:
    """Runs the chosen benchmarks one after another; what is running is said on a terminal."""
    for name in chosen:
        with console.status(f"measuring {name}"):
            yield from importlib.import_module(f"benchmarks.{name}").measure()


def rows(measured: list[Measurement]) -> list[tuple[str, str, str, str]]:
    """The table's cells."""
    return [(m.claim, f"{m.value:.3g} {m.unit}", m.bound, "yes" if m.met else "NO") for m in measured]


def table(comparison: Comparison) -> list[str]:
    """Lines of Markdown."""
    heads = [f"| {' | '.join(comparison.columns)} |", f"|{'---|' * len(comparison.columns)}"]
    return ["", comparison.title + ":", "", *heads, *(f"| {' | '.join(row)} |" for row in comparison.rows)]


def kept(page: str) -> dict[str, tuple[str, ...]]:
    """The rows of a page's first table, by what was measured."""
    first = page.partition("|---|\n")[2].partition("\n\n")[0]
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in first.splitlines()]
    return {row[0]: row for row in cells if row[0]}


def beside_of(page: str) -> list[str]:
    """The lines of a page after its first table."""
    return ["", *page.partition("|---|\n")[2].partition("\n\n")[2].rstrip().splitlines()]


def page(measured: list[Measurement], comparisons: list[Comparison], before: str) -> str:
    """docs/benchmarks.md, whole; of what was not measured now, what it said before."""
    gibibytes = psutil.virtual_memory().total / 2**30
    machine = f"{psutil.cpu_count()} cores, {gibibytes:.0f} GiB, Python {platform.python_version()}"
    told = kept(before) | {row[0]: row for row in rows(measured)}
    lines = [f"| {' | '.join(row)} |" for row in told.values()]
    beside = [line for comparison in comparisons for line in table(comparison)] or beside_of(before)
    return "\n".join(
        [
            "# Speed",
            "",
            "`make bench` prints this table, `python -m benchmarks --write` writes this page. The machine of this run: "
            + machine
            + ".",
            "",
            "| what | measured | goal | met |",
            "|---|---|---|---|",
            *lines,
            *beside,
            "",
        ]
    )


def show(console: Console, columns: Iterable[str], cells: Iterable[Iterable[str]]) -> None:
    """A table on the terminal."""
    shown = Table(*columns)
    for row in cells:
        shown.add_row(*row)
    console.print(shown)


def main(arguments: list[str]) -> int:
    """Exit code 1 when a goal is missed, 2 when a benchmark's name is unknown."""
    console = Console()
    chosen = [name for name in arguments if not name.startswith("--")] or names()
    if unknown := sorted(set(chosen) - set(names())):
        console.print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(names())}")
        return 2
    found = list(measure(chosen, console))
    measured = [each for each in found if isinstance(each, Measurement)]
    comparisons = [each for each in found if isinstance(each, Comparison)]
    show(console, ("what", "measured", "goal", "met"), rows(measured))
    for comparison in comparisons:
        console.print(f"\n{comparison.title}:")
        show(console, comparison.columns, comparison.rows)
    if "--write" in arguments:
        PAGE.write_text(page(measured, comparisons, PAGE.read_text() if PAGE.exists() else ""))
    return 0 if all(m.met for m in measured) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
