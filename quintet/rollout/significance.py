"""The statistics of the judge: exact where that is cheap, and otherwise only where the approximation holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_LEAST_EXPECTED = 5.0
"""Below this the chi-square distribution is a bad stand-in for the truth (Cochran 1954)."""


def holm(p_values: Sequence[float | None], alpha: float) -> list[float | None]:
    """For each p-value the bound it must not exceed; None where there is none.

    The smallest of m is held against alpha / m, the next against alpha / (m - 1), and so on. After the first that
    exceeds its bound nothing is rejected, which a bound of 0 says.
    """
    order = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    bounds: list[float | None] = [None] * len(p_values)
    rejecting = True
    for rank, (p, index) in enumerate(order):
        bound = alpha / (len(order) - rank)
        bounds[index] = bound if rejecting else 0.0
        rejecting = rejecting and p <= bound
    return bounds


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
