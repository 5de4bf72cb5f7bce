"""What happens by the clock: chats are given out, snoozes end, scheduled messages leave, old rows go."""

from conversations.timers.assigner import assigning
from conversations.timers.attending import attending
from conversations.timers.clock import send_scheduled, wake
from conversations.timers.deleting import delete_released
from conversations.timers.erasing import erase
from conversations.timers.exporting import export
from conversations.timers.keeping import keep
from conversations.timers.lists import importing
from conversations.timers.presence import Presence
from conversations.timers.sweeping import sweep

__all__ = [
    "Presence",
    "assigning",
    "attending",
    "delete_released",
    "erase",
    "export",
    "importing",
    "keep",
    "send_scheduled",
    "sweep",
    "wake",
]
