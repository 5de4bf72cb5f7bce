"""The JSON that comes in and goes out."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from contracts.edge import PublicAttemptId, PublicDeliveryId, PublicDeviceId, PublicEventId, PublicReplayId, PublicWebhookId
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints, model_validator
from servicekit.http import Body
from servicekit.http.bodies import Storable

from webhooks.domain.addresses import URL_LONGEST
from webhooks.domain.endpoints import OVERLAP_MAX, Endpoint, State
from webhooks.domain.schedule import Health
from webhooks.domain.types import PATTERNS_MOST
from webhooks.store.replays import Replay


def _in_our_time(moment: datetime) -> datetime:
    if not 2000 <= moment.year < 2200:  # what lies at the ends of the calendar has no place in another time zone
        raise ValueError("A time of this century or the next.")
    return moment


Url = Annotated[str, StringConstraints(min_length=1, max_length=URL_LONGEST), Storable]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), Storable]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=80), Storable]
Patterns = Annotated[list[Pattern], Field(min_length=1, max_length=PATTERNS_MOST)]
Devices = Annotated[list[PublicDeviceId], Field(min_length=1, max_length=500)]
Headers = Annotated[dict[str, str], Field(max_length=50)]
Rate = Annotated[int, Field(ge=1, le=60_000)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_our_time)]
Concurrency = Annotated[int, Field(ge=1, le=10)]


class NewWebhook(Body):
    """An address that events are sent to.

    Attributes:
        types: `*`, `message.*`, or types of `GET /api/webhooks/event-types`.
        devices: The numbers whose events it gets; left out: all of them.
        format: `waha` sends the shape of WAHA's webhooks.
        ordered: An event of a chat waits until those before it were taken or given up.
        headers: Sent with each delivery; their values are not shown again.
    """

    url: Url
    types: Patterns = Field(default_factory=lambda: ["*"])
    description: Description = ""
    devices: Devices | None = None
    format: Literal["clarin", "waha"] = "clarin"
    ordered: bool = False
    rate_per_minute: Rate | None = None
    concurrency: Concurrency = 4
    headers: Headers = Field(default_factory=dict)


class WebhookChange(Body):
    """What is left out stays as it is.

    Attributes:
        state: `paused` holds everything back until it is `enabled` again; a webhook that was disabled is enabled the same way.
        devices: null: all numbers.
    """

    url: Url | None = None
    types: Patterns | None = None
    description: Description | None = None
    devices: Devices | None = None
    format: Literal["clarin", "waha"] | None = None
    ordered: bool | None = None
    rate_per_minute: Rate | None = None
    concurrency: Concurrency | None = None
    headers: Headers | None = None
    state: Literal["enabled", "paused"] | None = None

    @model_validator(mode="after")
    def _null_where_it_means_something(self) -> Self:
        for name in self.model_fields_set - {"devices", "rate_per_minute"}:
            if getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null.")
        return self


class WebhookOut(BaseModel):
    """An endpoint.

    Attributes:
        headers: The names of its own headers.
        reason: With `disabled`: `failing` or `gone`.
        failing_since: It has taken nothing since then.
        held_until: Nothing is tried before, since it failed several times in a row.
        previous_secret_until: Until then deliveries are signed with the secret before as well.
    """

    id: PublicWebhookId
    url: str
    types: list[str]
    description: str
    devices: list[PublicDeviceId] | None
    format: Literal["clarin", "waha"]
    ordered: bool
    rate_per_minute: int | None
    concurrency: int
    headers: list[str]
    state: State
    reason: str | None
    failures: int
    failing_since: datetime | None
    held_until: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, endpoint: Endpoint, health: Health) -> Self:
        """Show an endpoint."""
        return cls(**_shown(endpoint, health))


def _shown(endpoint: Endpoint, health: Health) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "types": list(endpoint.types),
        "description": endpoint.description,
        "devices": None if endpoint.devices is None else sorted(endpoint.devices),
        "format": endpoint.format,
        "ordered": endpoint.ordered,
        "rate_per_minute": endpoint.rate_per_minute,
        "concurrency": endpoint.concurrency,
        "headers": list(endpoint.header_names),
        "state": endpoint.state,
        "reason": endpoint.reason,
        "failures": health.failures,
        "failing_since": health.failing_since,
        "held_until": health.held_until,
        "previous_secret_until": endpoint.previous_until,
        "created_at": endpoint.created_at,
    }


class WebhookShown(WebhookOut):
    """An endpoint with its secret, which is in this answer and in no other."""

    secret: Annotated[str, Field(examples=["whsec_…"])]

    @classmethod
    def with_secret(cls, endpoint: Endpoint, health: Health, secret: str) -> Self:
        """Show an endpoint and its secret."""
        return cls(secret=secret, **_shown(endpoint, health))


class SecretRotation(Body):
    """For how long the present secret signs beside the new one; a day by default."""

    overlap_seconds: Annotated[int, Field(ge=0, le=int(OVERLAP_MAX.total_seconds()))] = 86_400


class EventTypeOut(BaseModel):
    """One type of event; *example* is what a delivery of it holds."""

    type: str
    description: str
    example: dict[str, Any]


class EventTypes(BaseModel):
    """The catalogue."""

    items: list[EventTypeOut]
    next_cursor: None = None


class ExampleOrder(Body):
    """Which example to send."""

    type: Pattern = "message.received"


class DeliveryOut(BaseModel):
    """An event on its way to an endpoint, or there.

    Attributes:
        source: `event`: as it happened; `replay`; `test`.
        status: What the endpoint answered last.
        error: Why the last attempt failed: `status`, `redirect`, `timeout`, `connect`, `reset`, `tls`, `dns`, `address-refused`,
            `protocol`, `url`, `disabled`, `payload-gone`, `secret-gone`.
        next_at: When it is tried next.
    """

    id: PublicDeliveryId
    webhook_id: PublicWebhookId
    event_id: PublicEventId
    type: str
    source: Literal["event", "replay", "test"]
    state: Literal["waiting", "delivered", "failed"]
    attempts: int
    status: int | None
    error: str | None
    next_at: datetime | None
    made_at: datetime
    settled_at: datetime | None

    @classmethod
    def of(cls, row: Any) -> Self:
        """Show a delivery."""
        return cls(**_delivery(row))


def _delivery(row: Any) -> dict[str, Any]:
    values = {name: row[name] for name in ("id", "type", "source", "state", "attempts", "status", "error", "made_at", "settled_at")}
    waiting = row["state"] == "waiting"
    return values | {"webhook_id": row["endpoint"], "event_id": row["event"], "next_at": row["next_at"] if waiting else None}


class DeliveryShown(DeliveryOut):
    """A delivery with what its event says; *body* is null where that is not kept any more."""

    body: dict[str, Any] | None

    @classmethod
    def with_body(cls, row: Any, body: dict[str, Any] | None) -> Self:
        """Show a delivery and its content."""
        return cls(body=body, **_delivery(row))


class AttemptOut(BaseModel):
    """One request to the endpoint.

    Attributes:
        number: From 1 on.
        status: null where there was no answer.
        error: null after a 2xx.
        answer: The beginning of what the endpoint answered.
    """

    id: PublicAttemptId
    delivery_id: PublicDeliveryId
    event_id: PublicEventId
    type: str
    number: int
    at: datetime
    status: int | None
    error: str | None
    latency_ms: int
    answer: str

    @classmethod
    def of(cls, row: Any) -> Self:
        """Show an attempt."""
        names = ("id", "type", "number", "at", "status", "error", "latency_ms", "answer")
        return cls(delivery_id=row["delivery"], event_id=row["event"], **{name: row[name] for name in names})


class DeliveryRecovery(Body):
    """Everything that has failed since then is tried again."""

    since: Moment


class DeliveriesRecovered(BaseModel):
    """How many deliveries are tried again."""

    recovered: int


class NewReplay(Body):
    """Which events to send again: those that happened from *since* on, before *until* (now by default).

    Attributes:
        types: The webhook's own by default.
        devices: The webhook's own by default.
    """

    since: Moment
    until: Moment | None = None
    types: Patterns | None = None
    devices: Devices | None = None


class ReplayOut(BaseModel):
    """A replay.

    Attributes:
        progress: From 0 to 1: how much of the time has been read.
        found: EventFeed that are sent again.
        error: With `failed`: `events-gone`: some of the time is not kept any more.
    """

    id: PublicReplayId
    webhook_id: PublicWebhookId
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    since: datetime
    until: datetime
    types: list[str]
    devices: list[PublicDeviceId] | None
    progress: float
    found: int
    delivered: int
    failed: int
    waiting: int
    error: str | None
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, replay: Replay, counts: dict[str, int]) -> Self:
        """Show a replay."""
        progress = 1.0 if replay.state == "done" else 0.0
        if replay.state != "done" and replay.first is not None and replay.last is not None and replay.reached is not None:
            progress = (replay.reached + 1 - replay.first) / max(1, replay.last + 1 - replay.first)
        return cls(
            id=replay.id,
            webhook_id=replay.endpoint,
            state=replay.state,
            since=replay.since,
            until=replay.until,
            types=list(replay.types),
            devices=None if replay.devices is None else sorted(replay.devices),
            progress=round(min(1.0, max(0.0, progress)), 4),
            found=replay.found,
            delivered=counts.get("delivered", 0),
            failed=counts.get("failed", 0),
            waiting=counts.get("waiting", 0),
            error=replay.error,
            created_at=replay.created_at,
            ended_at=replay.ended_at,
        )


class WebhookHour(BaseModel):
    """One hour's attempts."""

    hour: datetime
    delivered: int
    failed: int
    latency_ms: int
    slowest_ms: int


class WebhookStatistics(BaseModel):
    """How an endpoint has fared; *latency_ms* is the mean."""

    since: datetime
    delivered: int
    failed: int
    waiting: int
    latency_ms: int
    slowest_ms: int
    hours: list[WebhookHour]


class EventOut(BaseModel):
    """An event: the same id, type, timestamp and data as a webhook's delivery."""

    id: PublicEventId
    type: str
    timestamp: datetime
    data: dict[str, Any]


class EventFeed(BaseModel):
    """EventFeed in their order.

    Attributes:
        next_cursor: Give it back as `after`, now or later; it is there at the end as well.
        more: There are more already.
    """

    items: list[EventOut]
    next_cursor: str
    more: bool
