"""Programs of others that a command cannot do without."""

from __future__ import annotations

import shutil

from quintet.errors import Exit, QuintetError


def require(program: str, missing: str, *, advice: str) -> str:
    """The path of a program.

    Args:
        program: Its name.
        missing: What is told where it is not on PATH.
        advice: What to do then.

    Raises:
        QuintetError: It is not on PATH.
    """
    path = shutil.which(program)
    if path is None:
        raise QuintetError(missing, advice=advice, exit_code=Exit.TOOL_MISSING)
    return path
