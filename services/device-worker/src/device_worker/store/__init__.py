"""The schema ``devices``: every statement of this service, by what it is about."""

from device_worker.store import accounts, devices, fences, history, meters, pairings, peers, queue, sending, sends

__all__ = ["accounts", "devices", "fences", "history", "meters", "pairings", "peers", "queue", "sending", "sends"]
