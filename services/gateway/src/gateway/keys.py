"""API keys: each is exchanged at auth for a short access token, which is all that the services ever see.

What auth said is believed for a few seconds, and not at all once auth says the opposite by raising the key's version: that the
token's own check sees at once.
"""

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import msgspec
from contracts.asks import KeyExchanged, KeyPresented
from contracts.errors import Problem, Unavailable

from gateway.domain import AccountSuspended, KeyExpired, KeyInvalid

PREFIX = "clk_"

_FRESH_S = 5.0
_REFUSED_S = 1.0

_SHAPE = re.compile(r"clk_[A-Za-z0-9_.~-]{16,200}")
_REFUSALS: dict[str, tuple[type[Problem], str]] = {
    "key-invalid": (KeyInvalid, "This key is not known, or no more."),
    "key-expired": (KeyExpired, "Make a new one."),
    "account-suspended": (AccountSuspended, "Ask who runs this installation."),
}

Ask = Callable[[bytes], Awaitable[bytes]]


class Keys:
    """Tokens for API keys."""

    def __init__(self, ask: Ask, *, clock: Callable[[], float] = time.monotonic, entries: int = 10_000) -> None:
        """Exchange keys by *ask*, which takes a `KeyPresented` and gives a `KeyExchanged`, or raises Unavailable.

        The last *entries* answers are remembered.
        """
        self._entries = entries
        self._ask = ask
        self._clock = clock
        # By digest, so that no key stands in this process's memory for longer than its request.
        self._known: OrderedDict[bytes, tuple[str | None, str | None, float]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[None]] = {}

    def known(self, key: str, address: str) -> str | None:
        """Give the token of a key that was exchanged a moment ago; None: it must be asked for.

        Raises:
            KeyInvalid, KeyExpired, AccountSuspended: Auth refused it a moment ago, or it cannot be a key.
        """
        if _SHAPE.fullmatch(key) is None:
            raise KeyInvalid(f"An API key starts with {PREFIX}.")
        return self._fresh(_digest(key, address))

    def forget(self, key: str, address: str) -> None:
        """Ask anew for *key* the next time."""
        self._known.pop(_digest(key, address), None)

    async def token(self, key: str, address: str) -> str:
        """Exchange *key*, however many ask for it at the same time just once.

        Raises:
            KeyInvalid, KeyExpired, AccountSuspended: Auth refuses it.
            Unavailable: Auth is away.
        """
        digest = _digest(key, address)
        asking = self._asking.get(digest)
        if asking is None:
            asking = self._asking[digest] = asyncio.create_task(self._exchange(key, address, digest))
            asking.add_done_callback(lambda task: self._asked(digest, task))
        await asyncio.shield(asking)  # one who goes away takes nothing from the others
        token = self._fresh(digest)
        if token is None:
            raise Unavailable("The key could not be checked in time; try again.")
        return token

    def _asked(self, digest: bytes, task: asyncio.Task[None]) -> None:
        del self._asking[digest]
        if not task.cancelled():
            task.exception()  # where everybody who waited has left, nobody else looks at it

    def _fresh(self, digest: bytes) -> str | None:
        known = self._known.get(digest)
        if known is None:
            return None
        token, error, until = known
        if until <= self._clock():
            del self._known[digest]
            return None
        if error is not None:
            kind, detail = _REFUSALS[error]
            raise kind(detail)
        return token

    async def _exchange(self, key: str, address: str, digest: bytes) -> None:
        asked = self._clock()
        answer = await self._ask(msgspec.json.encode(KeyPresented(key=key, address=address or None)))
        try:
            exchanged = msgspec.json.decode(answer, type=KeyExchanged)
        except msgspec.DecodeError:
            raise Unavailable("The key could not be checked.") from None
        if exchanged.token is not None:
            # Counted from the question: what was revoked after it is not good for longer than promised.
            self._keep(digest, exchanged.token, None, asked + min(_FRESH_S, exchanged.expires_in - 1))
        else:
            self._keep(digest, None, exchanged.error or "key-invalid", self._clock() + _REFUSED_S)

    def _keep(self, digest: bytes, token: str | None, error: str | None, until: float) -> None:
        self._known[digest] = (token, error, until)
        self._known.move_to_end(digest)
        while len(self._known) > self._entries:
            self._known.popitem(last=False)


def _digest(key: str, address: str) -> bytes:
    # Auth is told the address and may answer by it.
    return hashlib.sha256(f"{key}\n{address}".encode()).digest()
