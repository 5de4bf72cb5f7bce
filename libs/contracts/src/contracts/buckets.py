"""The key-value buckets of the bus, by name, with what stands in them."""

from datetime import timedelta

import msgspec


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """One bucket; an entry dies *ttl* after it was last written (None: never)."""

    name: str
    ttl: timedelta | None = None
    writer: str


#: Public signing keys as JWK, by key id. Written by auth, watched by everyone who verifies a token.
KEYS = Bucket(name="keys", writer="auth")

#: The lowest token version that is still good, by user; kept longer than an access token lives.
VERSIONS = Bucket(name="versions", ttl=timedelta(minutes=15), writer="auth")

#: What of its account a user or an API key sees (`contracts.principal.Access`), by its id; whoever sees all has no entry.
ACCESS = Bucket(name="access", writer="auth")

#: The owner of each shard, with its fencing token, by shard number.
SHARDS = Bucket(name="shards", ttl=timedelta(seconds=15), writer="device-worker")

#: Every live device-worker, by its id.
WORKERS = Bucket(name="workers", ttl=timedelta(seconds=15), writer="device-worker")

#: What the installation's owner orders of the workers, by ``worker.<id>`` and ``shard.<number>``: it outlives them.
PLACEMENT = Bucket(name="placement", writer="device-worker")

#: Under one key, when the next session of the whole installation may connect.
CONNECTS = Bucket(name="connects", ttl=timedelta(minutes=10), writer="device-worker")

#: Who is there, by ``<tenant>.<user>.<replica of realtime>`` (bare UUIDs): `contracts.presence.Present`, written when it changes and
#: now and then; it holds while the replica lives. Read by the assigner.
PRESENCE = Bucket(name="presence", ttl=timedelta(minutes=15), writer="realtime")

#: Every live replica of realtime, by its id.
REPLICAS = Bucket(name="replicas", ttl=timedelta(seconds=15), writer="realtime")

EVERY: tuple[Bucket, ...] = (KEYS, VERSIONS, ACCESS, SHARDS, WORKERS, PLACEMENT, CONNECTS, PRESENCE, REPLICAS)
