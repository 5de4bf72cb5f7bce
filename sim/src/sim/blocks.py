"""Whom a phone has blocked, as WhatsApp keeps it: one list for the phone and its sessions, which all hear of each change.

Who is blocked is not told: what he writes is taken, with one tick, and goes nowhere, then or later. Groups are not concerned.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from sim.database import Database
from sim.delivery import Delivery
from sim.directory import Companion, Directory, Phone
from sim.nodes import LID, BadStanza, Node
from sim.orders import Block

if TYPE_CHECKING:
    from sim.control import Control

_VERBS = {"block": True, "unblock": False}


class Blocks:
    """The list of every phone."""

    def __init__(self, db: Database, directory: Directory, delivery: Delivery) -> None:
        self._db, self._directory, self._delivery = db, directory, delivery
        for number, other in db.read("select number, other from blocks"):
            directory.phones[number].blocked.add(other)

    def answer(self, companion: Companion, query: Node) -> list[Node] | None:
        """The list, changed first where the session says so; None where it names nobody, or the phone itself.  Raises: BadStanza."""
        if query.text("type") == "set":
            item = query.child("item")
            verb, other = item.text("action"), self._directory.find(item.jid("jid"))
            if verb not in _VERBS:
                raise BadStanza("Neither block nor unblock.")
            if other is None or other is companion.phone:
                return None
            self.change(companion.phone, other, _VERBS[verb], by=companion)
        phone = companion.phone
        items = [Node("item", {"jid": self._directory.phones[number].jid(LID)}) for number in sorted(phone.blocked)]
        return [Node("list", {"dhash": digest(phone)}, items)]

    def change(self, phone: Phone, other: Phone, blocked: bool, by: Companion | None = None) -> None:
        """The phone blocks the other one, or does no more; its sessions hear so, but for the one that said it."""
        if (other.number in phone.blocked) == blocked:
            return
        before = digest(phone)
        if blocked:
            phone.blocked.add(other.number)
            self._db.write("insert into blocks values (?, ?)", phone.number, other.number)
        else:
            phone.blocked.discard(other.number)
            self._db.write("delete from blocks where number=? and other=?", phone.number, other.number)
        item = Node("item", {"jid": other.jid(LID), "action": "block" if blocked else "unblock"})
        told = Node("blocklist", {"dhash": digest(phone), "prev_dhash": before}, [item])
        for companion in phone.companions.values():
            if companion is not by:
                attrs: dict[str, Any] = {"from": phone.jid(), "type": "account_sync", "t": int(time.time())}
                self._delivery.put(companion, Node("notification", {**attrs, "id": f"bl{time.time_ns()}"}, [told]))


def digest(phone: Phone) -> str:
    """A name for what is on the list, another one for each other list."""
    return "2:" + hashlib.sha256(",".join(sorted(phone.blocked)).encode()).hexdigest()[:8]


def estranged(one: Phone, other: Phone) -> bool:
    """Whether either has blocked the other: they see nothing of each other, neither ticks nor typing."""
    return one.refuses(other) or other.refuses(one)


class BlockControl:
    """The part of the control API that is about them."""

    def __init__(self, control: Control) -> None:
        self.control = control

    def add_to(self, route: web.UrlDispatcher) -> None:
        """Every route."""
        route.add_post("/phones/{number}/block", self.block)

    async def block(self, request: web.Request) -> web.Response:
        """POST /phones/{number}/block {who, blocked}: the phone blocks somebody, or does no more."""
        phone = self.control.asked(request)
        body = msgspec.json.decode(await request.read() or b"{}", type=Block)
        self.control.network.traffic.blocks.change(phone, self.control.recipient(body.who), body.blocked)
        return await self.control.reply(self.control.describe(phone))
