"""What can go wrong here, each with its permanent code."""

from datetime import datetime
from typing import Self

from contracts.errors import Conflict, Forbidden, Gone, Invalid, NotFound, RateLimited, Unauthenticated, Unavailable


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


class SeesLess(Forbidden):
    """Nobody lets others see more than they see themselves."""

    code = "sees-less"


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


class AccountMissing(NotFound):
    """This account is not here."""

    code = "account-not-found"


class AccountSuspended(Forbidden):
    """This account is suspended."""

    code = "account-suspended"


class LimitReached(Conflict):
    """The account may not have more of this."""

    code = "limit-reached"

    @classmethod
    def of(cls, what: str, limit: int) -> Self:
        """Say of what, and how many there may be."""
        return cls(f"This account may have {limit}.", limit=what, most=limit)


class PersonsOnly(Forbidden):
    """Only a person who is signed in may do this, no API key."""

    code = "persons-only"


class OwnersOfTheInstallationOnly(Forbidden):
    """Only the installation's owner may do this."""

    code = "installation-only"


class KeyMissing(NotFound):
    """This API key is not here."""

    code = "key-not-found"


class TeamMissing(NotFound):
    """This team is not here."""

    code = "team-not-found"


class TeamNameTaken(Conflict):
    """Another team of the account has this name."""

    code = "team-name-taken"


class InvitationMissing(NotFound):
    """This invitation is not open."""

    code = "invitation-not-found"


class ResetInvalid(Forbidden):
    """This link is not, or no longer, good; ask for another one."""

    code = "reset-invalid"


class SecretGone(Conflict):
    """The secret was shown once and cannot be shown again."""

    code = "secret-gone"


class DeadLetterGone(Gone):
    """This dead letter is not here any more: it was given back, dropped, or is too old."""

    code = "dead-letter-gone"


class QueuesAway(Unavailable):
    """The message bus does not answer; try again."""

    code = "bus-away"
