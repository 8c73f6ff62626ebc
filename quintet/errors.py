"""What can go wrong, as the user sees it: a message, what to do, and an exit code that a script can tell apart."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """The exit codes of `quintet`."""

    OK = 0
    FAILED = 1
    """A deployment or a check failed; the message says which."""
    USAGE = 2
    """The command line or a setting is wrong."""
    PORT_IN_USE = 3
    NO_SPACE = 4
    EMULATOR_DIED = 5
    """The emulated AWS ended by itself."""
    MODEL_MISSING = 6
    """A model's files are not in this checkout."""
    BUSY = 7
    """Another `quintet up` or `quintet down` works on this checkout."""
    WRONG_PYTHON = 8
    TOOL_MISSING = 9
    """A program that the command needs is not installed."""
    ROLLED_BACK = 10
    """A rollout was not good, or could not be judged: what was live before is live again."""
    INTERNAL = 70
    """A mistake in `quintet` itself."""
    INTERRUPTED = 130


class QuintetError(Exception):
    """Something the user should know, without a traceback.

    Attributes:
        message: What was wrong, and what is allowed.
        advice: What to do about it; may be empty.
        exit_code: The exit code of the command.
        details: What a machine may want besides; `--json` prints it.
    """

    def __init__(
        self,
        message: str,
        *,
        advice: str = "",
        exit_code: Exit = Exit.FAILED,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.exit_code = exit_code
        self.details = dict(details or {})


FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says when a disk, or the user's share of it, is full."""


def no_space(place: str) -> QuintetError:
    """Something could not be written for want of space."""
    return QuintetError(
        f"There is no space left for the sandbox in {place}.",
        advice="Free some, or point QUINTET_HOME at a folder on another disk; then run `quintet up` again.",
        exit_code=Exit.NO_SPACE,
    )


def of_the_system(error: OSError) -> QuintetError:
    """What the operating system refused, as something the user can act on."""
    place = error.filename or "the sandbox's folder"
    if error.errno in FULL:
        return no_space(str(place))
    return QuintetError(
        f"{place}: {error.strerror or error}.",
        advice="Make it readable and writable for you, or point QUINTET_HOME at another folder.",
    )
