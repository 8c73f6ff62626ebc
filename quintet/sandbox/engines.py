"""The two engines that can deploy to a sandbox, of which one at a time owns what is there."""

from __future__ import annotations

from enum import StrEnum

from quintet.checkout import Checkout
from quintet.errors import Exit, QuintetError
from quintet.files import read_json


class Engine(StrEnum):
    """Who plans a deployment and remembers it."""

    SANDBOX = "sandbox"
    """The one inside this program."""
    PULUMI = "pulumi"
    """The Pulumi CLI."""


def owner(checkout: Checkout) -> Engine | None:
    """The engine whose state holds resources; None where none does."""
    from quintet.sandbox.real.checkpoint import Checkpoint  # noqa: PLC0415  `--help` needs `Engine` alone

    if Checkpoint.of(checkout).resources:
        return Engine.PULUMI
    own = (read_json(checkout.state) or {}).get("resources", [])
    return Engine.SANDBOX if any(resource.get("custom") for resource in own) else None


def refuse_another(checkout: Checkout, engine: Engine) -> None:
    """Two engines that each believe to own the same resources would delete each other's.

    Raises:
        QuintetError: The other engine has deployed this sandbox, or is about to.
    """
    other = owner(checkout)
    if other is not None and other is not engine:
        raise _another(other)
    if engine is Engine.SANDBOX:
        from quintet.sandbox.real.locks import refuse_while_held  # noqa: PLC0415  as above

        refuse_while_held(checkout)


def _another(other: Engine) -> QuintetError:
    if other is Engine.PULUMI:
        return QuintetError(
            "The real Pulumi engine has deployed this sandbox; its resources cannot have two owners.",
            advice="Go on with it: `quintet up --engine pulumi`, or `pulumi preview` and the like after "
            '`eval "$(quintet env)"`. Or begin anew with the sandbox\'s own engine: `quintet up --fresh`, which '
            "deletes the data.",
            exit_code=Exit.USAGE,
        )
    return QuintetError(
        "The sandbox's own engine has deployed this sandbox; its resources cannot have two owners.",
        advice="Go on with it: `quintet up`. Or begin anew with the real Pulumi engine: "
        "`quintet up --fresh --engine pulumi`, which deletes the data.",
        exit_code=Exit.USAGE,
    )
