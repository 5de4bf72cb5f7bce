"""What happened to a chat, as people say it: read off where it stood before and stands after. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.ids import UserId
from contracts.views import HappeningKind

from conversations.domain.standing import Standing, Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing that happened.

    Attributes:
        assignee: With ``assigned``: who answers it now; *previous* who did.
        team: With ``assigned`` and ``team``: whose queue it is in now, where that is news.
        tags: With ``tagged`` and ``untagged``.
        until: With ``snoozed``.
        way: With an assignment: how it came about; None: the one whom it is told of did it himself.
    """

    kind: HappeningKind
    assignee: UserId | None = None
    previous: UserId | None = None
    team: UUID | None = None
    tags: tuple[UUID, ...] = ()
    until: datetime | None = None
    way: Way | None = None


def deeds(
    before: Standing, after: Standing, *, way: Way, tagged: Collection[UUID] = (), untagged: Collection[UUID] = ()
) -> tuple[Deed, ...]:
    """Tell what happened, in the order in which it is said; neither how a chat began is news, nor that it has left its queue with somebody.

    Args:
        way: How an assignment came about.
    """
    some: list[Deed] = []
    stood = (before.status, before.snoozed_until), (after.status, after.snoozed_until)
    if before.revision and stood[0] != stood[1]:
        some.append(Deed(kind=after.status, until=after.snoozed_until))
    if before.assignee != after.assignee or before.team != after.team:
        team = after.team if after.team != before.team else None
        if after.assignee is not None and after.assignee != before.assignee:
            some.append(Deed(kind="assigned", assignee=after.assignee, previous=before.assignee, team=team, way=way))
        elif team is not None:
            some.append(Deed(kind="team", previous=before.assignee, team=team, way=way))
        elif after.assignee is None:
            some.append(Deed(kind="unassigned", previous=before.assignee, way=way))
    if tagged:
        some.append(Deed(kind="tagged", tags=tuple(sorted(tagged))))
    if untagged:
        some.append(Deed(kind="untagged", tags=tuple(sorted(untagged))))
    return tuple(some)
