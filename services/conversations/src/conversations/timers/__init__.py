"""What happens by the clock: chats are given out, snoozes end, scheduled messages leave, old rows go."""

from conversations.timers.assigner import assigning
from conversations.timers.clock import send_scheduled, wake
from conversations.timers.sweeping import sweep

__all__ = ["assigning", "send_scheduled", "sweep", "wake"]
