"""What realtime reads from its environment."""

from pydantic import Field
from servicekit.settings import WithBus, WithHttp, WithRedis


class RealtimeSettings(WithHttp, WithBus, WithRedis):
    """Realtime's settings; ``http_host`` and ``http_port`` are the sockets' port."""

    internal_port: int = Field(0, ge=0, le=65535, description="the port for /metrics and /health inside the cluster, or 0 for none")
    internal_host: str = Field("127.0.0.1", description="the address that the internal port listens on")
    replay_events: int = Field(50_000, ge=0, description="events that are kept in memory for those who come back")
    replay_bytes: int = Field(64 * 1024 * 1024, ge=0, description="bytes of them")
    replay_limit: int = Field(5_000, ge=0, description="events that one socket may catch up on from the stream")
    socket_queue: int = Field(1024 * 1024, ge=16 * 1024, description="bytes that may wait for a slow socket")
    sockets_max: int = Field(20_000, ge=1, description="sockets that this process takes")
    ping_seconds: float = Field(25, gt=0, description="seconds between two pings")
    drain_seconds: float = Field(3, gt=0, le=60, description="seconds over which sockets are sent elsewhere when the process ends")
    idle_seconds: float = Field(60, gt=0, description="seconds after which a silent socket is closed")
