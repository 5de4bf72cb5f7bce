"""What is set of a number."""

import asyncio
import ipaddress
import socket
from datetime import UTC, datetime, time
from typing import Annotated, Any
from urllib.parse import urlsplit

from contracts.ids import DeviceId
from fastapi import APIRouter
from pydantic import Field, JsonValue, StringConstraints, ValidationError
from servicekit.http import Admin, Body, Caller, Doer, problems, state
from servicekit.vault import Vault, WrongEncryptionKey

from device_worker.api.parts import Db, Safe, Seen
from device_worker.domain import Device, DeviceMissing, DeviceSettings, ProxyInvalid, SettingsInvalid, WarmUpStage, proxy_label
from device_worker.domain.settings import proxy_address, proxy_shown
from device_worker.store import devices, sends

_ERRORS = 20

PrivateProxies = Annotated[bool, state("private_proxies")]

routes = APIRouter()


class DeviceSettingsView(DeviceSettings):
    """All that is set.

    Attributes:
        proxy: Its address without user and password; null: the session goes straight.
    """

    proxy: str | None


class QuietChange(Body):
    """The hours in which nothing is sent; an end before the start is on the next day."""

    start: time | None = Field(None, examples=["21:00"])
    end: time | None = Field(None, examples=["08:00"])
    answers: bool | None = Field(None, description="Who wrote within the last 24 hours is answered all the same.")
    time_zone: str | None = Field(None, max_length=60, description="Another one than the account's.")


class PaceChange(Body):
    """What of the pace is to be changed."""

    enabled: bool | None = Field(None, description="False: it sends as fast as it goes, and nothing waits.")
    per_minute: int | None = Field(None, description="Messages a minute in the long run, 1 to 600.")
    burst: int | None = Field(None, description="Messages that may go at once after a rest, 1 to 300.")
    gap_min_ms: int | None = Field(None, description="The shortest pause between two messages, 0 to 60000.")
    gap_max_ms: int | None = Field(None, description="The longest; each is drawn between both.")
    typing: bool | None = Field(None, description="Show that somebody types before a text is sent.")
    new_contacts_per_day: int | None = Field(None, description="People who never heard of this number, 0 to 10000 a day.")
    warm_up: list[WarmUpStage] | None = Field(
        None, max_length=60, description="What holds on the first days, one stage a day; empty: nothing."
    )
    quiet: QuietChange | None = Field(None, description="Null: there are no quiet hours.")


class ReceiveChange(Body):
    """What it takes in besides the chats with people."""

    groups: bool | None = Field(None, description="Null: as the installation has it.")
    status: bool | None = None
    channels: bool | None = None


class PresenceChange(Body):
    """Whether people see each other write."""

    customers: bool | None = Field(
        None,
        description="Agents see that a customer writes. For that the number is shown as online while somebody has one of its chats "
        "open, and meanwhile its own phone is not notified.",
    )
    agents: bool | None = Field(None, description="A customer sees that an agent writes.")


class DeviceSettingsChange(Body):
    """What is to be changed; what is left out stays as it is."""

    pace: PaceChange | None = None
    receive: ReceiveChange | None = None
    presence: PresenceChange | None = None
    shown_as: str | None = Field(None, max_length=30, description="How the linked device is called on the phone, from the next pairing on.")
    labels: list[str] | None = Field(None, max_length=20, examples=[["ventas", "norte"]])
    metadata: dict[str, JsonValue] | None = Field(None, description="At most 4096 bytes of JSON; it replaces what was there.")
    proxy: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = Field(
        None,
        repr=False,
        description="http://, https:// or socks5://, with user and password where they are needed; null: none.",
        examples=["socks5://user:password@proxy.example.com:1080"],
    )


def _view(device: Device, vault: Vault) -> DeviceSettingsView:
    shown = None
    if device.proxy is not None:
        try:
            shown = proxy_shown(vault.open(device.proxy, what=proxy_label(device.id)).decode())
        except WrongEncryptionKey:
            shown = "•••"
    return DeviceSettingsView(**device.settings.model_dump(), proxy=shown)


@routes.get("/{id}/settings", responses=problems(DeviceMissing))
async def read_settings(id: Seen, caller: Caller, db: Db, vault: Safe) -> DeviceSettingsView:
    """Show what is set of a number: its pace, what it takes in, its proxy, labels and metadata."""
    async with db.transaction(caller.tenant) as tx:
        return _view(await devices.find(tx, caller.tenant, id), vault)


@routes.patch("/{id}/settings", responses=problems(DeviceMissing, SettingsInvalid, ProxyInvalid))
async def change_settings(
    id: Seen, body: DeviceSettingsChange, caller: Admin, doer: Doer, db: Db, vault: Safe, private: PrivateProxies
) -> DeviceSettingsView:
    """Set something of a number. It holds at once: a changed proxy takes the session over, a looser pace lets go what waits."""
    changes = body.model_dump(exclude_unset=True, exclude={"proxy"})
    if body.proxy is not None:
        await _reachable(proxy_address(body.proxy), private)
    async with db.transaction(caller.tenant) as tx:
        device = await devices.lock(tx, caller.tenant, id)
        settings = _changed(device.settings, changes)
        proxy = _sealed(body.proxy, id, vault) if "proxy" in body.model_fields_set else device.proxy
        after = device.configure(settings, proxy, datetime.now(UTC))
        if after is not device:
            await devices.save(tx, device, after)
            await devices.ordered(tx, after, "configure", doer)
            await sends.release(tx, caller.tenant, id)
        return _view(after, vault)


def _changed(settings: DeviceSettings, changes: dict[str, Any]) -> DeviceSettings:
    empty = {name: None for name in ("pace", "receive", "presence") if name in changes and changes[name] is None}
    for name in (*empty, *(name for name in ("labels", "metadata") if name in changes and changes[name] is None)):
        del changes[name]  # null means: as it always was
        settings = settings.model_copy(update={name: getattr(DeviceSettings(), name)})
    try:
        return settings.changed(**changes)
    except ValidationError as error:
        found = [
            {"at": ".".join(map(str, one["loc"])), "message": one["msg"].removeprefix("Value error, ")} for one in error.errors()[:_ERRORS]
        ]
        raise SettingsInvalid("See errors.", errors=found) from None


def _sealed(proxy: str | None, id: DeviceId, vault: Vault) -> bytes | None:
    return None if proxy is None else vault.seal(proxy.encode(), what=proxy_label(id))


async def _reachable(proxy: str, private: bool) -> None:
    """Make sure that a proxy is out in the world: within, there are servers that no account must reach.  Raises: ProxyInvalid."""
    if private:
        return
    parts = urlsplit(proxy)
    try:
        async with asyncio.timeout(5):
            found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        raise ProxyInvalid("Nobody knows this host.") from None
    if not found or not all(ipaddress.ip_address(address[4][0]).is_global for address in found):
        raise ProxyInvalid("This host is inside of a private network.")
