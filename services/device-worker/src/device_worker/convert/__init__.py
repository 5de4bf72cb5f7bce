"""WhatsApp's events as the facts that we publish, and our orders as its messages. Pure; the one place that reads a JID.

Nothing here raises on an odd event: what cannot be understood is either said to be ``unsupported``, so that an agent
sees that there is something, or is no message at all (a key distribution, a poll vote) and gives nothing.
"""

from device_worker.convert.composing import Uploaded, compose
from device_worker.convert.contents import Content, content
from device_worker.convert.observations import PEOPLE, observe, placeholder, typing, unreadable
from device_worker.convert.parts import LONGEST_TEXT, address, jid_parts, parse_address

__all__ = [
    "LONGEST_TEXT",
    "PEOPLE",
    "Content",
    "Uploaded",
    "address",
    "compose",
    "content",
    "jid_parts",
    "observe",
    "parse_address",
    "placeholder",
    "typing",
    "unreadable",
]
