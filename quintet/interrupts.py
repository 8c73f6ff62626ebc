"""Ctrl-C, a closed terminal and SIGTERM as one exception, which cannot come again while the first is dealt with."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Turns signals into `KeyboardInterrupt` until `hold` is called."""

    def __init__(self) -> None:
        self._held = False

    def hold(self) -> None:
        """From now on signals are ignored: what stops the sandbox is not to be stopped half-way."""
        self._held = True

    def _arrived(self, _number: int, _frame: FrameType | None) -> None:
        if not self._held:
            raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Within it, each of the signals raises `KeyboardInterrupt`; before and after, they do what they did."""
    interrupts = Interrupts()
    before = {number: signal.signal(number, interrupts._arrived) for number in _SIGNALS}  # noqa: SLF001 - its own
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
