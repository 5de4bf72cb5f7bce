"""What each service tells when it has nothing more of a person whose erasure conversations has told (`ContactErased`)."""

from uuid import UUID

from contracts.envelope import Body, event


class Erased(Body, frozen=True, kw_only=True):
    """Nothing of the person is left in this service.

    Attributes:
        erasure: The erasure's id.
        removed: How many things that were.
        names: The public ids of what is gone (``led_…``) by which events may still speak of the person.
    """

    erasure: UUID
    removed: int = 0
    names: tuple[str, ...] = ()


@event("auth.erasure.done", 1)
class AuthErased(Erased, frozen=True, kw_only=True):
    """Nothing of the person is left in auth."""


@event("devices.erasure.done", 1)
class DevicesErased(Erased, frozen=True, kw_only=True):
    """Nothing of the person is left with the device-workers, nor in WhatsApp's keys."""


@event("pipeline.erasure.done", 1)
class PipelineErased(Erased, frozen=True, kw_only=True):
    """Nothing of the person is left in the pipeline: its leads bear no name and no note any more."""


@event("bot.erasure.done", 1)
class BotErased(Erased, frozen=True, kw_only=True):
    """Nothing of the person is left with the bot."""


@event("webhooks.erasure.done", 1)
class WebhooksErased(Erased, frozen=True, kw_only=True):
    """Nothing of the person is left in the log of deliveries."""


#: By the service that tells it.
EVERY: dict[str, type[Erased]] = {
    "auth": AuthErased,
    "devices": DevicesErased,
    "pipeline": PipelineErased,
    "bot": BotErased,
    "webhooks": WebhooksErased,
}
