"""What the two processes of this service read from the environment."""

from pathlib import Path

from pydantic import Field
from servicekit.objects import WithObjects
from servicekit.settings import PostgresUrl, WithBus, WithCursors, WithData, WithDatabase, WithHttp
from servicekit.vault import WithVault


class ApiSettings(WithHttp, WithDatabase, WithBus, WithCursors, WithVault):
    """The API: any number of replicas."""

    private_proxies: bool = Field(
        False, description="true or false: whether a number's proxy may stand in a private network (outside production it may)"
    )


class WorkerSettings(WithHttp, WithBus, WithData, WithVault, WithObjects):
    """A worker: holds sessions. It works as the system role alone."""

    system_database_url: PostgresUrl = Field(repr=False, description="a postgresql:// address, with the role that ends in _system")
    database_pool: int = Field(10, ge=2, le=200, description="a number of connections from 2 to 200")
    whatsapp_database_url: PostgresUrl = Field(repr=False, description="a postgresql:// address: whatsmeow's own database")
    whatsapp_pooler_url: PostgresUrl | None = Field(
        None, repr=False, description="a postgresql:// address: PgBouncer in transaction mode before that database; without it, directly"
    )
    worker_id: str | None = Field(
        None, min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._-]+$", description="a name that this worker keeps, such as its pod's"
    )
    sessions_max: int = Field(400, ge=1, le=5000, description="a number of sessions that one worker holds")
    connects_at_once: int = Field(8, ge=1, le=100, description="a number of sessions of one worker that connect at the same time")
    connects_per_second: float = Field(20, gt=0, le=1000, description="a number of sessions of all workers that connect in a second")
    drain_seconds: int = Field(50, ge=1, le=3600, description="seconds that a worker that ends may take to hand its sessions over")
    recycle_memory_mb: int = Field(
        0, ge=0, description="megabytes of worker and host above which the worker is started anew; 0: most of what its container may take"
    )
    recycle_files: int = Field(0, ge=0, description="open files above which the worker is started anew; 0: most of what it may open")
    recycle_minutes: float = Field(10, ge=0, description="minutes before which no worker is started anew for its size")
    pairings_max: int = Field(16, ge=1, le=100, description="a number of pairings that one worker has under way")
    journal_bytes: int = Field(128 << 20, ge=1 << 16, description="bytes that the journal of inbound events may take")
    downloads_at_once: int = Field(4, ge=1, le=50, description="a number of files that are fetched at the same time")
    history_messages: int = Field(50, ge=0, le=1000, description="a number of old messages that are taken over from each chat")
    groups: bool = Field(False, description="true or false: whether groups are shown")
    journal_segment_bytes: int = Field(16 << 20, ge=1 << 12, description="bytes of one file of the journal")

    @property
    def journal_folder(self) -> Path:
        """Where the journals of every incarnation stand."""
        return self.data_dir / "journal"
