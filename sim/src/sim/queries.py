"""Answers to what sessions ask.  Every query gets one: without it a call of the library would wait for 75 seconds."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sim import appstate
from sim.connection import Connection
from sim.database import Database
from sim.directory import Companion, Directory
from sim.keys import DJB, verify
from sim.linking import Linking
from sim.nodes import JID, LID, PN, SERVER, Attr, BadStanza, Node
from sim.traffic import Traffic, bundle_nodes

log = logging.getLogger(__name__)

LOW_STOCK = 5


def result(query: Node, content: list[Node] | None = None) -> Node:
    """A query's answer."""
    return Node("iq", {"from": SERVER, "id": query.text("id"), "type": "result"}, content)


def error(query: Node, code: int, text: str) -> Node:
    """A query's refusal."""
    return Node("iq", {"from": SERVER, "id": query.text("id"), "type": "error"}, [Node("error", {"code": code, "text": text})])


class Queries:
    """One method per namespace; what none of them knows is answered with an empty result."""

    def __init__(
        self,
        db: Database,
        directory: Directory,
        linking: Linking,
        traffic: Traffic,
        *,
        ready: Callable[[Connection, Companion], None],
        unlink: Callable[[Companion], None],
    ) -> None:
        self._db, self._directory, self._linking, self._traffic = db, directory, linking, traffic
        self._ready, self._unlink = ready, unlink

    def answer(self, connection: Connection, query: Node) -> None:
        """*query* is answered once what it changed is stored."""
        xmlns = query.text("xmlns", "")
        first = query.children[0] if query.children else Node("")
        companion = connection.companion
        try:
            if xmlns == "md" and first.tag == "link_code_companion_reg":
                answer = self._link_code(connection, query, first)
            elif companion is None:
                answer = result(query)
            elif xmlns == "passive":
                self._db.then(lambda: connection.send(result(query)))
                self._ready(connection, companion)
                return
            elif xmlns == "md" and first.tag == "remove-companion-device":
                self._db.then(lambda: connection.send(result(query)))
                self._unlink(companion)
                return
            else:
                answer = self._of_companion(connection, companion, xmlns, query, first)
        except BadStanza as problem:
            log.warning("a query of %s cannot be answered: %s", xmlns, problem)
            answer = error(query, 400, "bad-request")
        self._db.then(lambda: connection.send(answer))

    def _of_companion(self, connection: Connection, companion: Companion, xmlns: str, query: Node, first: Node) -> Node:
        kind = query.text("type")
        if xmlns == "encrypt":
            return self._encrypt(companion, query, first)
        if xmlns == "usync":
            return self._usync(query)
        if xmlns == "w:m":
            host = Node("host", {"hostname": "mmg.whatsapp.net"})
            attrs: dict[str, Attr] = {"auth": "loopback", "ttl": 3600, "auth_ttl": 3600, "max_buckets": 12}
            return result(query, [Node("media_conn", attrs, [host])])
        if xmlns == "w:sync:app:state":
            return result(query, [Node("sync", {}, [self._app_state(companion, c) for c in first.children])])
        if xmlns == "privacy" and kind == "get":
            return result(query, [Node("privacy", {}, [Node("category", {"name": "readreceipts", "value": "all"})])])
        if xmlns == "w:profile:picture" and kind == "get":
            return error(query, 404, "item-not-found")
        if xmlns == "blocklist":
            listed = self._traffic.blocks.answer(companion, query)
            return error(query, 404, "item-not-found") if listed is None else result(query, listed)
        if xmlns == "w:g2":
            found = self._traffic.groups.answer(companion, query.jid("to"), first.tag)
            return error(query, 404, "item-not-found") if found is None else result(query, found)
        return result(query)

    def _encrypt(self, companion: Companion, query: Node, first: Node) -> Node:
        if query.text("type") == "set":
            self._publish(companion, query)
            return result(query)
        if first.tag == "count":
            return result(query, [Node("count", {"value": companion.stock})])
        if first.tag == "key":
            return result(query, [Node("list", {}, [self._keys_of(user.jid("jid")) for user in first.children])])
        return result(query)

    def _publish(self, companion: Companion, query: Node) -> None:
        """The session's keys can be given to those who write to it.  Raises: BadStanza."""
        identity = query.find("identity")
        if identity and identity.data != companion.identity:
            raise BadStanza("Another identity than the linked one.")
        if registration := query.find("registration"):
            companion.registration = registration.number
        if signed := query.find("skey"):
            value, signature = signed.child("value").data, signed.child("signature").data
            if not verify(companion.identity, DJB + value, signature):
                raise BadStanza("The signed prekey's signature is wrong.")
            companion.signed_id, companion.signed, companion.signature = signed.child("id").number, value, signature
        if listed := query.find("list"):
            self._directory.stock_up(companion, {key.child("id").number: key.child("value").data for key in listed.children})
        self._directory.save_companion(companion)
        if companion.signed:
            self._traffic.keys_published(companion)

    def _keys_of(self, jid: JID) -> Node:
        phone = self._directory.find(jid)
        if phone and not jid.device:
            return Node("user", {"jid": jid}, bundle_nodes(self._directory.bundle_of_phone(phone), phone.signal.signature))
        companion = phone.companions.get(jid.device) if phone else None
        if companion is None or not companion.signed:
            return Node("user", {"jid": jid}, [Node("error", {"code": "404", "text": "item-not-found"})])
        return Node("user", {"jid": jid}, bundle_nodes(self._directory.take_bundle(companion), companion.signature))

    def _app_state(self, companion: Companion, asked: Node) -> Node:
        """What the session lacks of a collection: the push name, in the one that has it."""
        name = asked.text("name")
        if name != appstate.COLLECTION:
            return Node("collection", {"name": name, "version": 0})
        patches: list[Node] = []
        if asked.text("version", "0") == "0":
            phone = companion.phone
            patches.append(Node("patch", {}, appstate.name_patch(phone.signal.app_state_key(), phone.name)))
        return Node("collection", {"name": name, "version": 1}, [Node("patches", {}, patches)])

    def _usync(self, query: Node) -> Node:
        usync = query.child("usync")
        wanted = {part.tag for part in usync.child("query").children}
        users = [self._user(user, wanted) for user in usync.child("list").children]
        attrs: dict[str, Attr] = {name: usync.attrs.get(name) for name in ("sid", "mode", "context")}
        return result(query, [Node("usync", {**attrs, "index": 0, "last": "true"}, [Node("list", {}, users)])])

    def _user(self, user: Node, wanted: set[str]) -> Node:
        asked = b"" if "jid" in user.attrs else user.child("contact").data
        jid = JID(asked.decode().lstrip("+").partition("@")[0]) if asked else user.jid("jid")
        phone = self._directory.find(jid)
        found: list[Node] = []
        if "contact" in wanted:
            found.append(Node("contact", {"type": "in" if phone else "out"}, asked))
        if phone and "lid" in wanted:
            found.append(Node("lid", {"val": phone.jid(LID)}))
        if phone and "devices" in wanted:
            devices = [Node("device", {"id": 0}), *(Node("device", {"id": d, "key-index": d}) for d in phone.companions)]
            found.append(Node("devices", {}, [Node("device-list", {}, devices)]))
        if phone and "status" in wanted:
            found.append(Node("status", {}, b""))
        return Node("user", {"jid": phone.jid(PN) if phone and jid.server == PN else jid}, found)

    def _link_code(self, connection: Connection, query: Node, part: Node) -> Node:
        stage = part.text("stage")
        if stage == "companion_hello":
            ref = Node("link_code_pairing_ref", {}, self._linking.code_shown(connection, part))
            return result(query, [Node("link_code_companion_reg", {"stage": stage}, [ref])])
        if stage == "companion_finish":
            self._linking.code_finished(connection, part)
        return result(query)
