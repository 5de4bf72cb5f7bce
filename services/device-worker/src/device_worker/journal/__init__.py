"""What WhatsApp has told and the bus does not have yet, on the worker's own disk: the host writes it, the worker reads it.

WhatsApp counts a message as delivered before Python sees it, so the callback does one thing: it appends the raw event
here and returns. From then on a ``kill -9`` loses nothing (the operating system has the bytes), and after the next
group fsync, at most 20 ms later, neither does a power cut.

    <data>/journal/<incarnation>/lock                 flocked by the process that writes there, while it lives
    <data>/journal/<incarnation>/00000001.segment     preallocated; header, then records one after the other

A record counts from when its checksum fits. Publishing advances a mark in the segment's header, after the bus has
acknowledged; a crash between the two publishes again, and the message's own id makes that the same fact.
"""

from device_worker.journal.files import Journal, Leftover, Reader, Record, last, leftovers
from device_worker.journal.pump import Pump

__all__ = ["Journal", "Leftover", "Pump", "Reader", "Record", "last", "leftovers"]
