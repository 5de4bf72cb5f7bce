"""The leases of this process, and the end of the process where they could not be renewed."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from device_worker.leases.view import LIVES

ENDS_ITSELF_AT = 12.0
_LOOK_EVERY = 0.25
#: Of a lease's life: by then everything of ours is over.
_SPARE = 1.0
_EX_FENCED = 70


@dataclass(slots=True)
class Held:
    """One lease of ours.

    Attributes:
        since: When its last renewal was asked for.
        unanswered: When the first one after that was asked for of which nobody knows what came; None: there is none.
        given: Its former owner gave it away, and waits until it is *served*.
        fence: None until the database knows of it.
    """

    revision: int
    since: float
    unanswered: float | None = None
    given: bool = False
    served: bool = False
    fence: int | None = None


def end_in_time(held: Mapping[int, Held], clock: Callable[[], float], at: float, before_end: Callable[[float], None]) -> None:
    """End the process when a lease is *at* seconds old: another worker may have the sessions in three. Never returns."""
    while True:
        oldest = min((one.since for one in list(held.values())), default=None)
        age = 0.0 if oldest is None else clock() - oldest
        if age >= at:
            sys.stderr.write(f"clarin device-worker: a lease is {at:g} s old; ending before another worker takes over.\n")
            sys.stderr.flush()
            before_end(max(0.0, LIVES - _SPARE - age))
            os._exit(_EX_FENCED)
        time.sleep(_LOOK_EVERY)
