"""What the webhooks service tells."""

from datetime import timedelta

from contracts.envelope import Body
from contracts.events import webhooks
from contracts.examples.things import AT, WEBHOOK_ID

URL = "https://tienda.example.com/clarin"

BODIES: tuple[Body, ...] = (
    webhooks.EndpointDisabled(id=WEBHOOK_ID, url=URL, description="Tienda", reason="failing", at=AT, failing_since=AT - timedelta(days=5)),
    webhooks.EndpointWarned(
        id=WEBHOOK_ID,
        url=URL,
        description="Tienda",
        failing_since=AT - timedelta(days=1),
        disabled_at=AT + timedelta(days=4),
        at=AT,
    ),
)
