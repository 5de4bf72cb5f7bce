"""What the environment says."""

from pydantic import Field
from servicekit.settings import Settings, WithBus, WithCursors, WithDatabase, WithHttp


class PipelineSettings(WithHttp, WithDatabase, WithBus, WithCursors, Settings):
    """Read once in `main`."""

    consumer_batch: int = Field(200, ge=1, le=500, description="the most facts in one transaction, from 1 to 500")
