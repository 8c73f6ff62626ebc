"""The locks that the Pulumi CLI takes on the stack, and those that a killed one has left."""

from __future__ import annotations

import json
import platform
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from quintet.checkout import Checkout
from quintet.errors import Exit, QuintetError

_ROUNDED_SECONDS = 1.0
"""Start times of processes are coarser than the lock's time."""


def heal(checkout: Checkout) -> list[int]:
    """Removes the locks of CLIs that have ended without doing so, as `pulumi cancel` would.

    Returns:
        The process ids of those CLIs.

    Raises:
        QuintetError: One that works now holds a lock.
    """
    _refuse_held(checkout)
    removed = []
    for path in _paths(checkout):
        removed.append(int((_content(path) or {}).get("pid", 0)))
        path.unlink(missing_ok=True)
    return removed


def refuse_while_held(checkout: Checkout) -> None:
    """Raises where a `pulumi` works on the stack right now.

    Raises:
        QuintetError: It says which process.
    """
    _refuse_held(checkout)


def _refuse_held(checkout: Checkout) -> None:
    for path in _paths(checkout):
        content = _content(path)
        if content and not _is_stale(content):
            raise QuintetError(
                f"A `pulumi` command works on this checkout (pid {content['pid']} on {content['hostname']}).",
                advice="Wait for it, or press Ctrl-C there. If it is gone, `pulumi cancel --stack sandbox` frees the "
                'stack (after `eval "$(quintet env)"`).',
                exit_code=Exit.BUSY,
            )


def _paths(checkout: Checkout) -> list[Path]:
    return sorted(checkout.pulumi.glob(".pulumi/locks/**/*.json"))


def _content(path: Path) -> dict[str, Any] | None:
    """What the lock says of its holder; None for one that is gone, or was cut off when it was written."""
    try:
        return dict(json.loads(path.read_text()))
    except (FileNotFoundError, ValueError):
        return None


def _is_stale(content: dict[str, Any]) -> bool:
    """Whether the holder has ended; of another machine that cannot be told."""
    if content["hostname"] != platform.node():
        return False
    try:
        process = psutil.Process(content["pid"])
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        # The pid may have been given to another process since.
        return process.create_time() > _seconds(content["timestamp"]) + _ROUNDED_SECONDS
    except psutil.NoSuchProcess:
        return True


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
