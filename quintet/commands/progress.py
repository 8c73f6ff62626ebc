"""What `quintet up` shows while it works: a live line on a terminal, one line a resource in a pipe."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from quintet import console
from quintet.sandbox.events import Event

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_PAST = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "same": "unchanged",
    "failed": "failed",
}
_SILENT = frozenset({"same", "read"})
_SHOWN_AT_ONCE = 3


def summary(counts: Mapping[str, int]) -> str:
    """Counts by operation as a phrase: "12 created, 3 unchanged"."""
    return ", ".join(f"{counts[key]} {past}" for key, past in _PAST.items() if counts.get(key)) or "0 changes"


class Progress:
    """Shows events as they come; use as a context."""

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent
        self._under_way: dict[str, str] = {}
        self._phase = ""
        self._live: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Progress:
        if not self._silent and console.on_a_terminal():
            from rich.progress import Progress as RichProgress  # noqa: PLC0415 - needed on a terminal only
            from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

            columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
            self._live = RichProgress(*columns, console=console.terminal(), transient=True)
            self._live.start()
            self._task = self._live.add_task("Starting", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, event: Event) -> None:
        """Shows one event of a deployment."""
        if self._silent:
            return
        if event["event"] == "resource":
            self._resource(event)
        elif event["event"] == "phase":
            self._phase = event["text"]
            if not self._live:
                console.say(self._phase)
        else:
            self._line(event["text"], "")
        self._refresh()

    def _resource(self, event: Event) -> None:
        if not event["done"]:
            self._under_way[event["urn"]] = event["name"]
            return
        self._under_way.pop(event["urn"], None)
        if event["operation"] not in _SILENT:
            changed = f"  ({', '.join(event['changed'])})" if event["operation"] == "update" else ""
            timed = console.seconds(event["seconds"])
            self._line(
                f"{event['operation']:<8} {event['type']}  {event['name']}  {timed}{changed}", event["operation"]
            )
        if event["error"]:
            self._line(f"         {event['error']}", "failed")

    def _line(self, text: str, style: str) -> None:
        if self._live:
            from rich.text import Text  # noqa: PLC0415 - needed on a terminal only

            self._live.console.print(Text(text, style=console.STYLES.get(style, "")), soft_wrap=True)
        else:
            console.say(text)

    def _refresh(self) -> None:
        if not self._live or self._task is None:
            return
        names = list(self._under_way.values())
        more = f" and {len(names) - _SHOWN_AT_ONCE} more" if len(names) > _SHOWN_AT_ONCE else ""
        doing = f": {', '.join(names[:_SHOWN_AT_ONCE])}{more}" if names else ""
        self._live.update(self._task, description=f"{self._phase}{doing}")
