"""The one room that knows the library (neonize, and whatsmeow in it): sessions, calls, errors.

What loads the shared object is in `library` alone, and only the processes that hold it import that: the host and a pairing.
"""

from device_worker.whatsapp.errors import CallFailed, Meaning, NotRunning, Sent, StoreWatch, is_refusal
from device_worker.whatsapp.store import Store, StoreAway, pooled

__all__ = ["CallFailed", "Meaning", "NotRunning", "Sent", "Store", "StoreAway", "StoreWatch", "is_refusal", "pooled"]
