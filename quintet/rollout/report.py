"""How a rollout ended, for people and for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from quintet import console
from quintet.rollout.judge import Check
from quintet.rollout.machine import Outcome
from quintet.rollout.probe import Tally


def document(outcome: Outcome, stack: str, tally: Tally | None) -> dict[str, Any]:
    """What `--json` prints."""
    told: dict[str, Any] = {
        "service": outcome.service,
        "stack": stack,
        "outcome": "promoted" if outcome.promoted else "rolled back",
        "reason": outcome.reason,
        "before": outcome.live.model_dump(),
        "candidate": outcome.candidate.model_dump() if outcome.candidate else None,
        "held": outcome.held,
    }
    if outcome.observation:
        seen = outcome.observation
        told |= {
            "decision": seen.verdict.decision,
            "alpha": seen.verdict.alpha,
            "checks": [asdict(check) for check in seen.verdict.checks],
            "requests": {"stable": seen.stable.requests, "candidate": seen.candidate.requests},
            "observed_seconds": round(seen.seconds, 1),
            "early": seen.early,
        }
    if tally:
        variants = {name: {"requests": one.requests, "errors": one.errors} for name, one in tally.variants.items()}
        told["probe"] = {**asdict(tally), "variants": variants}
    return told


def show(outcome: Outcome, tally: Tally | None) -> None:
    """Prints the comparison, what clients saw, and how it ended."""
    if outcome.observation:
        rows = [_row(check) for check in outcome.observation.verdict.checks]
        console.table(("CHECK", "LIVE", "CANDIDATE", "DIFFERENCE", "ALLOWED", "P", "ADJUSTED", "RESULT"), rows)
        early = ", enough to condemn it early" if outcome.observation.early else ""
        seen = f"Observed for {console.seconds(outcome.observation.seconds)}{early}"
        console.say(f"{seen}; a check fails with an adjusted p of at most {outcome.observation.verdict.alpha:.2g}.")
    if tally:
        console.say(_clients(tally))
    console.heading(_ending(outcome))
    if outcome.held:
        console.say(
            f"The program's own version is the refused one: a setting keeps {outcome.live} live. Correct the program "
            f"and run `quintet rollout {outcome.service}` again; `quintet rollback {outcome.service} --release` "
            "deploys it unjudged."
        )


def _row(check: Check) -> tuple[str, ...]:
    p_value = "" if check.p_value is None else f"{check.p_value:.2g}"
    adjusted = "" if check.adjusted is None else f"{check.adjusted:.2g}"
    return (check.name, check.stable, check.candidate, check.effect, check.bar, p_value, adjusted, str(check.result))


def _clients(tally: Tally) -> str:
    refused = f", {tally.refused} refused with a 4xx" if tally.refused else ""
    skipped = f", {tally.skipped} left out, as all before were under way" if tally.skipped else ""
    failure = f" (the last: {tally.failure})" if tally.failed else ""
    return f"Clients: {tally.sent} requests of our own, {tally.failed} failed{failure}{refused}{skipped}."


def _ending(outcome: Outcome) -> str:
    if outcome.promoted:
        return f"Promoted: {outcome.candidate} is live."
    return f"Rolled back: {outcome.live} is live. {outcome.reason.splitlines()[0]}"  # the rest was told on the way
