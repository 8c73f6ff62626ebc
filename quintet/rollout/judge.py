"""Whether a candidate is as good as what is live: three comparisons of counts, each with its test and its bar.

Pure: two counts in, a verdict out, for whatever runs the two versions. A check fails only when both hold:

- the difference is not chance: its p-value, adjusted by Holm for the number of checks, is at most `alpha`, so that all
  checks together call a candidate bad that is as good as what is live with a probability of at most that
  (Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure");
- the difference matters: it exceeds a bar, so that a million requests do not condemn a trifle.

A check passes when it does not fail and both versions have answered `minimum_samples`; else there is not enough data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from quintet.rollout.counters import Counters
from quintet.rollout.significance import chi_square, fisher, holm, more_often_than, total_variation

_P95 = 0.95


class Result(StrEnum):
    """What came of one check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ENOUGH = "not enough data"


class Decision(StrEnum):
    """What to do with the candidate."""

    PROMOTE = "promote"
    ROLL_BACK = "roll back"
    UNDECIDED = "undecided"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How sure one wants to be, and what matters.

    Attributes:
        alpha: The largest probability of calling a candidate bad that is as good as what is live.
        minimum_samples: So many requests each version must have answered before a check can pass.
        error_rate_rise: The rise of the error rate that matters; 0.001 is a tenth of a percentage point.
        label_shift: The part of the predictions that would have to get another label for the two distributions to be
            equal (total variation distance) that matters.
        disagreement: The share of the same texts that may get another label than from what is live.
        latency_ratio: How many times the live version's p95 matters.
        latency_rise_seconds: And by how much it must be slower besides.
    """

    alpha: float = 0.01
    minimum_samples: int = 200
    error_rate_rise: float = 0.001
    label_shift: float = 0.1
    disagreement: float = 0.25
    latency_ratio: float = 1.5
    latency_rise_seconds: float = 0.01


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What clients saw of both versions.

    Attributes:
        stable: Requests to what is live, and those that failed.
        candidate: Requests to the candidate.
        compared: Texts that both have given a label.
        differing: Those that got different ones.
    """

    stable: Counters
    candidate: Counters
    compared: int = 0
    differing: int = 0


@dataclass(frozen=True, kw_only=True)
class Check:
    """One comparison.

    Attributes:
        name: What is compared.
        result: What came of it.
        stable: The live version's value, for people.
        candidate: The candidate's.
        effect: How large the difference is, for people; empty where it cannot be told.
        bar: The least difference that matters, for people.
        p_value: How probable so large a difference is where there is none; None where it cannot be told.
        adjusted: The same, adjusted for the number of checks; to be held against alpha.
    """

    name: str
    result: Result
    stable: str
    candidate: str
    effect: str
    bar: str
    p_value: float | None
    adjusted: float | None


@dataclass(frozen=True)
class Verdict:
    """All checks, what follows from them, and how improbable a difference had to be."""

    decision: Decision
    checks: tuple[Check, ...]
    alpha: float

    @property
    def reason(self) -> str:
        """Why the candidate is not promoted; empty when it is."""
        wanted = {Decision.ROLL_BACK: Result.FAILED, Decision.UNDECIDED: Result.NOT_ENOUGH}.get(self.decision)
        told = [_sentence(check) for check in self.checks if check.result is wanted]
        return "; ".join(told)


@dataclass(frozen=True, kw_only=True)
class _Comparison:
    """What a check has measured, before it is known how many others were made."""

    name: str
    stable: str
    candidate: str
    effect: str = ""
    bar: str
    p_value: float | None
    matters: bool
    enough: bool

    def check(self, adjusted: float | None, alpha: float) -> Check:
        if adjusted is not None and adjusted <= alpha and self.matters:
            result = Result.FAILED
        else:
            result = Result.PASSED if self.enough and self.p_value is not None else Result.NOT_ENOUGH
        return Check(
            name=self.name,
            result=result,
            stable=self.stable,
            candidate=self.candidate,
            effect=self.effect,
            bar=self.bar,
            p_value=self.p_value,
            adjusted=adjusted,
        )


def judge(stable: Counters, candidate: Counters, limits: Limits, *, seen: Seen | None = None) -> Verdict:
    """Compares what was counted of two versions in the same time.

    Args:
        stable: Of what is live.
        candidate: Of what shall become it.
        limits: How sure one wants to be, and what matters.
        seen: What clients saw, where somebody has looked: a version that dies of a request counts nothing of it itself.
            Used where they have met both.
    """
    comparisons = [_errors("error rate", stable, candidate, limits)]
    if seen and seen.stable.requests and seen.candidate.requests:
        clients = replace(limits, minimum_samples=1)
        comparisons.append(_errors("errors seen by clients", seen.stable, seen.candidate, clients))
    if seen and seen.compared:
        comparisons.append(_same_texts(seen, limits))
    comparisons += [_labels(stable, candidate, limits), _latency(stable, candidate, limits)]
    adjusted = holm([item.p_value for item in comparisons])
    checks = tuple(item.check(p, limits.alpha) for item, p in zip(comparisons, adjusted, strict=True))
    return Verdict(_decision(checks), checks, limits.alpha)


