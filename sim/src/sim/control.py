"""The control API: what people do with phones, and what WhatsApp does to sessions, as JSON over HTTP on loopback.

Every answer waits until what it tells is committed.  A refusal is `{code, detail, status}`: 404 for a phone that does not exist,
409 for what cannot be now, 422 for what makes no sense.
"""

from __future__ import annotations

import mimetypes
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from aiohttp import BodyPartReader, web

from sim import content
from sim.blocks import BlockControl
from sim.directory import Companion, Phone, clean
from sim.groupcontrol import GroupControl, group_of, within
from sim.media import MediaBroken
from sim.network import Network
from sim.nodes import GROUP
from sim.orders import Ban, Batch, Change, Code, Corrupt, Kinds, NewPhone, Prekeys, Release, Scan, State, Tick, Typing, Write
from sim.problems import Problem, answer_problems

T = TypeVar("T")
_PAGE = Path(__file__).parent / "page"
_MAX_BODY = 128 << 20
_MAX_WAIT = 60.0
_LIMIT = 1000
_encoder = msgspec.json.Encoder()


async def read(request: web.Request, type: type[T]) -> T:
    """The body as *type*; an empty body as an empty object.  Raises: msgspec's errors."""
    return msgspec.json.decode(await request.read() or b"{}", type=type)


def number_in(request: web.Request, name: str, default: float) -> float:
    """A non-negative number of the query.  Raises: Problem."""
    try:
        value = float(request.query.get(name, default))
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e15:
        raise Problem(422, "bad-query", f"{name} is a number, 0 or more.")
    return value


