"""Where a chat stands in the work of a team, and what moves it. Pure: a standing goes in, a standing comes out."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from contracts.ids import UserId
from contracts.views import ChatStatus

from conversations.domain.errors import SnoozeInvalid

Way = Literal["manual", "auto", "rule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One chat's part in the work.

    Attributes:
        snoozed_until: UTC; with ``snoozed`` alone.
        assignee: Who answers it, and how he came to it (`way`).
        team: Whose queue it is in.
        waiting_since: The customer's first message that nobody answered yet.
        queued_at: It waits for somebody to be assigned, since then: the order of the queue.
        asked_at: The customer's newest message.
        answered_at: The newest message of a person of ours, from here, by a program or on the number's own phone.
        began_at: The customer's first message since the chat began, or began again.
        first_response_at: The first answer of a person since `began_at`, with who gave it (None: on the phone).
        revision: Grows by one with each change; 0 has not been told to anybody.
    """

    status: ChatStatus = "open"
    snoozed_until: datetime | None = None
    assignee: UserId | None = None
    way: Way | None = None
    team: UUID | None = None
    waiting_since: datetime | None = None
    queued_at: datetime | None = None
    asked_at: datetime | None = None
    answered_at: datetime | None = None
    began_at: datetime | None = None
    first_response_at: datetime | None = None
    first_response_by: UUID | None = None
    closed_at: datetime | None = None
    revision: int = 0

    def differs(self, other: Self) -> bool:
        """Tell whether anything is another than in *other* but the time of the newest message, which is kept as messages come."""
        return replace(self, asked_at=None) != replace(other, asked_at=None)

    @property
    def shown(self) -> tuple[object, ...]:
        """Give what others see of it."""
        return self.status, self.snoozed_until, self.assignee, self.team, self.waiting_since, self.first_response_at

    def asked(self, at: datetime) -> Self:
        """The customer wrote: whatever was closed, snoozed or pending is open, and he waits unless it was answered since."""
        after = self
        if self.status != "open":
            after = replace(self, status="open", snoozed_until=None, closed_at=None)
        if self.status == "closed":
            after = replace(after, began_at=at, waiting_since=None, first_response_at=None, first_response_by=None)
        elif after.began_at is None or (at < after.began_at and after.first_response_at is None):
            after = replace(after, began_at=at)
        if after.asked_at is None or at > after.asked_at:
            after = replace(after, asked_at=at)
        if self.status == "closed" or after.answered_at is None or at > after.answered_at:
            since = at if after.waiting_since is None else min(at, after.waiting_since)
            after = replace(after, waiting_since=since).queueing(since)
        return after

    def answered(self, at: datetime, by: UUID | None) -> Self:
        """A person of ours wrote: who waited until then waits no longer."""
        after = self
        if self.answered_at is None or at > self.answered_at:
            after = replace(after, answered_at=at)
        if self.began_at is not None and at >= self.began_at and (self.first_response_at is None or at < self.first_response_at):
            after = replace(after, first_response_at=at, first_response_by=by)
        if after.waiting_since is not None and after.waiting_since <= at:
            still = after.asked_at if after.asked_at is not None and after.asked_at > at else None
            after = replace(after, waiting_since=still, queued_at=after.queued_at and still)
        elif after.waiting_since is None:
            after = replace(after, queued_at=None)
        return after

    def turned(self, status: ChatStatus, until: datetime | None, now: datetime) -> Self:
        """It has this status.  Raises: SnoozeInvalid: a time that is not ahead, or one without ``snoozed``, or none with it."""
        if (status == "snoozed") != (until is not None):
            raise SnoozeInvalid("A snooze has a time at which it ends, and nothing else has one.")
        if until is not None and until <= now:
            raise SnoozeInvalid("This time has passed.")
        if status == self.status and until == self.snoozed_until:
            return self
        after = replace(self, status=status, snoozed_until=until)
        if status == "closed":
            return replace(after, closed_at=now, waiting_since=None, queued_at=None)
        if self.status == "closed":
            after = replace(after, closed_at=None, began_at=None, first_response_at=None, first_response_by=None)
        if status != "open":
            return replace(after, queued_at=None)
        return after.queueing(after.waiting_since) if after.waiting_since is not None else after

    def assigned(self, assignee: UserId | None, team: UUID | None, way: Way, now: datetime) -> Self:
        """*assignee* answers it, in the queue of *team*; nobody: it waits in the queue where it is open and somebody should."""
        if (assignee, team) == (self.assignee, self.team):
            return replace(self, queued_at=None) if assignee is not None else self
        after = replace(self, assignee=assignee, team=team, way=way if assignee is not None else None)
        if assignee is not None:
            return replace(after, queued_at=None)
        if team is not None and team != self.team:
            return after.queueing(after.waiting_since or now)
        return after.queueing(after.waiting_since) if after.waiting_since is not None else after

    def queueing(self, since: datetime) -> Self:
        """It is in the queue since then, or longer, where nobody answers it and it is open."""
        if self.assignee is not None or self.status != "open":
            return self
        return replace(self, queued_at=_first(self.queued_at, since))

    def handed_over(self, now: datetime) -> Self:
        """A person should take it: it is open and in the queue, unless somebody answers it already."""
        after = self if self.status == "open" else self.turned("open", None, now)
        return after.queueing(after.waiting_since or now)

    def woken(self, now: datetime) -> Self:
        """A snooze that is over has ended."""
        if self.status != "snoozed" or self.snoozed_until is None or self.snoozed_until > now:
            return self
        return self.turned("open", None, now)

    def old(self) -> Self:
        """It came with pairing, as old: it is closed, and nobody waits."""
        return replace(self, status="closed")

    def joined(self, other: Self) -> Self:
        """It took *other* in, which turned out to be the same chat: the one that is in work decides."""
        leading, following = (other, self) if self.status == "closed" != other.status else (self, other)
        return replace(
            leading,
            waiting_since=_first(leading.waiting_since, following.waiting_since if leading.status != "closed" else None),
            asked_at=_last(leading.asked_at, following.asked_at),
            answered_at=_last(leading.answered_at, following.answered_at),
            assignee=leading.assignee or following.assignee,
            way=leading.way if leading.assignee else following.way,
            team=leading.team or following.team,
            queued_at=None if leading.assignee or following.assignee else _first(leading.queued_at, following.queued_at),
            revision=max(self.revision, other.revision) + 1,
        )


def _first(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)


def _last(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)
