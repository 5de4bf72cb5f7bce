"""The service as tests start it, a caller, and what happens in an account."""

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
from contracts import ids
from contracts.envelope import Audience, Envelope, wrap
from contracts.events.conversations import MessageReceived
from contracts.ids import DeviceId, TenantId
from contracts.views import MessageStatus
from servicekit.bus import Bus
from servicekit.run import Service
from webhooks.main import start
from webhooks.settings import WebhooksSettings


@dataclass
class Caller:
    """An HTTP client of one signed-in caller."""

    url: str
    http: aiohttp.ClientSession
    tenant: TenantId
    headers: dict[str, str]

    async def __call__(self, method: str, path: str, body: Any = None, *, expect: int | None = None, key: str | None = None) -> Any:
        headers = {**self.headers, **({"Idempotency-Key": key} if key else {})}
        async with self.http.request(method, self.url + path, json=body, headers=headers) as response:
            text = await response.text()
            answer = json.loads(text) if text else None
            wanted = expect or {"POST": (200, 201, 202), "DELETE": (204,)}.get(method, (200,))
            assert response.status in (wanted if isinstance(wanted, tuple) else (wanted,)), (response.status, answer)
            return answer

    async def make(self, url: str, **changes: Any) -> dict[str, Any]:
        made: dict[str, Any] = await self("POST", "/api/webhooks", {"url": url, **changes})
        return made

    async def attempts(self, id: str, **filters: str) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={value}" for name, value in filters.items())
        items: list[dict[str, Any]] = (await self("GET", f"/api/webhooks/{id}/attempts?{query}"))["items"]
        return items

    async def deliveries(self, id: str, **filters: str) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={value}" for name, value in filters.items())
        items: list[dict[str, Any]] = (await self("GET", f"/api/webhooks/{id}/deliveries?{query}"))["items"]
        return items


@dataclass
class World:
    """The service, as it was started, and what a test does to it."""

    settings: WebhooksSettings
    bus: Bus
    admin: asyncpg.Connection
    signed_in: Any
    stack: AsyncExitStack
    http: aiohttp.ClientSession
    urls: list[str] = field(default_factory=list)

    async def replica(self, *, lookup: Any = None, tls: Any = None, **changes: Any) -> Callable[[], Awaitable[None]]:
        """Start a replica; what is given back stops it."""
        chosen = self.settings.model_copy(update=changes)
        stack = await self.stack.enter_async_context(AsyncExitStack())

        async def begin(service: Service) -> None:
            self.urls.append(f"http://127.0.0.1:{await start(chosen, service, lookup=lookup, tls=tls)}")

        await stack.enter_async_context(Service("webhooks").running(begin))
        return stack.aclose

    def caller(self, tenant: TenantId | None = None, **how: Any) -> Caller:
        """Somebody signed in; of a new account where none is named."""
        someone = self.signed_in(tenant=tenant, **how)
        return Caller(self.urls[-1], self.http, someone.principal.tenant, someone.headers)

    async def passes(self) -> None:
        """The times for which deliveries and endpoints wait have come."""
        await self.admin.execute("update deliveries set next_at = now() where state = 'waiting'")
        await self.admin.execute("update lanes set due_at = now(), held_until = null")
        await self.admin.execute("select pg_notify('webhooks_due', '')")


def a_message(tenant: TenantId, text: str = "hola", *, device: DeviceId | None = None, chat: Any = None, **changes: Any) -> Envelope[Any]:
    device = device or DeviceId(uuid4())
    body = MessageReceived(
        **{
            "id": ids.public(ids.MESSAGE, ids.new()),
            "chat_id": ids.public(ids.CHAT, chat or ids.new()),
            "device_id": ids.public(ids.DEVICE, device),
            "from_me": False,
            "kind": "text",
            "status": MessageStatus.RECEIVED,
            "at": datetime.now(UTC),
            "text": text,
            **changes,
        }
    )
    return wrap(tenant, body, audience=Audience(device=device))


def event_id(envelope: Envelope[Any]) -> str:
    return ids.public(ids.EVENT, envelope.id)
