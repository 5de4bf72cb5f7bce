"""What is refused, each with its permanent code."""

from contracts.errors import Conflict, Forbidden, Gone, Invalid, NotFound


class WebhookMissing(NotFound):
    """There is no such webhook."""

    code = "webhook-not-found"


class DeliveryMissing(NotFound):
    """There is no such delivery."""

    code = "delivery-not-found"


class ReplayMissing(NotFound):
    """There is no such replay."""

    code = "replay-not-found"


class AddressRefused(Invalid):
    """Nothing is sent to this address."""

    code = "webhook-address-refused"


class TypeUnknown(Invalid):
    """There is no such type of event."""

    code = "webhook-type-unknown"


class HeaderRefused(Invalid):
    """This header cannot be set."""

    code = "webhook-header-refused"


class TooManyWebhooks(Conflict):
    """The account has as many webhooks as it may have."""

    code = "webhook-limit"


class WebhookNotEnabled(Conflict):
    """The webhook is paused or disabled."""

    code = "webhook-not-enabled"


class ReplayRunning(Conflict):
    """A replay to this webhook is still running."""

    code = "replay-running"


class PayloadGone(Gone):
    """The event is too old: its content is not kept any more."""

    code = "payload-gone"


class EventsGone(Gone):
    """Events after this place are not kept any more."""

    code = "events-gone"


class SecretGone(Conflict):
    """The answer with the secret cannot be given again."""

    code = "secret-gone"


class SeesLess(Forbidden):
    """Nobody lets a program see more than they see themselves."""

    code = "sees-less"
