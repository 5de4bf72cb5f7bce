"""Holding shards: the leases in the bus's bucket, kept by compare-and-set, given up in time.

The accident to prevent is two workers with the same session. So a lease is renewed every 2 s and dies in the bucket after
15; a worker whose oldest lease has not been renewed for 12 s ends itself, from a thread of its own, because the event loop
may be what hangs. The age counts from before the request, on a clock that goes on while the machine sleeps. And what a
worker writes for a shard carries the fencing token of its claim, which the database checks (`store.fences`).

A restart does not wait for those 15 s. A worker keeps its name on its volume, and holds a lock there while it lives; who
has the lock knows that the former process of that name is dead, and takes its leases back at once.

What is given away goes in small groups, each shard on its own: its sessions stop, its lease is deleted, and the next
owner, who watches the bucket, has it in the same moment. When its sessions are up again he says so in his lease, and the
next shards leave; the rest goes on until its turn comes.
"""

from device_worker.leases.keeping import Leases
from device_worker.leases.load import Load, Weightless
from device_worker.leases.view import LIVES, View, worker_key
from device_worker.leases.volume import VolumeTaken, own_volume

__all__ = ["LIVES", "Leases", "Load", "View", "VolumeTaken", "Weightless", "own_volume", "worker_key"]
