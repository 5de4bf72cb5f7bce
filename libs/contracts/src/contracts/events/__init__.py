"""Every event there is, by the service that tells it. ``docs/events.md`` is generated from here."""

from contracts.events import auth, conversations, devices, pipeline, webhooks

__all__ = ["auth", "conversations", "devices", "pipeline", "webhooks"]
