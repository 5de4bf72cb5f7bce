"""Addresses of files that speak for themselves: for webhooks and programs, which have no session.

One is good for a day from the hour in which it was made, so that it stays the same, and in caches, within the hour.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from contracts.ids import TenantId
from servicekit import cursors
from servicekit.cursors import BadCursor

PATH = "/api/media/file"
GOOD_FOR = timedelta(hours=25)


def address(tenant: TenantId, media: UUID, *, thumbnail: bool = False, now: datetime | None = None) -> str:
    """Write where the file (or its small picture) can be had."""
    hour = (now or datetime.now(UTC)).replace(minute=0, second=0, microsecond=0)
    until = int((hour + GOOD_FOR).timestamp())
    seal = cursors.encode(tenant, PATH, (UUID(int=media.int), thumbnail, until))
    return f"{PATH}?token={UUID(int=tenant.int).hex}.{seal}"


def read(token: str, now: datetime | None = None) -> tuple[TenantId, UUID, bool, datetime] | None:
    """Read the account, the file, whether its small picture is meant, and until when; None for one that is not good (any more)."""
    account, _, seal = token.partition(".")
    try:
        tenant = TenantId(UUID(hex=account))
        media, thumbnail, until = cursors.decode(tenant, PATH, seal, tuple[UUID, bool, int])
    except (ValueError, BadCursor):
        return None
    end = datetime.fromtimestamp(until, UTC)
    return (tenant, media, thumbnail, end) if (now or datetime.now(UTC)) < end else None
