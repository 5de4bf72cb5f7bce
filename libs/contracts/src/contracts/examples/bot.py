"""What the bot tells."""

from contracts.envelope import Body
from contracts.events import bot
from contracts.examples.things import ACTOR, CHAT_ID, DEVICE, DEVICE_ID

BODIES: tuple[Body, ...] = (
    bot.SettingsChanged(version=3, device=DEVICE, actor=ACTOR),
    bot.ChatSwitched(id=CHAT_ID, device_id=DEVICE_ID, silent=True, reason="human"),
)
