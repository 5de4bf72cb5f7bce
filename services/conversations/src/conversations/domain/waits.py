"""How long customers waited, counted in buckets: how much of a hundred waited no longer than that, whatever their number."""

from collections.abc import Mapping

#: A bucket's waits differ by 4 %, so that its middle is less than 2 % from each of them.
GROWTH = 1.04
#: The decimal digits of one bucket's count, in the number that holds all of them.
DIGITS = 8

Counts = Mapping[int, int]
"""Waits by bucket: the first is up to a second, each other one up to `GROWTH` times as long as the one before."""


def parse(packed: str) -> dict[int, int]:
    """Read the counts of a number each of whose `DIGITS` digits, from the right, are a bucket's."""
    counts = {}
    for bucket, end in enumerate(range(len(packed), 0, -DIGITS)):
        count = packed[max(0, end - DIGITS) : end]
        if count.strip("0"):
            counts[bucket] = int(count)
    return counts


def seconds(bucket: int) -> float:
    """Give the wait that stands for all of a bucket: at most 2 % off, in the first at most a second."""
    return float(2 * GROWTH**bucket / (GROWTH + 1))


def percentile(counts: Counts, share: float) -> float | None:
    """Give the seconds that this share of all waits does not exceed, between two of them in proportion; None where there are none.

    It is at most 2 % and a second off.
    """
    total = sum(counts.values())
    if not total:
        return None
    place = share * (total - 1)
    low = int(place)
    below = above = 0.0
    passed = 0
    for bucket in sorted(counts):
        before, passed = passed, passed + counts[bucket]
        if before <= low < passed:
            below = seconds(bucket)
        if passed > min(low + 1, total - 1):
            above = seconds(bucket)
            break
    return below + (above - below) * (place - low)