class Control:
    """The handlers, over one network."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.traffic = network.traffic
        self._began = time.monotonic()

    def application(self) -> web.Application:
        """Every route."""
        application = web.Application(client_max_size=_MAX_BODY, middlewares=[answer_problems])
        route = application.router
        phone = "/phones/{number}"
        route.add_post("/phones", self.create)
        route.add_get("/phones", self.list)
        route.add_get(phone, self.get)
        route.add_patch(phone, self.change)
        route.add_post(phone + "/scan", self.scan)
        route.add_post(phone + "/code", self.code)
        route.add_post(phone + "/messages", self.write)
        route.add_post(phone + "/typed", self.write)
        route.add_post(phone + "/media", self.media)
        route.add_post(phone + "/kinds", self.kinds)
        route.add_get(phone + "/media/{id}", self.file)
        route.add_get(phone + "/inbox", self.inbox)
        route.add_get(phone + "/receipts", self.receipts)
        route.add_post(phone + "/receipts", self.tick)
        route.add_get(phone + "/chats/{other}", self.chat)
        route.add_post(phone + "/typing", self.typing)
        route.add_post(phone + "/corrupt", self.corrupt)
        route.add_post(phone + "/hold", self.hold_phone)
        route.add_post(phone + "/release", self.release_phone)
        route.add_post("/messages", self.batch)
        GroupControl(self).add_to(route)
        BlockControl(self).add_to(route)
        session = "/sessions/{number}"
        route.add_post(session + "/drop", self._on_sessions(self.network.drop))
        route.add_post(session + "/unheard", self._on_sessions(self.network.unheard))
        route.add_post(session + "/replace", self._on_sessions(self.network.replace))
        route.add_post(session + "/logout", self._on_sessions(self.network.logout))
        route.add_post(session + "/ban", self.ban)
        route.add_post(session + "/hold", self.hold_sessions)
        route.add_post(session + "/release", self.release_sessions)
        route.add_post(session + "/prekeys", self.prekeys)
        route.add_post("/network", self.set_network)
        route.add_get("/stats", self.stats)
        route.add_get("/events", self.events)
        route.add_get("/", self.page)
        route.add_static("/page/", _PAGE)
        return application

    # -- phones

    def phone(self, number: str) -> Phone:
        """Raises: Problem."""
        found = self.network.directory.phones.get(number)
        if found is None:
            raise Problem(404, "no-phone", "There is no phone with this number.")
        return found

    def asked(self, request: web.Request) -> Phone:
        """The phone of the path.  Raises: Problem, NotANumber."""
        return self.phone(clean(request.match_info["number"]))

    def recipient(self, number: str) -> Phone:
        """The phone that a message is for.  Raises: Problem, NotANumber."""
        found = self.network.directory.phones.get(clean(number))
        if found is None:
            raise Problem(404, "not-on-whatsapp", "The number it is for is not on WhatsApp: there is no phone with it.")
        return found

    async def reply(self, body: Any, status: int = 200) -> web.Response:
        """*body* once all is committed."""
        await self.network.db.committed()
        return web.Response(body=_encoder.encode(body), status=status, content_type="application/json")

    def describe(self, phone: Phone) -> dict[str, Any]:
        """A phone and its sessions, as they are told; *unread* are the messages that it has asked for again and not got."""
        sessions = [
            {"device": c.device, "connected": c.connection is not None, "waiting": len(c.queue), "prekeys": c.stock}
            for c in phone.companions.values()
        ]
        return {
            "number": phone.number,
            "lid": phone.lid,
            "name": phone.name,
            "auto_receipts": phone.auto_receipts,
            "address": phone.address,
            "presence": phone.presence,
            "typing": dict(phone.typing),
            "inbox": phone.received,
            "receipts": phone.seen,
            "banned": phone.banned_until > time.time(),
            "blocked": sorted(phone.blocked),
            "unread": sorted(key.partition("/")[2] for key in phone.tries),
            "sessions": sessions,
        }

    async def create(self, request: web.Request) -> web.Response:
        """POST /phones: a new phone."""
        body = await read(request, NewPhone)
        number = clean(body.number)
        phone = self.network.directory.create(number, body.name or f"+{number}")
        return await self.reply(self.describe(phone), 201)

    async def list(self, request: web.Request) -> web.Response:
        """GET /phones."""
        return await self.reply({"items": [self.describe(phone) for phone in self.network.directory.phones.values()]})

    async def get(self, request: web.Request) -> web.Response:
        """GET /phones/{number}: the phone, and whom it has chats with."""
        phone = self.asked(request)
        return await self.reply(self.describe(phone) | {"chats": self.traffic.mailbox.chats(phone)})

    async def change(self, request: web.Request) -> web.Response:
        """PATCH /phones/{number}."""
        phone, body = self.asked(request), await read(request, Change)
        phone.name = body.name or phone.name
        phone.auto_receipts = body.auto_receipts or phone.auto_receipts
        phone.address = body.address or phone.address
        self.network.directory.save(phone)
        if body.presence:
            self.traffic.presence(phone, body.presence)
        return await self.reply(self.describe(phone))

    async def scan(self, request: web.Request) -> web.Response:
        """POST /phones/{number}/scan: the session that shows the QR text is linked."""
        phone, body = self.asked(request), await read(request, Scan)
        return await self._linked(await self.network.linking.scan(phone, body.qr))

    async def code(self, request: web.Request) -> web.Response:
        """POST /phones/{number}/code: the session that shows the code is linked."""
        phone, body = self.asked(request), await read(request, Code)
        return await self._linked(await self.network.linking.enter_code(phone, body.code))

    async def _linked(self, companion: Companion) -> web.Response:
        self.network.linked(companion)
        return await self.reply({"number": companion.phone.number, "lid": companion.phone.lid, "device": companion.device})

    # -- messages

    async def write(self, request: web.Request) -> web.Response:
        """POST /phones/{number}/messages, and /typed for what an owner types on the own phone: the same thing."""
        phone, body = self.asked(request), await read(request, Write)
        id = self.traffic.write(phone, within(self, phone, body.to), content.text(body.text), address=body.address)
        return await self.reply({"id": id}, 201)

    async def batch(self, request: web.Request) -> web.Response:
        """Many messages in one request, for load; all or none of the numbers must be known."""
        body = await read(request, Batch)
        pairs = [(self.phone(clean(w.sender)), self.recipient(w.to), w.text) for w in body.items]
        ids = [self.traffic.write(sender, to, content.text(text)) for sender, to, text in pairs]
        return await self.reply({"ids": ids}, 201)

    async def media(self, request: web.Request) -> web.Response:
        """POST /phones/{number}/media: a file, as multipart/form-data."""
        phone = self.asked(request)
        fields: dict[str, str] = {}
        data: bytes | None = None
        mime = name = ""
        if not request.content_type.startswith("multipart/"):
            raise Problem(422, "bad-body", "A file comes as multipart/form-data: to, kind, file, caption.")
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                continue
            if part.name == "file":
                data, name = bytes(await part.read(decode=True)), part.filename or ""
                mime = part.headers.get("Content-Type", "")
            elif part.name:
                fields[part.name] = await part.text()
        kind = fields.get("kind", "document")
        if data is None or "to" not in fields or kind not in content.MEDIA_KINDS:
            raise Problem(422, "bad-body", f"to, kind ({', '.join(content.MEDIA_KINDS)}) and file are needed.")
        to = within(self, phone, fields["to"])
        mime = fields.get("mime") or mime or mimetypes.guess_type(name)[0] or "application/octet-stream"
        uploaded = self.network.hosts.upload(data, kind)
        message = content.media(
            kind, uploaded, mime=mime, caption=fields.get("caption", ""), file_name=name, seconds=int(fields.get("seconds", "0") or 0)
        )
        if fields.get("view_once"):
            message = content.view_once(message)
        if fields.get("lost"):  # the hosts have it no more
            self.network.hosts.lose(uploaded.path)
        return await self.reply({"id": self.traffic.write(phone, to, message), "sha256": uploaded.hash_plain.hex()}, 201)

    async def kinds(self, request: web.Request) -> web.Response:
        """POST /phones/{number}/kinds: a place, a card, a poll, an answer, something unknown, or what is done to another message."""
        phone, body = self.asked(request), await read(request, Kinds)
        to = within(self, phone, body.to)
        chat, about = str(to.jid()), None
        if body.about:
            about = content.key_of(body.about, chat, from_me=self.traffic.mailbox.sent(phone, body.about) is not None)
        match body.kind:
            case "location":
                message = content.location(body.latitude, body.longitude, body.name, body.address)
            case "contact":
                message = content.contact(body.name, body.phone)
            case "poll":
                message = content.poll(body.name, body.options)
            case "unknown":
                message = content.unknown(body.name)
            case "quote" if body.about:
                own = self.traffic.mailbox.sent(phone, body.about) is not None
                said = content.text(body.said)
                message = content.text(body.text, content.answering(body.about, str((phone if own else to).jid()), said))
            case "reaction" if about:
                message = content.reaction(about, body.text)
            case "edit" if about:
                message = content.edit(about, body.text)
            case "delete" if about:
                message = content.revocation(about)
            case _:
                raise Problem(422, "bad-body", "This kind needs `about`, the id of a message.")
        return await self.reply({"id": self.traffic.write(phone, to, message)}, 201)

    async def file(self, request: web.Request) -> web.Response:
        """GET /phones/{number}/media/{id}: the plain file of a message."""
        shown = self.traffic.mailbox.file(self.asked(request), request.match_info["id"])
        if shown is None or shown.file is None:
            raise Problem(404, "no-file", "This message has no file.")
        try:
            data = self.network.hosts.download(shown.file.path, shown.file.key, shown.kind)
        except MediaBroken as error:
            raise Problem(404, "file-broken", str(error)) from error
        headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
        mime = shown.file.mime.partition(";")[0] or "application/octet-stream"
        return web.Response(body=data, headers={**headers, "Content-Type": mime})

    async def inbox(self, request: web.Request) -> web.Response:
        """GET /phones/{number}/inbox?after=N&wait=S: what the phone decrypted, in that order."""
        return await self._poll(request, self.traffic.mailbox.inbox)

    async def receipts(self, request: web.Request) -> web.Response:
        """GET /phones/{number}/receipts?after=N&wait=S: the ticks that the phone saw."""
        return await self._poll(request, self.traffic.mailbox.receipts)

    async def _poll(self, request: web.Request, rows: Callable[[Phone, int, int], Any]) -> web.Response:
        """What came after `after`; when there is nothing, it is waited for, `wait` seconds at most."""
        phone = self.asked(request)
        after, wait = int(number_in(request, "after", 0)), min(number_in(request, "wait", 0), _MAX_WAIT)
        end = time.monotonic() + wait
        while not (items := rows(phone, after, _LIMIT)) and (left := end - time.monotonic()) > 0:
            await self.network.feed.news(phone.number, left)
        return await self.reply({"items": items})

    async def chat(self, request: web.Request) -> web.Response:
        """GET /phones/{number}/chats/{other}: the last 200 messages of a chat."""
        phone = self.asked(request)
        items = self.traffic.mailbox.chat(phone, clean(request.match_info["other"]), 200)
        return await self.reply({"items": items})

    async def tick(self, request: web.Request) -> web.Response:
        """POST /phones/{number}/receipts: the phone gives a tick."""
        phone, body = self.asked(request), await read(request, Tick)
        origin = self.traffic.mailbox.origin(phone, body.id)
        if origin is None:
            raise Problem(404, "no-message", "This phone has not got a message with this id.")
        if origin[1] == GROUP:
            group = group_of(self, self.traffic.mailbox.where(phone, body.id))
            self.traffic.groups.receipt(phone, self.phone(origin[0]), body.id, body.type, group)
        else:
            self.traffic.receipt(phone, self.phone(origin[0]), body.id, body.type, origin[1])
        return await self.reply({"id": body.id, "type": body.type}, 201)

    async def typing(self, request: web.Request) -> web.Response:
        """POST /phones/{number}/typing."""
        phone, body = self.asked(request), await read(request, Typing)
        self.traffic.typing(phone, self.recipient(body.to), body.state)
        return await self.reply({})

    # -- accidents

    async def corrupt(self, request: web.Request) -> web.Response:
        """POST /phones/{number}/corrupt: the next messages cannot be opened."""
        phone, body = self.asked(request), await read(request, Corrupt)
        if body.direction == "sent":
            phone.corrupt_sent = body.count
        else:
            phone.corrupt_received = body.count
        return await self.reply({"count": body.count, "direction": body.direction})

    async def hold_phone(self, request: web.Request) -> web.Response:
        """POST /phones/{number}/hold: the phone decrypts nothing until it is released."""
        phone = self.asked(request)
        phone.held = phone.held or []
        return await self.reply({})

    async def release_phone(self, request: web.Request) -> web.Response:
        """POST /phones/{number}/release: the phone decrypts what it held, shuffled or in order."""
        phone, body = self.asked(request), await read(request, Release)
        order = list(range(len(phone.held or [])))
        if body.shuffled:
            random.shuffle(order)
        await self.traffic.release(phone, order)
        return await self.reply({"released": len(order)})

    async def hold_sessions(self, request: web.Request) -> web.Response:
        """POST /sessions/{number}/hold: nothing new is delivered until it is released."""
        phone = self.asked(request)
        for companion in phone.companions.values():
            self.network.delivery.hold(companion)
        return await self.reply({"sessions": len(phone.companions)})

    async def release_sessions(self, request: web.Request) -> web.Response:
        """POST /sessions/{number}/release: what was held is delivered, shuffled or in order."""
        phone, body = self.asked(request), await read(request, Release)
        await self.network.db.committed()
        released = sum(self.network.delivery.release(c, shuffled=body.shuffled) for c in phone.companions.values())
        return await self.reply({"released": released})

    def _on_sessions(self, act: Callable[[Phone], int]) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            return await self.reply({"sessions": act(self.asked(request))})

        return handle

    async def ban(self, request: web.Request) -> web.Response:
        """POST /sessions/{number}/ban {seconds}."""
        phone, body = self.asked(request), await read(request, Ban)
        return await self.reply({"sessions": self.network.ban(phone, body.seconds)})

    async def prekeys(self, request: web.Request) -> web.Response:
        """POST /sessions/{number}/prekeys {left}: the server has lost the other one-time prekeys."""
        phone, body = self.asked(request), await read(request, Prekeys)
        for companion in phone.companions.values():
            self.network.directory.lose_stock(companion, body.left)
        return await self.reply({"sessions": len(phone.companions)})

    async def set_network(self, request: web.Request) -> web.Response:
        """POST /network: up, or down for everyone."""
        body = await read(request, State)
        self.network.set_up(body.state == "up")
        return await self.reply({"state": body.state})

    async def stats(self, request: web.Request) -> web.Response:
        """GET /stats."""
        directory = self.network.directory
        companions = list(directory.companions())
        counts = {name: getattr(self.network.counts, name) for name in self.network.counts.__slots__}
        numbers = {
            "connections": len(self.network.connections),
            "online": sum(companion.active for companion in companions),
            "phones": len(directory.phones),
            "sessions": len(companions),
            "waiting": sum(len(companion.queue) for companion in companions),
            "seconds": round(time.monotonic() - self._began, 1),
            "network": "up" if self.network.proxy.up else "down",
        }
        return await self.reply(numbers | counts)

    # -- the page

    async def page(self, request: web.Request) -> web.FileResponse:
        """GET /: the page on which a person plays the customer and the owner."""
        return web.FileResponse(_PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    async def events(self, request: web.Request) -> web.StreamResponse:
        """News as server-sent events: `{number, what}`, no content."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        with self.network.feed.stream() as stream:
            await response.write(b": hello\n\n")
            while True:
                number, what = await stream.get()
                await response.write(b"data: " + _encoder.encode({"number": number, "what": what}) + b"\n\n")
