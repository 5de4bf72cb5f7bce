"""What the environment says."""

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field
from servicekit.objects import WithObjects
from servicekit.settings import Settings, WithBus, WithCursors, WithDatabase, WithHttp

Seconds = Annotated[timedelta, BeforeValidator(lambda value: int(value) if isinstance(value, str) and value.isdecimal() else value)]
"""A duration as a bare number of seconds, or as ISO 8601."""


class ConversationsSettings(WithHttp, WithDatabase, WithBus, WithCursors, WithObjects, Settings):
    """Read once in `main`."""

    send_expiry: Seconds = Field(
        timedelta(hours=24),
        ge=timedelta(seconds=1),
        le=timedelta(days=7),
        description="the seconds (or ISO 8601 duration) after which a message that could not be sent is not sent any more, up to 7 days",
    )
    consumer_batch: int = Field(300, ge=1, le=500, description="the most facts in one transaction, from 1 to 500")
    consumer_concurrency: int = Field(2, ge=1, le=8, description="the most transactions at the same time, from 1 to 8")
    pending_receipts: Seconds = Field(
        timedelta(days=7),
        ge=timedelta(hours=1),
        le=timedelta(days=90),
        description="the seconds (or ISO 8601 duration) that a tick waits for its message, from an hour to 90 days",
    )
    import_rows: int = Field(
        200_000, ge=1, le=1_000_000, description="the most rows of a list of contacts that is brought in, up to 1000000"
    )
    import_bytes: int = Field(
        32 << 20, ge=1024, le=100 << 20, description="bytes that the file of a list of contacts may have, up to 104857600"
    )
