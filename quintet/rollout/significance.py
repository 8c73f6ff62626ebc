"""The statistics of the judge: exact where that is cheap, and otherwise only where the approximation holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_LEAST_EXPECTED = 5.0
"""Below this the chi-square distribution is a bad stand-in for the truth (Cochran 1954)."""


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values adjusted for how many there are; None where there is none.

    Rejecting those whose adjusted value is at most alpha rejects any true hypothesis with a probability of at most
    alpha: the smallest of m counts m times, the next m - 1 times, and none less than the one before it.
    """
    order = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    so_far = 0.0
    for rank, (p, index) in enumerate(order):
        so_far = max(so_far, min(1.0, p * (len(order) - rank)))
        adjusted[index] = so_far
    return adjusted


def fisher(hits: int, total: int, hits_now: int, total_now: int) -> float | None:
    """Fisher's exact test, one-sided: whether the second share is larger than the first.

    Returns:
        The probability of so many hits or more in the second sample where both are equally prone to them; None where
        one of them is empty.
    """
    if not total or not total_now:
        return None
    from scipy.stats import hypergeom  # noqa: PLC0415 - half a second that other commands do without

    return min(1.0, float(hypergeom.sf(hits_now - 1, total + total_now, hits + hits_now, total_now)))


def more_often_than(share: float, hits: int, total: int) -> float | None:
    """The exact binomial test, one-sided: whether something happens more often than in this share of the cases.

    Returns:
        The probability of so many hits or more where it happens exactly so often; None without cases.
    """
    if not total:
        return None
    from scipy.stats import binom  # noqa: PLC0415 - as above

    return min(1.0, float(binom.sf(hits - 1, total, share)))


def chi_square(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """The chi-square test of homogeneity: whether two counts by label come from one distribution.

    Returns:
        Its p-value; 1 where there is but one label, or one that is common enough.
    """
    table = _pooled([(before.get(name, 0), now.get(name, 0)) for name in sorted({**before, **now})])
    if len(table) < 2:  # noqa: PLR2004 - with one kind of label there is nothing to compare
        return 1.0
    from scipy.stats import chi2_contingency  # noqa: PLC0415 - as above

    return float(chi2_contingency(table, correction=False).pvalue)


def total_variation(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """Half the sum of the differences of the shares: 0 for equal distributions, 1 for such without a common label.

    Raises:
        ZeroDivisionError: One of them is empty.
    """
    total, total_now = sum(before.values()), sum(now.values())
    return 0.5 * sum(abs(before.get(name, 0) / total - now.get(name, 0) / total_now) for name in {**before, **now})


def _pooled(columns: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Labels with their counts in both, the rare ones put together until each is expected five times in either."""
    left = sorted((column for column in columns if sum(column)), key=sum)
    total = sum(map(sum, left))
    fewer = min(sum(before for before, _ in left), sum(after for _, after in left))
    while len(left) > 1 and sum(left[0]) * fewer / total < _LEAST_EXPECTED:
        rarest, next_one = left[0], left[1]
        left = sorted([(rarest[0] + next_one[0], rarest[1] + next_one[1]), *left[2:]], key=sum)
    return left
