"""What the gateway reads from its environment."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from servicekit.settings import WithBus, WithHttp

from gateway.domain import MIB, Limits
from gateway.requests import Network


def _service(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
        raise ValueError("not an address of a service")
    return value.rstrip("/")


def _names(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _origins(value: str) -> str:
    for origin in _names(value):
        parts = urlsplit(origin)
        if origin != "*" and (parts.scheme not in ("http", "https") or not parts.netloc or f"{parts.scheme}://{parts.netloc}" != origin):
            raise ValueError("not origins")
    return value


def _networks(value: str) -> str:
    for name in _names(value):
        ip_network(name)
    return value


ServiceUrl = Annotated[str, AfterValidator(_service)]


class GatewaySettings(WithHttp, WithBus):
    """The gateway's settings; ``http_host`` and ``http_port`` are the public port."""

    url_auth: ServiceUrl = Field(description="the http:// address of the auth service")
    url_device_worker: ServiceUrl = Field(description="the http:// address of the device-worker's API")
    url_conversations: ServiceUrl = Field(description="the http:// address of the conversations service")
    url_realtime: ServiceUrl = Field(description="the http:// address of realtime's sockets")
    internal_port: int = Field(0, ge=0, le=65535, description="the port for /metrics and /health inside the cluster, or 0 for none")
    internal_host: str = Field("127.0.0.1", description="the address that the internal port listens on")
    panel_dir: Path | None = Field(None, description="the folder with the built panel")
    cors_origins: Annotated[str, AfterValidator(_origins)] = Field(
        "", description="origins such as https://crm.example.com, by comma, or *"
    )
    trusted_proxies: Annotated[str, AfterValidator(_networks)] = Field("", description="networks such as 10.0.0.0/8, by comma")
    registration: Literal["open", "invite", "closed"] = Field("open", description="open, invite or closed")
    sim_url: str | None = Field(None, description="the address of the loopback network's page; shown in development only")
    mail: bool = Field(False, description="true when mail can be sent")
    access_log: bool = Field(True, description="true for one log line for each request")
    body_limit: int = Field(MIB, ge=1024, description="bytes that a JSON body may have")
    media_limit: int = Field(64 * MIB, ge=1024, description="bytes that an upload may have")
    upstream_timeout: float = Field(30, gt=0, description="seconds that a service may take to answer")
    upstream_connections: int = Field(256, ge=1, description="connections to one service at a time")
    header_timeout: float = Field(10, gt=0, description="seconds that the headers of a request may take")
    body_timeout: float = Field(30, gt=0, description="seconds that a body may take, besides one for each KiB")
    idle_timeout: float = Field(75, gt=0, description="seconds that a connection may idle")

    def limits(self) -> Limits:
        """Gather the limits."""
        return Limits(
            body_bytes=self.body_limit,
            media_bytes=self.media_limit,
            upstream_s=self.upstream_timeout,
            head_s=self.header_timeout,
            body_s=self.body_timeout,
            idle_s=self.idle_timeout,
        )

    def origins(self) -> list[str]:
        """Read which origins' pages may call."""
        return _names(self.cors_origins)

    def trusted(self) -> tuple[Network, ...]:
        """Read which proxies are believed."""
        return tuple(ip_network(name) for name in _names(self.trusted_proxies))
