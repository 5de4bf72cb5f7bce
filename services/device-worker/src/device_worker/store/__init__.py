"""The schema ``devices``: every statement of this service, by what it is about."""

from device_worker.store import devices, fences, pairings, sends

__all__ = ["devices", "fences", "pairings", "sends"]
