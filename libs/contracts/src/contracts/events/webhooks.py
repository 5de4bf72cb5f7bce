"""What the webhooks service tells: how the account's own endpoints fare."""

from datetime import datetime
from typing import Literal

from contracts.envelope import Body, event


@event("webhooks.endpoint.disabled", 1, public=True, frame="webhook_disabled", webhook="endpoint.disabled")
class EndpointDisabled(Body, frozen=True, kw_only=True):
    """Nothing is sent to an endpoint any more, until somebody enables it again.

    Attributes:
        id: ``whk_…``
        reason: ``failing``: it took nothing for five days; ``gone``: it answered 410.
        failing_since: The first of the failures with no success between; None where it was well until it said 410.
    """

    id: str
    url: str
    description: str
    reason: Literal["failing", "gone"]
    at: datetime
    failing_since: datetime | None = None


@event("webhooks.endpoint.warned", 1, public=True, frame="webhook_warning", webhook="endpoint.warning")
class EndpointWarned(Body, frozen=True, kw_only=True):
    """An endpoint has taken nothing for a day; if that goes on it will be disabled.

    Attributes:
        id: ``whk_…``
        disabled_at: When it will be.
    """

    id: str
    url: str
    description: str
    failing_since: datetime
    disabled_at: datetime
    at: datetime
