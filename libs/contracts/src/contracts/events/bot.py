"""What the bot tells. What it says to a customer is a message of conversations, and stands there."""

from typing import Literal

from contracts.envelope import Body, event
from contracts.ids import DeviceId
from contracts.principal import Actor


@event("bot.settings.changed", 1)
class SettingsChanged(Body, frozen=True, kw_only=True):
    """The bot behaves differently from now on.

    Attributes:
        device: The one number that it is about; None: every number that has no settings of its own.
        removed: The number's own settings are gone: the account's hold for it again.
    """

    version: int
    device: DeviceId | None = None
    removed: bool = False
    actor: Actor | None = None


@event("bot.chat.switched", 1, public=True, frame="bot_switched", webhook="bot.switched")
class ChatSwitched(Body, frozen=True, kw_only=True):
    """The bot fell silent in a chat, or speaks there again.

    Attributes:
        id: ``cht_…``
        device_id: ``dev_…``
        silent: Whether it is silent now.
        reason: ``human``: somebody answered; ``handed-over``: the customer asked for a person; ``loop``: the other side is a program;
            ``asked``: somebody switched it by hand.
    """

    id: str
    device_id: str
    silent: bool
    reason: Literal["human", "handed-over", "loop", "asked", "closed"]
