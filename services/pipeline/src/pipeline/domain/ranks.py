"""Places on a board: texts that sort byte by byte, so that a card moves by writing one row.

Between two ranks there is always another, by `fractional_indexing`; it is longer the closer the two are. What becomes longer
than `LONGEST` is evened out: the cards around it get new ranks with room between them, from as few of them as that takes.
"""

import itertools
from collections.abc import Sequence

from fractional_indexing import generate_key_between, generate_n_keys_between

LONGEST = 40
"""Characters that a rank may have; 200 moves to one and the same place reach it."""

WINDOWS = (32, 512)
"""Cards on each side that are evened out first, and where that gives no room, next; after that all of them."""

_ROOMY = LONGEST // 2


def between(lower: str | None, upper: str | None) -> str:
    """Give a rank after *lower* and before *upper*; None stands for the column's end."""
    return str(generate_key_between(lower, upper))


def spread(lower: str | None, upper: str | None, count: int) -> list[str]:
    """Give *count* ranks between *lower* and *upper*, as short as they can be, in order."""
    return [str(rank) for rank in generate_n_keys_between(lower, upper, count)]


def fits(rank: str) -> bool:
    """Tell whether *rank* is short enough to be kept."""
    return len(rank) <= LONGEST


def even(lower: str | None, upper: str | None, count: int) -> list[str] | None:
    """Give *count* ranks between *lower* and *upper* with room for many more; None where those two are too close themselves."""
    ranks = spread(lower, upper, count)
    return ranks if all(len(rank) <= _ROOMY for rank in ranks) else None


def in_order(ranks: Sequence[str]) -> bool:
    """Tell whether each of *ranks* comes before the next."""
    return all(one < other for one, other in itertools.pairwise(ranks))
