"""What the daemon tells while it deploys: one JSON object a line, told apart by the key `event`."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quintet.checkout import Checkout
from quintet.errors import Exit, QuintetError

Event = dict[str, Any]


def phase(text: str) -> Event:
    """Something began that takes a while."""
    return {"event": "phase", "text": text}


def notice(text: str) -> Event:
    """Something the user should know that is no failure."""
    return {"event": "notice", "text": text}


def done(counts: Mapping[str, int], status: Mapping[str, Any]) -> Event:
    """The deployment is finished.

    Args:
        counts: Resources by what was done to them.
        status: The document of `quintet status --json`.
    """
    return {"event": "done", "counts": dict(counts), "status": dict(status)}


def failure(error: QuintetError, cause: BaseException | None = None) -> Event:
    """The deployment ended early; what was made by then stays."""
    told: Event = {
        "event": "error",
        "message": error.message,
        "advice": error.advice,
        "exit_code": int(error.exit_code),
    }
    if cause is not None:
        told["traceback"] = "".join(traceback.format_exception(cause))
    return told


def as_error(event: Event) -> QuintetError:
    """The error that a `failure` event tells of."""
    error = QuintetError(event["message"], advice=event["advice"], exit_code=Exit(event["exit_code"]))
    if "traceback" in event:
        error.add_note(event["traceback"])
    return error


def explain(error: BaseException, checkout: Checkout, *, told: tuple[type[BaseException], ...]) -> QuintetError:
    """Any failure of a deployment as something the user can act on.

    Args:
        error: What was raised.
        checkout: Where it happened.
        told: Exceptions whose message is written for users.
    """
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, QuintetError):
            return cause
        if isinstance(cause, OSError) and cause.errno in {errno.ENOSPC, errno.EDQUOT}:
            return no_space(checkout)
        if isinstance(cause, FileNotFoundError) and _is_a_model(cause, checkout):
            return model_missing(str(cause.filename))
    if isinstance(error, told):
        return QuintetError(str(error), advice=_place(chain, checkout))
    return QuintetError(
        f"{type(error).__name__}: {error}",
        advice=_place(chain, checkout) or f"The traceback is in {checkout.logs / 'daemon.log'}.",
    )


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or getattr(error, "cause", None) or error.__context__
    return chain


def no_space(checkout: Checkout) -> QuintetError:
    """The disk is full."""
    return QuintetError(
        f"There is no space left for the sandbox in {checkout.home}.",
        advice="Free some, or point QUINTET_HOME at a folder on another disk; then run `quintet up` again.",
        exit_code=Exit.NO_SPACE,
    )


def model_missing(path: str) -> QuintetError:
    """A model's file is not there."""
    return QuintetError(
        f"The model file {path} is missing.",
        advice="It is part of the repository: `git checkout -- models` brings it back; `make models` trains it anew.",
        exit_code=Exit.MODEL_MISSING,
    )


def _is_a_model(error: FileNotFoundError, checkout: Checkout) -> bool:
    return bool(error.filename) and Path(str(error.filename)).is_relative_to(checkout.root / "models")


def _place(chain: list[BaseException], checkout: Checkout) -> str:
    """Where in the program the failure came from; empty when it came from nowhere in it."""
    for cause in chain:
        for frame in reversed(traceback.extract_tb(cause.__traceback__)):
            path = Path(frame.filename)
            if path.is_relative_to(checkout.root / "stacks"):
                return f"Raised at {path.relative_to(checkout.root)}, line {frame.lineno}: {frame.line}"
    return ""
