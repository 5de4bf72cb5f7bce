"""The one room that knows the library (neonize, and whatsmeow in it): sessions, calls, errors."""

from device_worker.whatsapp.errors import CallFailed, NotRunning, StoreWatch
from device_worker.whatsapp.library import Client, Library, Sent

__all__ = ["CallFailed", "Client", "Library", "NotRunning", "Sent", "StoreWatch"]
