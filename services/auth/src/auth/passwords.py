"""Passwords: hashed, compared and judged beside the event loop, on as many threads as there are cores.

Comparing against nobody costs what comparing against somebody costs, so that the time of an answer does not tell whether
an e-mail address is known.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

import bcrypt
from prometheus_client import Counter
from zxcvbn import zxcvbn

from auth.domain import PASSWORD_CHARACTERS, Busy, WeakPassword

T = TypeVar("T")

COMPARED = Counter("clarin_auth_compared_passwords", "Passwords compared: a user's, or nobody's for an unknown address.", ["whose"])

#: zxcvbn tries every reading of every look-alike: 72 adversarial characters hold a core for over 2 s, 24 for 0.3 s.
#: A password whose first 24 characters are hard to guess is hard to guess.
_JUDGED = 24
_GOOD_ENOUGH = 2
_WAITING_PER_THREAD = 32


class Passwords:
    """Does the slow work, bounded: past some dozens waiting it says `Busy` at once."""

    def __init__(self, *, cost: int) -> None:
        """Hash with bcrypt at *cost* (each step doubles the work)."""
        self._cost = cost
        threads = os.cpu_count() or 1
        self._room = threads * _WAITING_PER_THREAD
        self._under_way = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._nobody = bcrypt.hashpw(os.urandom(16).hex().encode(), bcrypt.gensalt(cost))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Hash a new password.  Raises: Busy."""
        return (await self._beside(bcrypt.hashpw, password.encode(), bcrypt.gensalt(self._cost))).decode()

    async def matches(self, password: str, hash: str | None) -> bool:
        """Compare, for the same time whether or not there is a *hash*; False without one.  Raises: Busy."""
        COMPARED.labels("nobody" if hash is None else "user").inc()
        same = await self._beside(bcrypt.checkpw, password.encode(), self._nobody if hash is None else hash.encode())
        return same and hash is not None

    def outdated(self, hash: str) -> bool:
        """Tell whether *hash* was made at another cost than today's."""
        return hash.split("$")[2] != f"{self._cost:02}"

    async def judge(self, password: str, about: Sequence[str]) -> None:
        """Let a new password pass if it is hard enough to guess for who knows *about* its owner.  Raises: WeakPassword; Busy."""
        if len(password) < PASSWORD_CHARACTERS:
            raise WeakPassword(f"At least {PASSWORD_CHARACTERS} characters.", suggestions=[], warning="This is short.")
        found: dict[str, Any] = await self._beside(zxcvbn, password[:_JUDGED], [word[:_JUDGED] for word in about])
        if found["score"] < _GOOD_ENOUGH:
            feedback = found["feedback"]
            raise WeakPassword("It would be guessed soon.", suggestions=feedback["suggestions"], warning=feedback["warning"])

    async def _beside(self, work: Callable[..., T], *args: object) -> T:
        if self._under_way >= self._room:
            raise Busy("Try again in a few seconds.", headers={"Retry-After": "5"})
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        finally:
            self._under_way -= 1
