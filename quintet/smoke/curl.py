"""A service's example call as a line for the shell."""

from __future__ import annotations

import json
import shlex

from services.common.smoke import Example


def curl(url: str, example: Example) -> str:
    """A curl command that works when pasted.

    Args:
        url: The service's address, with or without a slash at the end.
        example: The call.
    """
    words = ["curl", "-sS"]
    if example.method != ("GET" if example.body is None else "POST"):
        words += ["-X", example.method]
    words.append(url.rstrip("/") + example.path)
    if example.body is not None:
        words += ["-H", "content-type: application/json", "-d", json.dumps(example.body, ensure_ascii=False)]
    return shlex.join(words)
