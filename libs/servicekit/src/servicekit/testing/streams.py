"""Taking everything off a NATS server."""

import nats


async def clear(url: str) -> None:
    """Delete every stream with its durables; the buckets are streams too."""
    client = await nats.connect(url, allow_reconnect=False)
    try:
        stream = client.jetstream()
        for info in await stream.streams_info():
            await stream.delete_stream(info.config.name or "")
    finally:
        await client.close()
