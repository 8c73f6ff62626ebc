"""What the daemon tells while it deploys: one JSON object a line, told apart by the key `event`."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from quintet.checkout import Checkout
from quintet.errors import FULL, Exit, QuintetError, no_space

Event = dict[str, Any]

_MODEL_ERROR = "ModelError"
"""What the program raises about a model's files. Known by name: this room imports nothing of `stacks`."""

_ROLLOUT_ERROR = "RolloutError"
"""What quintet.sandbox.kubernetes raises with the last words of a pod, whatever these are about."""

_MANIFEST = "manifest.json"
"""Every model has one: a complaint about it, also one of the settings, is about a model that is not there."""


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
    for cause in _chain(error):
        if isinstance(cause, QuintetError):
            return cause
        if isinstance(cause, OSError) and cause.errno in FULL:
            return no_space(str(checkout.home))
        if type(cause).__name__ == _MODEL_ERROR:
            return model_missing(str(cause))
    if isinstance(error, told):
        causes = [cause for each in _chain(error) for cause in (each, getattr(each, "cause", None))]
        of_a_pod = any(type(cause).__name__ == _ROLLOUT_ERROR for cause in causes)
        return model_missing(str(error)) if _MANIFEST in str(error) and not of_a_pod else QuintetError(str(error))
    return QuintetError(
        f"{type(error).__name__}: {error}", advice=f"The traceback is in {checkout.logs / 'daemon.log'}."
    )


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or getattr(error, "cause", None) or error.__context__
    return chain


def model_missing(message: str) -> QuintetError:
    """A model's files are not there, or not whole."""
    return QuintetError(
        message,
        advice="The models are part of the repository: `git checkout -- models` brings them back.",
        exit_code=Exit.MODEL_MISSING,
    )
