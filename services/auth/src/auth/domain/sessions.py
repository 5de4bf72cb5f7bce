"""A session, its chain of refresh tokens, and how long somebody who guesses is held."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from contracts.ids import TenantId, UserId

FREE_ATTEMPTS = 5
FIRST_HOLD = timedelta(seconds=15)
LONGEST_HOLD = timedelta(minutes=15)
#: After this long without a try the count begins anew.
ATTEMPTS_FORGOTTEN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in and the chain of refresh tokens that grew from it.

    Attributes:
        client: ``cookie`` for a browser, ``token`` for all others.
        address: The caller's IP address, as the gateway saw it.
        expires_at: The last token's; moves with each refresh.
    """

    id: UUID
    tenant: TenantId
    user: UserId
    client: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    address: str | None = None
    agent: str | None = None
    closed_at: datetime | None = None
    reason: str | None = None


class Verdict(StrEnum):
    """What a refresh token that came in is."""

    GOOD = "good"
    TWIN = "twin"
    REUSED = "reused"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """One link of a session's chain.

    Attributes:
        hash: SHA-256 of the secret; the secret itself is nowhere.
        successor: Hash of the token it was exchanged for.
        successor_used: That one was exchanged in its turn.
    """

    hash: bytes
    session: UUID
    expires_at: datetime
    used_at: datetime | None = None
    successor: bytes | None = None
    successor_used: bool = False

    def judge(self, session: Session, now: datetime, grace: timedelta) -> Verdict:
        """Tell what to do with it.

        Two tabs of one browser may refresh at once, and an answer may be lost on the way: within *grace*, and only while
        the successor has not been used, the same successor is given again (`TWIN`). After that an old token means that
        two parties hold the chain.
        """
        if session.closed_at is not None:
            return Verdict.OVER
        if self.used_at is not None:
            return Verdict.TWIN if now - self.used_at <= grace and not self.successor_used else Verdict.REUSED
        return Verdict.OVER if self.expires_at <= now else Verdict.GOOD


def hold(failures: int) -> timedelta:
    """Tell how long no further attempt is taken after *failures* in a row: none for the first four, then twice as long each time."""
    if failures < FREE_ATTEMPTS:
        return timedelta(0)
    doublings = min(failures - FREE_ATTEMPTS, 16)
    doubled: timedelta = FIRST_HOLD * 2**doublings
    return min(doubled, LONGEST_HOLD)
