"""The whole network in one object: it lets sessions in, sorts what they say, and does to them what WhatsApp does."""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from aiohttp import web

from sim import appstate, certificates, content, tokens
from sim.codec import Codec
from sim.connection import Closed, Connection
from sim.database import Database
from sim.delivery import Counts, Delivery
from sim.directory import Companion, Directory, Phone
from sim.feed import Feed
from sim.linking import Linking
from sim.media import Hosts
from sim.nodes import LID, PN, SERVER, Attr, BadStanza, Node
from sim.proto import e2e, history
from sim.queries import LOW_STOCK, Queries
from sim.server import Proxy
from sim.traffic import Traffic, presence_of

log = logging.getLogger(__name__)

_MAX_UPLOAD = 256 << 20
_HISTORY_MESSAGES = 20
_REPLACED = Node("stream:error", {}, [Node("conflict", {"type": "replaced"})])
_REMOVED = Node("stream:error", {"code": "401"}, [Node("conflict", {"type": "device_removed"})])


class Network:
    """Made on a data folder; `start` opens it, `close` leaves the folder as the next start wants it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.authority = certificates.load(folder)
        self._codec = Codec(tokens.load(folder))
        self.db = Database(folder / "network.db", (Path(__file__).parent / "schema.sql").read_text())
        self.counts, self.feed = Counts(), Feed()
        self.hosts = Hosts(folder / "media")
        self.directory = Directory(self.db)
        self.directory.load()
        self.delivery = Delivery(self.db, self.counts)
        self.delivery.load(self.directory)
        self.traffic = Traffic(self.db, self.directory, self.delivery, self.feed, self.hosts, self.counts)
        self.linking = Linking(self.db, self.directory)
        self._queries = Queries(self.db, self.directory, self.linking, self.traffic, ready=self._ready, unlink=self._unlink)
        self.connections: set[Connection] = set()
        self._port_file = folder / "proxy.port"
        self._runner = web.AppRunner(self._application(), access_log=None)
        self.proxy = Proxy(self._runner, self.authority.context)

    async def start(self) -> None:
        """Sessions can connect, on the port of the last run: a worker that lives on has it in its environment."""
        await self._runner.setup()
        await self.proxy.start(int(self._port_file.read_text()) if self._port_file.exists() else 0)
        self._port_file.write_text(str(self.proxy.port))

    async def close(self) -> None:
        """Every socket is closed and the file is whole."""
        self.proxy.close()
        for connection in list(self.connections):
            connection.drop()
        await self._runner.cleanup()
        self.db.close()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=_MAX_UPLOAD)
        application.router.add_get("/ws/chat", self._socket)
        application.router.add_post("/{folder:.*}/{kind}/{token}", self._upload)
        application.router.add_get("/v/{name}", self._download)
        application.router.add_delete("/{path:.*}", self._delete)
        return application

    # -- media hosts

    async def _upload(self, request: web.Request) -> web.Response:
        if not self.proxy.up:
            return web.Response(status=503)
        path = self.hosts.keep(await request.read())
        return web.json_response({"url": f"https://mmg.whatsapp.net{path}", "direct_path": path, "handle": path})

    async def _download(self, request: web.Request) -> web.StreamResponse:
        if not self.proxy.up:
            return web.Response(status=503)
        file = self.hosts.file(request.match_info["name"])
        return web.FileResponse(file) if file else web.Response(status=404)

    async def _delete(self, _: web.Request) -> web.Response:
        """A session asks to delete the history it has read; the file stays, for nobody misses the space."""
        return web.Response(status=200)

    # -- sessions

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=1 << 25, compress=False)
        await socket.prepare(request)
        connection = Connection(socket, request.transport, self.authority, self._codec)
        self.connections.add(connection)
        try:
            await connection.handshake()
            self._greet(connection)
            while True:
                await self._sort(connection, await connection.receive())
        except (Closed, ConnectionError):
            pass
        except BadStanza as problem:
            log.warning("a session was cut off: %s", problem)
        finally:
            self._left(connection)
            await connection.close()
        return socket

    def _greet(self, connection: Connection) -> None:
        """A new client is given QR references; a linked session is let in, or told why not."""
        login = connection.login
        if login.HasField("devicePairingData") and not login.username:
            self.linking.offer(connection)
            return
        phone = self.directory.phones.get(str(login.username))
        companion = phone.companions.get(login.device) if phone else None
        if phone is None or companion is None or companion.noise != connection.static:
            connection.fail(Node("failure", {"reason": "401", "location": "loop"}))
            return
        banned = int(phone.banned_until - time.time())
        if banned > 0:
            connection.fail(Node("failure", {"reason": "402", "code": "101", "expire": banned, "location": "loop"}))
            return
        if companion.connection:
            companion.connection.companion = None
            companion.connection.fail(_REPLACED)
        companion.connection, companion.active, connection.companion = connection, False, companion
        self.feed.tell(phone.number, "session")
        connection.send(Node("success", {"t": int(time.time()), "props": "1", "lid": companion.jid(LID), "location": "loop"}))
        waiting = [queued.cls for queued in companion.queue.values()]
        preview = {"count": len(waiting), "appdata": 0} | {cls: waiting.count(cls) for cls in ("message", "receipt", "notification")}
        connection.send(Node("ib", {"from": SERVER}, [Node("offline_preview", dict(preview))]))

    def _ready(self, connection: Connection, companion: Companion) -> None:
        """The session wants what waits for it; the phone tells a new one of its last chats."""

        def deliver() -> None:
            if companion.connection is connection:
                count = len(companion.queue)
                self.delivery.activate(companion)
                connection.send(Node("ib", {"from": SERVER}, [Node("offline", {"count": count})]))

        self.db.then(deliver)
        if companion.history and companion.signed:
            companion.history = False
            self.directory.save_companion(companion)
            self.traffic.tell_session(companion, appstate.share(companion.phone.signal.app_state_key()))
            self._tell_history(companion)

    def _left(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self.linking.leave(connection)
        companion = connection.companion
        if companion and companion.connection is connection:
            self.delivery.left(companion)
            self.feed.tell(companion.phone.number, "session")

    async def _sort(self, connection: Connection, node: Node) -> None:
        """One stanza has its effect.  A stanza that makes no sense is logged by its tag and dropped."""
        companion = connection.companion
        try:
            if node.tag == "iq":
                if node.text("type") in ("result", "error"):
                    connection.answered(node)
                else:
                    self._queries.answer(connection, node)
            elif companion is None or (connection.unheard and node.tag in ("ack", "receipt")):
                return
            elif node.tag == "message":
                await self.traffic.from_session(connection, companion, node)
            elif node.tag == "receipt":
                self.traffic.receipt_from_session(connection, companion, node)
            elif node.tag == "ack":
                self.delivery.acknowledged(companion, node.text("class"), node.text("id"))
            elif node.tag == "chatstate":
                self.traffic.typing_from_session(companion, node)
            elif node.tag == "presence":
                self._presence(connection, node)
            if companion and companion.stock < LOW_STOCK and companion.active:
                self._ask_for_prekeys(companion)
        except (BadStanza, ValueError) as problem:  # a ValueError is a key that is none, or a number that is none
            log.warning("a <%s> makes no sense: %s", node.tag, problem)

    def _presence(self, connection: Connection, node: Node) -> None:
        if node.text("type", "") == "subscribe":
            phone = self.directory.find(node.jid("to"))
            if phone:
                connection.subscriptions.add(phone.number)
                connection.send(presence_of(phone))
        else:
            connection.online = node.text("type", "available") == "available"

    def _ask_for_prekeys(self, companion: Companion) -> None:
        """The session is asked for more one-time prekeys, once until it has brought some."""
        if any(queued.cls == "notification" for queued in companion.queue.values()):
            return
        attrs: dict[str, Attr] = {"from": SERVER, "id": f"pk{time.time_ns()}", "type": "encrypt", "t": int(time.time())}
        self.delivery.put(companion, Node("notification", attrs, [Node("count", {"value": companion.stock})]))

    def _tell_history(self, companion: Companion) -> None:
        phone = companion.phone
        chunk = history.HistorySync(syncType=history.HistorySync.INITIAL_BOOTSTRAP, chunkOrder=1, progress=100)
        for other in self.traffic.mailbox.chats(phone):
            chat = chunk.conversations.add(ID=f"{other}@{PN}")
            lines = self.traffic.mailbox.chat(phone, other, _HISTORY_MESSAGES)
            for order, line in enumerate(reversed(lines)):
                message = chat.messages.add(msgOrderID=order).message
                message.key.remoteJID, message.key.ID, message.key.fromMe = chat.ID, line["id"], line["from_me"]
                message.message.conversation = line["text"]
                message.messageTimestamp = int(datetime.fromisoformat(line["at"]).timestamp())
        names = history.HistorySync(syncType=history.HistorySync.PUSH_NAME, chunkOrder=1, progress=100)
        for other in self.traffic.mailbox.chats(phone):
            names.pushnames.add(ID=f"{other}@{PN}", pushname=self.directory.phones[other].name)
        for part in (chunk, names) if names.pushnames else (chunk,):
            fields = self.hosts.upload(zlib.compress(part.SerializeToString()), "history").fields()
            fields.pop("URL")
            notice = e2e.HistorySyncNotification(syncType=part.syncType, chunkOrder=1, progress=100, **fields)
            protocol = e2e.ProtocolMessage(type=e2e.ProtocolMessage.HISTORY_SYNC_NOTIFICATION, historySyncNotification=notice)
            self.traffic.tell_session(companion, content.Message(protocolMessage=protocol))

    # -- what WhatsApp does to sessions

    def set_up(self, up: bool) -> None:
        """The network is there, or every connection is cut and none is let in."""
        self.proxy.up = up
        if not up:
            for connection in list(self.connections):
                connection.drop()

    def drop(self, phone: Phone) -> int:
        """Every session of the number loses its socket; how many had one."""
        return self._each(phone, lambda connection: connection.drop())

    def unheard(self, phone: Phone) -> int:
        """What the sessions of the number acknowledge and tick is lost until their sockets close; how many had one."""
        return self._each(phone, lambda connection: setattr(connection, "unheard", True))

    def replace(self, phone: Phone) -> int:
        """Every session of the number hears that another one has taken its place."""
        return self._each(phone, lambda connection: connection.fail(_REPLACED))

    def logout(self, phone: Phone) -> int:
        """The owner removes every session on the phone; how many there were.  One that is away hears it when it comes back."""
        linked = list(phone.companions.values())
        for companion in linked:
            self._unlink(companion)
        return len(linked)

    def linked(self, companion: Companion) -> None:
        """Whoever writes to the number learns that there is one more device to encrypt for."""
        self._tell_devices(companion, "add")
        self.feed.tell(companion.phone.number, "session")

    def _unlink(self, companion: Companion) -> None:
        self.delivery.forget(companion)
        self.directory.unlink(companion)
        self._tell_devices(companion, "remove")
        if connection := companion.connection:
            self.db.then(lambda: connection.fail(_REMOVED))

    def _tell_devices(self, companion: Companion, change: str) -> None:
        """Sessions of the number and of its chats hear of the change.  The hash matches nothing, so they ask for the whole list again."""
        phone = companion.phone
        device = Node("device", {"jid": companion.jid(PN), "lid": companion.jid(LID)})
        content = Node(change, {"device_hash": "2:loopback", "device_lid_hash": "2:loopback"}, [device])
        for number in (phone.number, *self.traffic.mailbox.chats(phone)):
            for other in self.directory.phones[number].companions.values():
                for server in (PN, LID) if other is not companion else ():  # whatsmeow keeps its lists by either address
                    attrs: dict[str, Attr] = {"from": phone.jid(server), "type": "devices", "t": int(time.time())}
                    self.delivery.put(other, Node("notification", {**attrs, "id": f"dev{time.time_ns()}"}, [content]))

    def ban(self, phone: Phone, seconds: float) -> int:
        """The number cannot log in for so long; its sessions lose their sockets."""
        phone.banned_until = time.time() + seconds
        self.directory.save(phone)
        return self.drop(phone)

    def _each(self, phone: Phone, act: Callable[[Connection], None]) -> int:
        there = [companion.connection for companion in phone.companions.values() if companion.connection]
        for connection in there:
            act(connection)
        return len(there)
