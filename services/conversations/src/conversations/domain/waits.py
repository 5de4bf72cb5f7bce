"""How long customers waited, counted in buckets: how much of a hundred waited no longer than that, whatever their number."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

#: A bucket's waits differ by 4 %, so that its middle is less than 2 % from each of them.
GROWTH = 1.04
#: The decimal digits of one bucket's count, in the number that holds all of them.
DIGITS = 8

Counts = Sequence[int]
"""How many waits a bucket has: the first is up to a second, each other one up to `GROWTH` times as long as the one before."""


def parse(packed: str) -> Counts:
    """Read the counts of a number each of whose `DIGITS` digits, from the right, are a bucket's."""
    size = -(-len(packed) // DIGITS) * DIGITS
    digits = packed.zfill(size)
    return [int(digits[start : start + DIGITS]) for start in range(size - DIGITS, -1, -DIGITS)]


def seconds(bucket: int) -> float:
    """Give the wait that stands for all of a bucket: at most 2 % off, in the first at most a second."""
    return float(2 * GROWTH**bucket / (GROWTH + 1))


def percentiles(counts: Counts, *shares: float) -> list[float | None]:
    """Give, for each share, the seconds that this share of all waits does not exceed, between two of them in proportion.

    It is at most 2 % and a second off, and None where there are no waits.
    """
    ends = list(accumulate(counts))
    if not ends or not ends[-1]:
        return [None for _ in shares]
    found: list[float | None] = []
    for share in shares:
        place = share * (ends[-1] - 1)
        low = int(place)
        below = seconds(bisect_right(ends, low))
        above = seconds(bisect_right(ends, min(low + 1, ends[-1] - 1)))
        found.append(below + (above - below) * (place - low))
    return found
