"""The one room that knows the library (neonize, and whatsmeow in it): sessions, calls, errors."""

from device_worker.whatsapp.errors import CallFailed, Meaning, NotRunning, StoreWatch
from device_worker.whatsapp.library import Client, Library, Sent
from device_worker.whatsapp.store import Store, StoreAway

__all__ = ["CallFailed", "Client", "Library", "Meaning", "NotRunning", "Sent", "Store", "StoreAway", "StoreWatch"]
