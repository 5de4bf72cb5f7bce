"""The envelope that every event and command travels in, and the registry of what can be in one.

On the wire::

    {"id": "0192…", "type": "devices.message.observed", "version": 1, "tenant": "0192…",
     "occurred_at": "2026-11-21T18:00:00.123Z", "audience": {"device": "0192…"}, "trace": "00-…", "data": {…}}

The id is the JetStream message id: a repeat within the stream's window is dropped by the server, a later one by the
consumer's inbox or by a natural key. It is a UUIDv7, except for a fact that can be observed twice: that one derives its
id from what it tells (`Fact.identity`).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

import msgspec

from contracts import ids
from contracts.ids import DeviceId, TenantId, UserId
from contracts.principal import Actor


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """What kind of fact or order this is, and where it goes.

    Attributes:
        public: True when integrators may see it as it is; its data then has the shapes and ids of the HTTP API.
        frame: The socket frame that it becomes, if it becomes one.
        webhook: The webhook type that it becomes, if it becomes one.
    """

    kind: str
    service: str
    entity: str
    happened: str
    version: int
    public: bool = False
    frame: str | None = None
    webhook: str | None = None

    @property
    def type(self) -> str:
        """Name it as the envelope does, without the version."""
        return ".".join(part for part in (self.service, self.entity, self.happened) if part)


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """The data of an envelope. A subclass is declared with `event` or `command`."""

    topic: ClassVar[Topic]

    def identity(self) -> UUID | None:
        """Derive the id of a fact that can be observed twice; None for all others."""
        return None


B = TypeVar("B", bound=Body)
B_co = TypeVar("B_co", bound=Body, covariant=True)


class Audience(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who of the tenant may see the fact, as of the commit that made it; None: no limit from this side."""

    device: DeviceId | None = None
    team: UUID | None = None
    assignee: UserId | None = None


class Envelope(msgspec.Struct, Generic[B_co], frozen=True, kw_only=True):
    """One fact or order with what the bus must know of it."""

    id: UUID
    type: str
    version: int
    tenant: TenantId
    occurred_at: datetime
    data: B_co
    audience: Audience = Audience()
    trace: str | None = None


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    """An envelope whose data has not been read yet."""

    id: UUID
    type: str
    version: int
    tenant: TenantId
    occurred_at: datetime
    data: msgspec.Raw
    audience: Audience = Audience()
    trace: str | None = None


REGISTRY: dict[tuple[str, int], type[Body]] = {}
_encoder = msgspec.json.Encoder()
_header = msgspec.json.Decoder(_Header)
_decoders: dict[type[Body], msgspec.json.Decoder[Any]] = {}


class UnknownType(ValueError):
    """Nobody declared this type and version."""


def event(
    name: str, version: int, *, public: bool = False, frame: str | None = None, webhook: str | None = None
) -> Callable[[type[B]], type[B]]:
    """Declare a body as the event *name* (``service.entity.happened``, past tense)."""
    service, entity, happened = name.split(".")
    return _declare(
        Topic(kind="evt", service=service, entity=entity, happened=happened, version=version, public=public, frame=frame, webhook=webhook)
    )


def command(name: str, version: int) -> Callable[[type[B]], type[B]]:
    """Declare a body as the order *name* (``receiving-service.order``, imperative)."""
    service, order = name.split(".")
    return _declare(Topic(kind="cmd", service=service, entity=order, happened="", version=version))


def _declare(topic: Topic) -> Callable[[type[B]], type[B]]:
    def declare(body: type[B]) -> type[B]:
        key = (topic.type, topic.version)
        if key in REGISTRY:
            raise TypeError(f"{topic.type} v{topic.version} is declared twice: {REGISTRY[key].__name__} and {body.__name__}.")
        body.topic = topic
        REGISTRY[key] = body
        _decoders[body] = msgspec.json.Decoder(body)
        return body

    return declare


def wrap(
    tenant: TenantId,
    body: B,
    *,
    id: UUID | None = None,
    occurred_at: datetime | None = None,
    audience: Audience | None = None,
    trace: str | None = None,
) -> Envelope[B]:
    """Put *body* into an envelope. A public one does not say from which address its actor came: integrators need not know.

    Args:
        id: For an order: derived from what caused it, so that a repeat is the same order. Else left out.
        occurred_at: UTC; now by default.
    """
    actor = getattr(body, "actor", None)
    if body.topic.public and isinstance(actor, Actor) and actor.address is not None:
        body = msgspec.structs.replace(body, actor=msgspec.structs.replace(actor, address=None))
    return Envelope(
        id=id or body.identity() or ids.new(),
        type=body.topic.type,
        version=body.topic.version,
        tenant=tenant,
        occurred_at=occurred_at or datetime.now(UTC),
        audience=audience or Audience(),
        trace=trace,
        data=body,
    )


def encode(envelope: Envelope[Any]) -> bytes:
    """Write an envelope as JSON."""
    return _encoder.encode(envelope)


def decode(payload: bytes) -> Envelope[Any]:
    """Read an envelope and its data.  Raises: UnknownType; msgspec.DecodeError (a ValueError) for anything malformed."""
    header = _header.decode(payload)
    body = REGISTRY.get((header.type, header.version))
    if body is None:
        raise UnknownType(f"{header.type} v{header.version}")
    return Envelope(
        id=header.id,
        type=header.type,
        version=header.version,
        tenant=header.tenant,
        occurred_at=header.occurred_at,
        audience=header.audience,
        trace=header.trace,
        data=_decoders[body].decode(header.data),
    )
