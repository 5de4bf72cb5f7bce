"""The durable ``bot-events``: what customers write is answered, and what people do keeps the bot silent.

One batch is one transaction over the tenants of its rows. An envelope has its effect once (the inbox), what is remembered of a chat
is held while it is decided about, and an answer is an order whose id derives from the message and the rule: a repeat is the same one.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
from contracts import envelope as envelopes
from contracts import ids, subjects
from contracts.commands import ChangeChat, WriteMessage
from contracts.envelope import Audience, Envelope, wrap
from contracts.events.auth import AccountChanged, AccountRegistered
from contracts.events.bot import ChatSwitched
from contracts.events.conversations import (
    ChatChanged,
    ChatCreated,
    ContactErased,
    HoursChanged,
    MessageConfirmed,
    MessageQueued,
    MessageReceived,
)
from contracts.events.devices import DeviceChanged, DeviceDeleted
from contracts.events.privacy import BotErased
from contracts.hours import zone
from contracts.ids import ChatId, DeviceId, TenantId, UserId
from prometheus_client import Counter as Metric
from servicekit import inbox, outbox
from servicekit.bus import Consumer
from servicekit.db import Database, raw

from bot import compiled
from bot.compiled import Cache, Compiled
from bot.domain.decide import LATE, Decision, Incoming, Why, decide, pause
from bot.domain.state import State
from bot.store import chats, facts, figures
from bot.store.chats import Chat, Key, Waiting

DURABLE = "bot-events"
FACTS = (AccountRegistered, AccountChanged, DeviceChanged, DeviceDeleted, HoursChanged)
CHATS = (ChatCreated, ChatChanged, MessageReceived, MessageQueued, MessageConfirmed)
#: Who answers a customer, so that the bot must be silent: a person in the panel or on the number's phone, or a program of the account.
HUMAN = frozenset({"user", "key", "phone"})
#: One answer after the other.
APART = timedelta(milliseconds=200)
#: After the last word is on its way.
CLOSING = timedelta(seconds=2)

DECIDED = Metric("clarin_bot_decisions_total", "Messages of customers, by why the bot answered or was silent.", ["why"])


def consumer(db: Database, *, batch: int, wake: Callable[[], None] = lambda: None) -> Consumer:
    """Describe the durable; *wake* is called when answers wait for their moment."""
    return Consumer(
        durable=DURABLE, stream=subjects.EVENTS, bodies=(*FACTS, *CHATS, ContactErased), handle=handler(db, wake=wake), batch=batch
    )


def handler(
    db: Database, *, wake: Callable[[], None] = lambda: None, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Callable[[Sequence[Envelope[Any]]], Awaitable[None]]:
    """Give the handler of a batch in stream order, for any number of tenants."""
    cache = Cache()

    async def handle(envelopes: Sequence[Envelope[Any]]) -> None:
        async with db.transaction({one.tenant for one in envelopes}) as tx:
            c = await raw(tx)
            new = await inbox.fresh(tx, DURABLE, envelopes)
            await _learn(c, new)
            erased = {(one.tenant, id) for one in new if isinstance(one.data, ContactErased) for id in _chats(one.data)}
            await outbox.add(tx, *[await _erase(c, one) for one in new if isinstance(one.data, ContactErased)])
            concerned = [(_key(one), one) for one in new if isinstance(one.data, CHATS)]
            concerned = [(key, one) for key, one in concerned if key not in erased]
            if not concerned:
                return
            tenants = {one.tenant for _, one in concerned}
            batch = Batch(await cache.get(c, tenants), await facts.accounts(c, tenants), clock())
            batch.chats = await chats.load(c, {key for key, _ in concerned})
            for key, one in concerned:
                batch.apply(key, one)
            await chats.save(c, [batch.chats[key] for key in batch.changed])
            await chats.hush(c, batch.hushed)
            await chats.wait(c, batch.waiting)
            await figures.count(c, batch.counted)
            await figures.remember(c, batch.phrases)
            await outbox.add(tx, *batch.told)
        for why, count in batch.whys.items():
            DECIDED.labels(why.value).inc(count)
        if batch.waiting:
            wake()

    return handle


async def _learn(c: Any, new: Sequence[Envelope[Any]]) -> None:
    for one in new:
        match one.data:
            case AccountChanged() | AccountRegistered():
                await facts.learn_account(c, one.tenant, one.data)
            case DeviceChanged():
                await facts.learn_device(c, one.tenant, DeviceId(ids.parse(ids.DEVICE, one.data.id)), one.data)
            case DeviceDeleted():
                await facts.forget_device(c, one.tenant, DeviceId(ids.parse(ids.DEVICE, one.data.id)))
            case HoursChanged():
                await facts.learn_hours(c, one.tenant, one.data)


def _chats(fact: ContactErased) -> list[ChatId]:
    return [ChatId(ids.parse(ids.CHAT, id)) for id in fact.chat_ids]


async def _erase(c: Any, one: Envelope[Any]) -> Envelope[BotErased]:
    erasure = ids.parse(ids.ERASURE, one.data.erasure_id)
    removed = await chats.forget(c, one.tenant, _chats(one.data)) + await figures.forget_rare(c, one.tenant)
    return wrap(one.tenant, BotErased(erasure=erasure, removed=removed), id=ids.derived("erased", "bot", erasure))


def _key(one: Envelope[Any]) -> Key:
    data = one.data
    return one.tenant, ChatId(ids.parse(ids.CHAT, data.id if isinstance(data, ChatCreated | ChatChanged) else data.chat_id))


class Batch:
    """What one transaction makes of its facts."""

    def __init__(self, bots: dict[TenantId, Compiled], accounts: dict[TenantId, facts.Account], now: datetime) -> None:
        self._bots, self._accounts, self._now = bots, accounts, now
        self.chats: dict[Key, Chat] = {}
        self.changed: dict[Key, None] = {}
        self.hushed: set[Key] = set()
        self.waiting: list[Waiting] = []
        self.told: list[Envelope[Any]] = []
        self.counted: Counter[figures.Line] = Counter()
        self.phrases: dict[tuple[TenantId, str], tuple[int, datetime]] = {}
        self.whys: Counter[Why] = Counter()

    def apply(self, key: Key, one: Envelope[Any]) -> None:
        """The fact *one* about the chat *key* holds."""
        data = one.data
        chat = self.chats.get(key)
        if chat is None:
            device = DeviceId(ids.parse(ids.DEVICE, data.device_id))
            chat = self.chats[key] = Chat(tenant=one.tenant, id=key[1], device=device)
        match data:
            case ChatCreated() | ChatChanged():
                self._stands(chat, data)
            case MessageReceived() if not data.from_me:
                self._answer(chat, one)
            case MessageReceived():
                self._human(chat, data.at, data.id)
            case MessageQueued() if (data.origin or "user") in HUMAN:
                self._human(chat, data.at, data.id)
            case MessageConfirmed() if data.replaces is not None and chat.state.paused_by == data.replaces and data.origin not in HUMAN:
                # What looked as if typed on the phone was our own message, seen before its order was known to be done.
                self._set(chat, chat.state.resumed(), at=data.at, reason="human")

    def _stands(self, chat: Chat, data: ChatCreated | ChatChanged) -> None:
        state = chat.state
        if data.revision <= state.revision:
            return
        chat.team = None if data.team_id is None else ids.parse(ids.TEAM, data.team_id)
        chat.assignee = None if data.assignee_id is None else UserId(ids.parse(ids.USER, data.assignee_id))
        fresh = isinstance(data, ChatCreated) and state.revision < 0 and state.seen_at is None and state.paused_at is None
        state = msgspec.structs.replace(state, revision=data.revision, fresh=state.fresh or fresh)
        if data.status == "closed" and (state.paused_at is None or state.paused_at <= data.at):
            self._set(chat, state.closed(), at=data.at, reason="closed")
        else:
            self._set(chat, state, at=data.at)

    def _human(self, chat: Chat, at: datetime, message: str) -> None:
        bot, _ = self._bots[chat.tenant].at(chat.device)
        state = chat.state.paused(at, pause(bot), message)
        self.hushed.add((chat.tenant, chat.id))
        self._set(chat, msgspec.structs.replace(state, fresh=False), at=at, reason="human")

    def _answer(self, chat: Chat, one: Envelope[Any]) -> None:
        data: MessageReceived = one.data
        account = self._accounts[chat.tenant]
        setting = compiled.setting(self._bots[chat.tenant], account, chat.device, chat.team)
        if account.suspended:
            return
        said = Incoming(at=data.at, text=data.text, name=data.sender_name, history=data.history, group=data.group)
        before = chat.state.answered_at
        done = decide(setting, chat.state, said, self._now)
        self.whys[done.why] += 1
        reason: Literal["handed-over", "loop"] = "loop" if done.why is Why.LOOP else "handed-over"
        self._set(chat, done.state, at=data.at, reason=reason)
        if done.why in (Why.HISTORY, Why.GROUP, Why.OFF):
            return
        due = self._now + timedelta(seconds=done.delay)
        # Not before what was said last, which may still wait for its moment.
        self._order(chat, one, done, due if before is None else max(due, before + APART))
        day = data.at.astimezone(zone(account.time_zone)).date()
        self.counted[chat.tenant, day, chat.device, done.why.value, done.rule or ""] += 1
        if done.action is not None and done.action.hand_over:
            self.counted[chat.tenant, day, chat.device, "handed-over", done.rule or ""] += 1
        if done.unknown is not None and len(done.unknown) <= figures.PHRASE_MAX:
            count, at = self.phrases.get((chat.tenant, done.unknown), (0, data.at))
            self.phrases[chat.tenant, done.unknown] = count + 1, max(at, data.at)

    def _order(self, chat: Chat, one: Envelope[Any], done: Decision, due: datetime) -> None:
        if done.speaks:
            said = WriteMessage(
                chat=chat.id,
                origin="bot",
                text=done.text,
                media=None if done.media is None else UUID(done.media),
                not_after=due + LATE,
                unless_answered_since=one.data.at,
            )
            self._wait(chat, one, done, "say", said, due)
        if done.action is not None:
            change = ChangeChat(
                chat=chat.id,
                origin="bot",
                status="closed" if done.action.close else None,
                team=done.action.team_id,
                hand_over=done.action.hand_over,
                add_tags=done.action.tag_ids,
            )
            self._wait(chat, one, done, "do", change, due + CLOSING if done.action.close else self._now)

    def _wait(self, chat: Chat, one: Envelope[Any], done: Decision, what: str, order: WriteMessage | ChangeChat, due: datetime) -> None:
        id = ids.derived("bot", one.id, done.rule or "", what)
        payload = envelopes.encode(wrap(chat.tenant, order, id=id, trace=one.trace))
        self.waiting.append(Waiting(tenant=chat.tenant, id=id, chat=chat.id, due_at=due, payload=payload))

    def _set(
        self,
        chat: Chat,
        state: State,
        *,
        at: datetime,
        reason: Literal["human", "handed-over", "loop", "asked", "closed"] | None = None,
    ) -> None:
        """The chat's state is *state*; where the bot fell silent or speaks again, that is told."""
        before, chat.state = chat.state, state
        key = chat.tenant, chat.id
        self.changed[key] = None
        if reason is not None and before.silent(at) != state.silent(at):
            self.told.append(switched(chat, silent=state.silent(at), reason=reason))


def switched(chat: Chat, *, silent: bool, reason: Literal["human", "handed-over", "loop", "asked", "closed"]) -> Envelope[ChatSwitched]:
    """Say that the bot fell silent in *chat*, or speaks again."""
    body = ChatSwitched(id=ids.public(ids.CHAT, chat.id), device_id=ids.public(ids.DEVICE, chat.device), silent=silent, reason=reason)
    return wrap(chat.tenant, body, audience=Audience(device=chat.device, team=chat.team, assignee=chat.assignee))
