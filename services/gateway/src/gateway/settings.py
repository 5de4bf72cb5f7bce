"""What the gateway reads from its environment."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from servicekit.settings import WithBus, WithHttp, WithRedis

from gateway.domain import MIB, Limits
from gateway.rates import Rate
from gateway.requests import Network


def _service(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
        raise ValueError("not an address of a service")
    return value.rstrip("/")


def _services(value: str) -> str:
    return ",".join(_service(one.strip()) for one in value.split(","))


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


def _rate(value: str) -> str:
    Rate.read(value)
    return value


RateText = Annotated[str, AfterValidator(_rate)]
ServiceUrls = Annotated[str, AfterValidator(_services)]


#: A developer's machine is one address and one caller, and its tests and benchmarks ask faster than people do.
_DEVELOPMENT_FACTOR = 1000.0


class GatewaySettings(WithHttp, WithBus, WithRedis):
    """The gateway's settings; ``http_host`` and ``http_port`` are the public port.

    Attributes:
        registration: Left out: open in development; in production only for the first account. Auth reads the same.
        limit_factor: Left out: 1 in production, 1000 elsewhere; every rate and the connections are multiplied by it.
    """

    url_auth: ServiceUrls = Field(description="the http:// address of the auth service; of several replicas, by comma")
    url_device_worker: ServiceUrls = Field(description="the http:// address of the device-worker's API; of several replicas, by comma")
    url_conversations: ServiceUrls = Field(description="the http:// address of the conversations service; of several replicas, by comma")
    url_bot: ServiceUrls = Field(description="the http:// address of the bot; of several replicas, by comma")
    url_webhooks: ServiceUrls = Field(description="the http:// address of the webhooks service; of several replicas, by comma")
    url_pipeline: ServiceUrls = Field(description="the http:// address of the pipeline service; of several replicas, by comma")
    url_realtime: ServiceUrls = Field(description="the http:// address of realtime's sockets; of several replicas, by comma")
    http_fd: int | None = Field(
        None, ge=3, description="the number of a socket that this process was started with and that listens already"
    )
    internal_port: int = Field(0, ge=0, le=65535, description="the port for /metrics and /health inside the cluster, or 0 for none")
    internal_host: str = Field("127.0.0.1", description="the address that the internal port listens on")
    panel_dir: Path | None = Field(None, description="the folder with the built panel")
    cors_origins: Annotated[str, AfterValidator(_origins)] = Field(
        "", description="origins such as https://crm.example.com, by comma, or *"
    )
    trusted_proxies: Annotated[str, AfterValidator(_networks)] = Field("", description="networks such as 10.0.0.0/8, by comma")
    registration: Literal["open", "invite", "first", "closed"] | None = Field(None, description="open, invite, first or closed")
    sim_url: str | None = Field(None, description="the address of the loopback network's page; shown in development only")
    mail: bool = Field(False, description="true when mail can be sent")
    access_log: bool = Field(True, description="true for one log line for each request")
    body_limit: int = Field(MIB, ge=1024, description="bytes that a JSON body may have")
    media_limit: int = Field(104 * MIB, ge=1024, description="bytes that an upload may have")
    upstream_timeout: float = Field(30, gt=0, description="seconds that a service may take to answer")
    upstream_connections: int = Field(256, ge=1, description="connections to one service at a time")
    header_timeout: float = Field(10, gt=0, description="seconds that the headers of a request may take")
    body_timeout: float = Field(30, gt=0, description="seconds that a body may take, besides one for each KiB")
    idle_timeout: float = Field(75, gt=0, description="seconds that a connection may idle")

    limits: Literal["on", "off"] = Field("on", description="on or off")
    limit_factor: float | None = Field(None, gt=0, le=1e6, description="a number that every rate is multiplied by")
    limit_connections: int = Field(1000, ge=1, description="connections that one address may have open")
    limit_login: RateText = Field("30/m+30", description="a rate such as 30/m+30: 30 a minute, 30 at once; for each address")
    limit_register: RateText = Field("20/h+20", description="a rate such as 20/h+20, for each address")
    limit_refresh: RateText = Field("5/s+100", description="a rate such as 5/s+100, for each address")
    limit_recover: RateText = Field("30/h+20", description="a rate such as 30/h+20, for each address")
    limit_sends: RateText = Field("20/s+100", description="a rate such as 20/s+100, for each caller; an address has four times as much")
    limit_writes: RateText = Field("20/s+100", description="a rate such as 20/s+100, for each caller; an address has four times as much")
    limit_reads: RateText = Field("50/s+300", description="a rate such as 50/s+300, for each caller; an address has four times as much")

    def bounds(self) -> Limits:
        """Gather the limits of size and time."""
        return Limits(
            body_bytes=self.body_limit,
            media_bytes=self.media_limit,
            upstream_s=self.upstream_timeout,
            head_s=self.header_timeout,
            body_s=self.body_timeout,
            idle_s=self.idle_timeout,
            per_address=int(self.limit_connections * self._factor) if self.limits == "on" else 0,
        )

    def rates(self) -> dict[str, Rate]:
        """Read how often somebody may ask, by class."""
        if self.limits == "off":
            return {}
        texts = {
            "login": self.limit_login,
            "register": self.limit_register,
            "refresh": self.limit_refresh,
            "recover": self.limit_recover,
            "sends": self.limit_sends,
            "writes": self.limit_writes,
            "reads": self.limit_reads,
        }
        return {name: Rate.read(text).times(self._factor) for name, text in texts.items()}

    @property
    def _factor(self) -> float:
        if self.limit_factor is not None:
            return self.limit_factor
        return 1.0 if self.env == "production" else _DEVELOPMENT_FACTOR

    @property
    def policy(self) -> str:
        """Tell who may register."""
        return self.registration or ("first" if self.env == "production" else "open")

    def origins(self) -> list[str]:
        """Read which origins' pages may call."""
        return _names(self.cors_origins)

    def trusted(self) -> tuple[Network, ...]:
        """Read which proxies are believed."""
        return tuple(ip_network(name) for name in _names(self.trusted_proxies))
