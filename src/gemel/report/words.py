"""Numbers as people say them: rates as so many of a hundred, shares as percentages, ranges.

Knows no measures by name.
"""

from __future__ import annotations

import math

from gemel.measure import Interval

BASES = (100, 1_000, 10_000, 100_000)


def percent(share: float) -> str:
    """A share with three digits, more where it is close to all.

    >>> percent(0.04271), percent(0.9996), percent(1e-5)
    ('4.27%', '99.96%', '0.001%')
    """
    if 0.99 < share < 1:
        return f"{math.floor(share * 10_000) / 100:.2f}%"
    return f"{float(f'{100 * share:.3g}'):.8g}%"


def between(interval: Interval | None) -> str:
    """The ends of an interval as percentages; empty where there is none.

    >>> between(Interval(0.031, 0.06))
    '3.1% to 6%'
    """
    return "" if interval is None else f"{percent(interval.low)} to {percent(interval.high)}"


def distance(value: float) -> str:
    """A threshold, which may be infinite.

    >>> distance(0.5678912), distance(math.inf)
    ('0.5679', 'any')
    """
    if math.isinf(value):
        return "any" if value > 0 else "none"
    return f"{value:.4g}"


def base_of(rate: float) -> int:
    """The round number of trials of which at least three hit, and three do not."""
    rare = min(rate, 1 - rate)
    return next((base for base in BASES if rare * base >= 2.95), BASES[-1 if rare > 0 else 0])


def about(rate: float, base: int) -> str:
    """How many of `base`, rounded.

    >>> about(0.0427, 100)
    'about 4'
    """
    return f"about {round(rate * base):,}"


def times(rate: float, base: int) -> str:
    """How many times of `base`; all and none without a number.

    >>> times(0.927, 100), times(1.0, 100)
    ('about 93 times of 100', 'every time')
    """
    return {0.0: "not once", 1.0: "every time"}.get(rate, f"{about(rate, base)} times of {base:,}")


def range_of(interval: Interval | None, base: int, *, of: bool = False) -> str:
    """The ends of an interval as counts of `base`, rounded outwards, with how sure they are.

    >>> range_of(Interval(0.0312, 0.0591), 100)
    ' (between 3 and 6, at 95% confidence)'
    >>> range_of(Interval(0.75, 1), 100, of=True)
    ' (between 75 and 100 of 100, at 95% confidence)'
    """
    if interval is None:
        return ""
    low, high = math.floor(interval.low * base), math.ceil(interval.high * base)
    whole = f" of {base:,}" if of else ""
    return f" (between {low:,} and {high:,}{whole}, at {interval.level:.0%} confidence)"
