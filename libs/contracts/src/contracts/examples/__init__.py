"""One example of everything that travels on the bus: for the documentation, the catalogue of webhooks and the golden bodies."""

from contracts import ids
from contracts.envelope import Audience, Body, Envelope, wrap
from contracts.examples import auth, bot, conversations, devices, pipeline, privacy, webhooks
from contracts.examples.things import AT, DEVICE, TENANT, USER

__all__ = ["AT", "BODIES", "DEVICE", "TENANT", "USER", "envelopes"]

BODIES: tuple[Body, ...] = (
    *auth.BODIES,
    *devices.BODIES,
    *conversations.BODIES,
    *bot.BODIES,
    *pipeline.BODIES,
    *webhooks.BODIES,
    *privacy.BODIES,
)


def envelopes() -> list[Envelope[Body]]:
    """Wrap every example, always alike."""
    return [
        wrap(
            TENANT,
            body,
            id=body.identity() or ids.derived("example", body.topic.type, body.topic.version),
            occurred_at=AT,
            audience=Audience(device=DEVICE) if body.topic.public else None,
        )
        for body in BODIES
    ]
