"""Every event there is, by the service that tells it. ``docs/events.md`` is generated from here."""

from contracts.events import auth, bot, conversations, devices, pipeline, privacy, webhooks

__all__ = ["auth", "bot", "conversations", "devices", "pipeline", "privacy", "webhooks"]
