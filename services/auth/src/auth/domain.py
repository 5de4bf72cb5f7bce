"""What an account, a user, a session and a refresh token are, and what may be done with them. Pure."""

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Self
from uuid import UUID
from zoneinfo import available_timezones

from contracts.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited, Unauthenticated, Unavailable
from contracts.ids import TenantId, UserId
from contracts.principal import RANK, Principal, Role
from email_validator import EmailNotValidError, validate_email

#: bcrypt reads this many bytes and no more: what follows would not count.
PASSWORD_BYTES = 72
PASSWORD_CHARACTERS = 8
#: RFC 5321: the longest path is 256 with its angle brackets.
EMAIL_CHARACTERS = 254
FREE_ATTEMPTS = 5
FIRST_HOLD = timedelta(seconds=15)
LONGEST_HOLD = timedelta(minutes=15)
#: After this long without a try the count begins anew.
ATTEMPTS_FORGOTTEN = timedelta(hours=1)

_CURRENCY = re.compile(r"[A-Z]{3}")


class EmailTaken(Conflict):
    """Somebody has this e-mail address already."""

    code = "email-taken"


class WrongCredentials(Unauthenticated):
    """E-mail address or password is wrong."""

    code = "wrong-credentials"


class UserDisabled(Forbidden):
    """This user may not sign in any more."""

    code = "user-disabled"


class TooManyAttempts(RateLimited):
    """Too many attempts to sign in; wait."""

    @classmethod
    def until(cls, end: datetime, now: datetime) -> Self:
        """Say how long."""
        seconds = max(1, round((end - now).total_seconds()))
        return cls(f"Try again in {seconds} s.", headers={"Retry-After": str(seconds)}, retry_after=seconds)


class WeakPassword(Invalid):
    """The password is too easy to guess."""

    code = "weak-password"


class PasswordTooLong(Invalid):
    """The password has more than 72 bytes."""

    code = "password-too-long"


class RefreshInvalid(Unauthenticated):
    """The refresh token is not, or no longer, good; sign in again."""

    code = "refresh-invalid"


class RefreshReused(Unauthenticated):
    """An old refresh token came back, so the whole session is closed; sign in again."""

    code = "refresh-reused"


class CsrfMismatch(Forbidden):
    """The X-CSRF-Token header is not the clarin_csrf cookie."""

    code = "csrf"


class RegistrationClosed(Forbidden):
    """Nobody can register here."""

    code = "registration-closed"


class InvitationInvalid(Forbidden):
    """An invitation is needed that is good, unused and not too old."""

    code = "invitation-invalid"


class UserMissing(NotFound):
    """This user is not here."""

    code = "user-not-found"


class SessionMissing(NotFound):
    """This session is not open."""

    code = "session-not-found"


class RoleTooHigh(Forbidden):
    """Only an owner may do this to, or make, an owner."""

    code = "role-too-high"


class OwnStanding(Conflict):
    """Nobody changes their own role or standing; their password only with the present one."""

    code = "own-standing"


class LastOwner(Conflict):
    """An account keeps at least one active owner."""

    code = "last-owner"


class Busy(Unavailable):
    """Too many sign-ins are under way; try again in a moment."""


class TicketsAway(Unavailable):
    """Where tickets are kept does not answer; try again."""