def _decision(checks: Sequence[Check]) -> Decision:
    results = {check.result for check in checks}
    if Result.FAILED in results:
        return Decision.ROLL_BACK
    return Decision.UNDECIDED if Result.NOT_ENOUGH in results else Decision.PROMOTE


def _errors(name: str, stable: Counters, candidate: Counters, limits: Limits) -> _Comparison:
    """Fisher's exact test, one-sided, so valid for any number of requests."""
    both = min(stable.requests, candidate.requests)
    rise = candidate.error_rate - stable.error_rate
    return _Comparison(
        name=name,
        stable=f"{_percent(stable.error_rate)} of {stable.requests}",
        candidate=f"{_percent(candidate.error_rate)} of {candidate.requests}",
        effect=f"{rise * 100:+.2f} points" if both else "",
        bar=f"+{limits.error_rate_rise * 100:g} points",
        p_value=fisher(stable.errors, stable.requests, candidate.errors, candidate.requests),
        matters=rise >= limits.error_rate_rise,
        enough=both >= limits.minimum_samples,
    )


def _same_texts(seen: Seen, limits: Limits) -> _Comparison:
    """The exact binomial test: whether the versions differ on more of the same requests than they may."""
    return _Comparison(
        name="same texts",
        stable=f"{seen.compared} compared",
        candidate=f"{seen.differing} with another label",
        effect=f"{seen.differing / seen.compared:.0%}",
        bar=f"{limits.disagreement:.0%}",
        p_value=more_often_than(limits.disagreement, seen.differing, seen.compared),
        matters=True,  # the bar is in the hypothesis
        enough=True,
    )


def _labels(stable: Counters, candidate: Counters, limits: Limits) -> _Comparison:
    """Chi-square test of homogeneity, and the total variation distance as what matters."""
    both = min(stable.labelled, candidate.labelled)
    enough = both >= max(limits.minimum_samples, 1)
    shift = total_variation(stable.labels, candidate.labels) if both else 0.0
    return _Comparison(
        name="label distribution",
        stable=_shares(stable),
        candidate=_shares(candidate),
        effect=f"{shift:.3f} moved" if both else "",
        bar=f"{limits.label_shift:g} moved",
        # The distribution of the statistic is known for many samples only: with few there is no p-value.
        p_value=chi_square(stable.labels, candidate.labels) if enough else None,
        matters=shift >= limits.label_shift,
        enough=enough,
    )


def _latency(stable: Counters, candidate: Counters, limits: Limits) -> _Comparison:
    """Fisher's exact test on the share of requests slower than the live version's p95.

    The bound nearest to that p95 is found in the same counts, in effect one of two neighbouring ones: twice the p-value
    pays for the choice (Bonferroni).
    """
    both = min(stable.timed, candidate.timed)
    bound = _bound_of_p95(stable, candidate)
    before, after = stable.quantile(_P95), candidate.quantile(_P95)
    p_value = None
    if both and bound is not None:
        slow, slow_now = stable.slower_than(bound), candidate.slower_than(bound)
        found = fisher(slow, stable.timed, slow_now, candidate.timed)
        p_value = None if found is None else min(1.0, 2 * found)
    ratio = after / before if both and before > 0 else math.inf if both and after > 0 else 1.0
    return _Comparison(
        name="latency p95",
        stable=_milliseconds(before),
        candidate=_milliseconds(after),
        effect=f"x {ratio:.2f}" if both else "",
        bar=f"x {limits.latency_ratio:g} and +{limits.latency_rise_seconds * 1000:g} ms",
        p_value=p_value,
        matters=bool(both) and ratio >= limits.latency_ratio and after - before >= limits.latency_rise_seconds,
        enough=both >= limits.minimum_samples,
    )


def _bound_of_p95(stable: Counters, candidate: Counters) -> float | None:
    """The smallest common bound that 95 % of the live version's requests stay within; the last where none is."""
    bounds = sorted(bound for bound in stable.latency.keys() & candidate.latency.keys() if math.isfinite(bound))
    within = [bound for bound in bounds if stable.latency[bound] >= _P95 * stable.timed]
    return within[0] if within else (bounds[-1] if bounds else None)


def _shares(counters: Counters) -> str:
    if not counters.labelled:
        return "none"
    parts = (f"{name} {count / counters.labelled:.0%}" for name, count in sorted(counters.labels.items()))
    return f"{', '.join(parts)} of {counters.labelled}"


def _percent(share: float) -> str:
    return f"{share * 100:.2f} %"


def _milliseconds(value: float) -> str:
    return "none" if math.isnan(value) else f"{value * 1000:.1f} ms"


def _sentence(check: Check) -> str:
    if check.result is Result.NOT_ENOUGH:
        return f"{check.name}: not enough data (live: {check.stable}, candidate: {check.candidate})"
    return (
        f"{check.name}: {check.stable} became {check.candidate} "
        f"({check.effect}, allowed {check.bar}; p = {check.p_value:.2g})"
    )
