"""What the environment says."""

from pydantic import Field, field_validator
from servicekit.settings import Settings, WithBus, WithCursors, WithDatabase, WithHttp
from servicekit.vault import WithVault

from webhooks.domain.addresses import Allowed


class WebhooksSettings(WithHttp, WithDatabase, WithBus, WithCursors, WithVault, Settings):
    """Read once in `main`."""

    webhook_allow: str = Field(
        "", description="networks and hosts inside that webhooks may go to, by comma, such as 10.0.0.0/8,n8n,*.internal"
    )
    webhook_lanes: int = Field(200, ge=1, le=5000, description="endpoints that one process sends to at a time, from 1 to 5000")
    webhook_kept_days: int = Field(14, ge=1, le=90, description="days that deliveries and their attempts can be looked up, from 1 to 90")
    webhook_timeout: float = Field(15, gt=0, le=60, description="seconds that an endpoint has to answer, up to 60")

    @field_validator("webhook_allow")
    @classmethod
    def _is_a_list(cls, value: str) -> str:
        Allowed.of(value)
        return value

    @property
    def allowed(self) -> Allowed:
        """Give what may be sent to besides the public internet."""
        return Allowed.of(self.webhook_allow)
