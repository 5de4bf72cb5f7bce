"""Knowing that a session that has hung up brings nothing more.

What WhatsApp was told is here may still lie in the library's queue, or wait in a callback for the interpreter; nothing tells.
"""

import math
import time
from collections.abc import Callable

#: Where a short sleep takes so much longer than it should, the machine is overloaded, and silence says nothing.
_OVERSLEPT = 0.02
_NAP = 0.01


def until_quiet(last: Callable[[], float], seconds: float, *, within: float = math.inf) -> None:
    """Return when nothing has come for *seconds*, in which whoever had something to bring could run; *within* seconds in any case.

    Args:
        last: Tells when something came last, in monotonic seconds.
    """
    begun = since = time.monotonic()
    while (now := time.monotonic()) - max(since, last()) < seconds and now - begun < within:
        time.sleep(_NAP)
        if time.monotonic() - now > _NAP + _OVERSLEPT:
            since = time.monotonic()