class Registration(StrEnum):
    """Who may register an account. ``first``: the first one to come, and nobody after."""

    OPEN = "open"
    INVITE = "invite"
    FIRST = "first"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One tenant.

    Attributes:
        time_zone: IANA; "today" is this zone's day.
        currency: ISO 4217.
    """

    id: TenantId
    name: str
    time_zone: str
    locale: str
    currency: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person of an account.

    Attributes:
        email: Normalised and in lower case; one user of the whole installation has it.
        password_hash: bcrypt's; None: cannot sign in (yet).
        version: Grows with each change. Access tokens carry it; those with a lower one than was last announced are dead.
        installation: Owns the installation and stands above the tenants.
    """

    id: UserId
    tenant: TenantId
    email: str
    name: str
    role: Role
    created_at: datetime
    password_hash: str | None = None
    active: bool = True
    installation: bool = False
    version: int = 0

    def changed(
        self,
        by: Principal,
        *,
        role: Role | None = None,
        active: bool | None = None,
        name: str | None = None,
        password_hash: str | None = None,
    ) -> Self:
        """Give this user another role, standing, name or password; None leaves what is.

        Raises:
            RoleTooHigh: Somebody below an owner touches an owner or makes one.
            OwnStanding: *by* is this user, and it is not only about the name.
        """
        if by.role is not Role.OWNER and Role.OWNER in (self.role, role):
            raise RoleTooHigh("Ask an owner of the account.")
        moved = replace(
            self,
            role=role or self.role,
            active=self.active if active is None else active,
            name=name or self.name,
            password_hash=password_hash or self.password_hash,
        )
        if by.id == self.id and moved.stands_elsewhere(self):
            raise OwnStanding("Ask another owner or admin of the account.")
        return self if moved == self else replace(moved, version=self.version + 1)

    def stands_elsewhere(self, before: "User") -> bool:
        """Tell whether role, standing or password are no longer what they were *before*: access tokens from then must die."""
        return (self.role, self.active, self.password_hash) != (before.role, before.active, before.password_hash)

    def must_sign_in_again(self, before: "User") -> bool:
        """Tell whether the sessions from *before* are over as well."""
        return (before.active and not self.active) or self.password_hash != before.password_hash

    def owns(self) -> bool:
        """Tell whether this is one of the account's active owners."""
        return self.active and self.role is Role.OWNER


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


def may_make(by: Principal, role: Role) -> None:
    """Let *by* make a user with *role*.  Raises: RoleTooHigh."""
    if RANK[role] > RANK[by.role]:
        raise RoleTooHigh(f"Your role is {by.role}.")


def hold(failures: int) -> timedelta:
    """Tell how long no further attempt is taken after *failures* in a row: none for the first four, then twice as long each time."""
    if failures < FREE_ATTEMPTS:
        return timedelta(0)
    doublings = min(failures - FREE_ATTEMPTS, 16)
    doubled: timedelta = FIRST_HOLD * 2**doublings
    return min(doubled, LONGEST_HOLD)


def email(text: str) -> str:
    """Normalise an e-mail address, in lower case.  Raises: ValueError.

    Test domains are welcome: nobody is written to before an address has been confirmed by its owner.
    """
    text = text.strip()
    if len(text) > EMAIL_CHARACTERS:
        raise ValueError(f"An e-mail address has at most {EMAIL_CHARACTERS} characters.")
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return found.normalized.lower()


def name(text: str) -> str:
    """Strip a name.  Raises: ValueError: empty, over 100 characters, or with control characters (Postgres cannot store a NUL)."""
    text = unicodedata.normalize("NFC", text.strip())
    if not 1 <= len(text) <= 100:
        raise ValueError("A name has 1 to 100 characters.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ValueError("A name has no control characters.")
    return text


def password(text: str) -> str:
    """Take a password, as every keyboard writes it (NFC).  Raises: PasswordTooLong."""
    text = unicodedata.normalize("NFC", text)
    if len(text.encode()) > PASSWORD_BYTES:
        raise PasswordTooLong(f"At most {PASSWORD_BYTES} bytes in UTF-8; this one has {len(text.encode())}.")
    return text


def written(text: str) -> str:
    """Take a text that can be written as UTF-8.  Raises: ValueError: JSON can hold half of a surrogate pair, UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("This text holds half a character.") from None
    return text


def time_zone(text: str) -> str:
    """Take the name of an IANA time zone.  Raises: ValueError."""
    if text not in _zones():
        raise ValueError("This is no IANA time zone, such as America/Bogota.")
    return text


def currency(text: str) -> str:
    """Take a currency's three letters, in upper case.  Raises: ValueError."""
    if not _CURRENCY.fullmatch(text.upper()):
        raise ValueError("A currency has three letters (ISO 4217), such as COP.")
    return text.upper()


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - {"localtime", "Factory", "posixrules"}
