"""Which chats are whose, of those that somebody has open or writes in: asked once, then followed by what happens."""

from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec
import structlog
from contracts import asks, ids
from contracts.envelope import Audience
from contracts.ids import ChatId, TenantId
from servicekit.bus import Bus, BusAway

#: Chats that are known at a time, of all accounts.
_KNOWN = 20_000
_ASKED = 100

log = structlog.get_logger()

_answer = msgspec.json.Decoder(asks.ChatsKnown)


class _Names(msgspec.Struct, frozen=True):
    """As much of an event's data as says which chat it is about: a message names it, a chat is it."""

    id: str = ""
    chat_id: str = ""


_names = msgspec.json.Decoder(_Names)


class Chats:
    """Who may see each of the chats that matter at this moment.

    Attributes:
        changed: Called with a chat that others may see than before, after the change.
    """

    def __init__(self, bus: Bus) -> None:
        """Ask over *bus*."""
        self._bus = bus
        self._known: OrderedDict[tuple[TenantId, str], Audience] = OrderedDict()
        self._asked: dict[tuple[TenantId, str], Audience | None] = {}
        self._tenants: dict[TenantId, int] = {}
        self.changed: list[Callable[[TenantId, str], None]] = []

    def of(self, tenant: TenantId, chat: str) -> Audience | None:
        """Tell who may see *chat*; None when it is not known."""
        return self._known.get((tenant, chat))

    def note(self, tenant: TenantId, data: bytes, audience: Audience) -> None:
        """Follow an event about a chat."""
        if tenant not in self._tenants and not self._asked:
            return
        try:
            names = _names.decode(data)
        except msgspec.DecodeError:
            return
        key = (tenant, names.chat_id or names.id)
        if key in self._asked:
            self._asked[key] = audience
        before = self._known.get(key)
        if before is not None and before != audience:
            self._known[key] = audience
            for tell in self.changed:
                tell(*key)

    async def learn(self, tenant: TenantId, chats: Iterable[str]) -> None:
        """Know who may see *chats*, as far as there is somebody to tell."""
        wanted = [chat for chat in dict.fromkeys(chats) if (tenant, chat) not in self._known][:_ASKED]
        named: dict[ChatId, str] = {}
        for chat in wanted:
            try:
                named[ChatId(ids.parse(ids.CHAT, chat))] = chat
            except ValueError:
                continue
        if not named:
            return
        for chat in named.values():
            self._asked.setdefault((tenant, chat), None)
        question = asks.ChatsNamed(tenant=tenant, chats=tuple(named))
        try:
            found = _answer.decode(await self._bus.ask(asks.CHATS, msgspec.json.encode(question), timeout=1.5)).chats
        except (BusAway, msgspec.DecodeError) as problem:
            log.info("chats are not known", reason=type(problem).__name__)
            found = {}
        for id, chat in named.items():
            newer = self._asked.pop((tenant, chat), None)
            if newer is not None or id in found:
                self._keep(tenant, chat, newer or found[id])

    def forget(self) -> None:
        """Know nothing any more: events were missed."""
        self._known.clear()
        self._tenants.clear()

    def _keep(self, tenant: TenantId, chat: str, audience: Audience) -> None:
        if (tenant, chat) not in self._known:
            self._tenants[tenant] = self._tenants.get(tenant, 0) + 1
        self._known[tenant, chat] = audience
        if len(self._known) > _KNOWN:
            (old, _), _ = self._known.popitem(last=False)
            self._tenants[old] -= 1
            if not self._tenants[old]:
                del self._tenants[old]
