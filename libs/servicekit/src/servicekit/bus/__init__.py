"""The bus: NATS JetStream for facts and orders, core NATS for what may be lost, and its key-value buckets.

bus.py          Bus: publish, shout, listen, answer, ask, bucket, consumer, ordered
consumer.py     Consumer: batches, acks, retries, dead letters        fair.py   every tenant its turn
pull.py         the continuous pull below it                          dlq.py    reading and replaying dead letters
publisher.py    many acks in flight                                   ordered.py  a stream in order, for sockets
keyvalue.py     compare-and-set, watch                                streams.py  declare
connection.py   the only connection                                   permissions.py  who may do what
queues.py       how far every durable is                              bare.py  nats, and no more
"""

from servicekit.bus import bare  # noqa: F401  (first: see there)

# isort: split
from servicekit.bus import dlq
from servicekit.bus.bus import Bus, StreamState, Subscription
from servicekit.bus.consumer import Consumer
from servicekit.bus.errors import BusAway, BusRefused, KeyMoved, WrongPassword
from servicekit.bus.keyvalue import Entry, KeyValue, Watch
from servicekit.bus.ordered import Fact, Ordered
from servicekit.bus.permissions import permissions
from servicekit.bus.publisher import Item
from servicekit.bus.queues import Queue, queues
from servicekit.bus.streams import declare

__all__ = [
    "Bus",
    "BusAway",
    "BusRefused",
    "Consumer",
    "Entry",
    "Fact",
    "Item",
    "KeyMoved",
    "KeyValue",
    "Ordered",
    "Queue",
    "StreamState",
    "Subscription",
    "Watch",
    "WrongPassword",
    "declare",
    "dlq",
    "permissions",
    "queues",
]
