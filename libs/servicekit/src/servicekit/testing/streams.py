"""Taking everything off a NATS server."""

import nats
from contracts import buckets, subjects

_KEPT = {*subjects.STREAMS, *(f"KV_{bucket.name}" for bucket in buckets.EVERY)}


async def clear(url: str) -> None:
    """Delete every stream with its durables, the buckets too; one of ours in which nothing ever was is as good as new, and stays."""
    client = await nats.connect(url, allow_reconnect=False)
    try:
        stream = client.jetstream()
        for info in await stream.streams_info():
            name = info.config.name or ""
            if name not in _KEPT or info.state.last_seq or info.state.consumer_count:
                await stream.delete_stream(name)
    finally:
        await client.close()
