"""Sessions of whatsmeow in this process, one thread each, called straight and not through neonize's own runners.

neonize's ``NewClient`` is left aside: it stops a running client when an old one with the same name is collected, and its
asyncio flavour fills the default executor. What remains is the shared object's C interface, which is small.
"""

import ctypes
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import uuid4

import structlog

from device_worker.whatsapp import bare  # noqa: F401  (first: see there)

# isort: split
from neonize._binder import _CProxySettings, func_callback_bytes, func_callback_bytes2, func_string, gocode

from device_worker.whatsapp.errors import GIVEN_UP, CallFailed, NotRunning, Sent, StoreWatch, redacted
from device_worker.whatsapp.gate import Gate
from device_worker.whatsapp.proto import EVENTS, DeviceProps, Kind, neonize_pb2, parse
from device_worker.whatsapp.quiet import until_quiet

log = structlog.get_logger()

#: How the linked device is called in the phone's list.
OS_NAME = "Clarin"
_ASKED_FOR = bytes(sorted(kind for kind in EVENTS if kind not in (Kind.DEVICE, Kind.UNREADABLE)))

#: The library's numbers for what one does in a chat, and for how.
_WRITES = {"composing": 0, "paused": 1}
_TEXT = 0

#: The library's numbers for what a file is.
UPLOADS = {"image": 0, "video": 1, "audio": 2, "document": 3}

_kept: list[Any] = []

_QUIET = 0.05
_QUIET_AT_MOST = 5.0
#: So long after a message that it could not read, the library has asked its sender for it; with more of them coming, no longer than that.
_ASKS = 0.5
_ASKS_AT_MOST = 2.0
_THREADS = 64


def store_url(url: str, idle_seconds: int = 10) -> str:
    """Write the address of whatsmeow's store as the library wants it.

    Each start opens a pool that nothing closes: the server drops what is idle (behind a pooler, see `pooled`, it is the
    pooler's few connections that count). And the driver's default is TLS, where a local server has none.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    query.setdefault("sslmode", "disable")
    if "binary_parameters" not in query:
        query.setdefault("options", f"-c idle_session_timeout={idle_seconds * 1000}")
    # The driver reads a plus as a plus, so a blank must be %20.
    return urlunsplit(parts._replace(scheme="postgres", query=urlencode(query).replace("+", "%20")))


class Library:
    """The shared object, its gate, its store. One in a process."""

    def __init__(self, url: str, *, on_store_error: Callable[[], None] = lambda: None) -> None:
        """Know the store; *on_store_error* is called from any thread, on each line of the log that tells of one."""
        self.url = store_url(url).encode()
        self.gate = Gate()
        self.pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="whatsapp-call")
        self.watch = StoreWatch(urlsplit(url).port or 5432)
        self._on_store_error = on_store_error
        self.log_callback = self.logging_to(lambda line: None)

    def prepare(self) -> None:
        """Make whatsmeow's tables. Before any start: two first starts on an empty store race in its schema upgrade."""
        with self.gate.alone():
            gocode.GetAllDevices(self.url, self.log_callback)

    def logging_to(self, listener: Callable[[str], None]) -> Any:
        """Make what the library logs to: *listener* gets each line as well, from any thread.

        Kept for good: goroutines that end slowly still log when their session is long gone.
        """

        def logged(data: int, size: int) -> None:
            try:
                entry = neonize_pb2.LogEntry.FromString(ctypes.string_at(data, size))
                if self.watch.is_store_error(entry.Message):
                    self._on_store_error()
                listener(entry.Message)
                if entry.Level != "WARN" or entry.Message.startswith(GIVEN_UP):
                    log.warning("whatsapp.log", source=entry.Name, level_there=entry.Level, line=redacted(entry.Message))
            except Exception as error:
                log.error("whatsapp.log_unreadable", error=type(error).__name__)

        callback = func_callback_bytes2(logged)
        _kept.append(callback)
        return callback


class Client:
    """One session, started once.

    Callbacks run on the session's own thread, one after the other; what they raise is logged and lost, so they must not.
    """

    def __init__(
        self,
        library: Library,
        *,
        jid: str | None,
        proxy: str = "",
        shown_as: str = OS_NAME,
        on_event: Callable[[int, bytes], None],
        on_end: Callable[[str], None] = lambda error: None,
        on_qr: Callable[[str], None] = lambda code: None,
        on_login: Callable[[str], None] = lambda event: None,
        on_log: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Prepare a session of the linked device *jid*, or a pairing (None).

        The device must be in the store: of one that is not, the library makes a nil pointer.

        Args:
            proxy: The address of the proxy that it goes by, for everything; empty for none.
            shown_as: Of a pairing: how the device is called on the phone. The library keeps one name in a process.
            on_event: Gets the kind and the raw event.
            on_end: The session is over, because of `stop` or of an error (a text, empty for none).
            on_login: Gets the last word of a pairing: ``success``, ``timeout``, ``passkey-request``, ``err-…``.
            on_log: Gets each line that the session logs, from any thread.
        """
        self._library = library
        self._id = uuid4().hex.encode()  # never one twice: the library's maps are keyed by it
        self._jid = jid
        self._proxy = _CProxySettings(proxyAddress=proxy.encode()) if proxy else None
        self._props = DeviceProps(os=shown_as, platformType=DeviceProps.CHROME).SerializeToString()
        self._on_event, self._on_end, self._on_qr, self._on_login = on_event, on_end, on_qr, on_login
        self._on_log = on_log
        self._log_callback = library.logging_to(self._logged)
        self._unread: set[str] = set()
        self._running = False
        self._cancelled = False
        self._ended = threading.Event()
        self._last_event = self._last_unread = -math.inf
        self._turn: Any = None
        self._thread = threading.Thread(target=self._run, name=f"whatsapp-{self._id.decode()[:8]}", daemon=True)

    def start(self) -> None:
        """Begin; what comes of it is told by the callbacks."""
        self._thread.start()

    def disconnect(self, *, at_once: bool = False) -> None:
        """Hang up; nothing reconnects. `stop` is still due.

        Unless *at_once*, what could not be read a moment ago is asked for first: the library acknowledges it and asks for it side by
        side, and off the line in between, the message would be lost.
        """
        if not at_once and time.monotonic() - self._last_unread < _ASKS:
            until_quiet(lambda: self._last_unread, _ASKS, within=_ASKS_AT_MOST)
        with self._library.gate.shared():
            if self._running:
                gocode.Disconnect(self._id)

    def stop(self, timeout: float = 10.0) -> bool:
        """End the session; True when its thread has ended.

        It hangs up first and waits until no event comes any more: what WhatsApp counts as delivered may still lie in
        the library's queue, and a stop throws that queue away.
        """
        self._cancelled = True
        if self._running:
            self.disconnect()
            if not self._ended.is_set():
                until_quiet(lambda: self._last_event, _QUIET, within=_QUIET_AT_MOST)
        with self._library.gate.alone():
            self._running = False
            gocode.Stop(self._id)
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def send(self, user: str, server: str, message: bytes) -> Sent:
        """Send an e2e message.  Raises: NotRunning, CallFailed (see its `meaning`)."""
        to = _jid(user, server)
        answer = neonize_pb2.SendMessageReturnFunction.FromString(self._call(gocode.SendMessage, to, len(to), message, len(message)))
        if answer.Error:
            raise CallFailed(answer.Error)
        return Sent(answer.SendResponse.ID, answer.SendResponse.Timestamp)

    def upload(self, path: str, what: str) -> tuple[str, str, bytes, bytes, bytes, int]:
        """Put the file at *path* on WhatsApp's hosts: address, path there, key, hashes (encrypted, plain), size.

        It is in memory meanwhile, encrypted beside it: the library takes it no other way.

        Args:
            what: One of `UPLOADS`.

        Raises: NotRunning, CallFailed.
        """
        data = Path(path).read_bytes()
        answer = neonize_pb2.UploadReturnFunction.FromString(self._call(gocode.Upload, data, len(data), UPLOADS[what]))
        if answer.Error:
            raise CallFailed(answer.Error, question=True)
        found = answer.UploadResponse
        return found.url, found.DirectPath, found.MediaKey, found.FileEncSHA256, found.FileSHA256, found.FileLength

    def mark_read(self, wa_ids: list[str], at: int, chat: tuple[str, str], sender: tuple[str, str]) -> None:
        """Send blue ticks; *at* in seconds.  Raises: NotRunning, CallFailed."""
        chat_jid, sender_jid = _jid(*chat), _jid(*sender)
        error: bytes = self._call(
            gocode.MarkRead, " ".join(wa_ids).encode(), at, chat_jid, len(chat_jid), sender_jid, len(sender_jid), b"read"
        )
        if error:
            raise CallFailed(error.decode())

    def on_whatsapp(self, phone: str) -> tuple[str, str] | None:
        """Ask WhatsApp for the user and server (a LID, mostly) behind the digits *phone*; None: nobody.  Raises: NotRunning, CallFailed."""
        answer = neonize_pb2.IsOnWhatsAppReturnFunction.FromString(self._call(gocode.IsOnWhatsApp, f"+{phone}".encode()))
        for found in answer.IsOnWhatsAppResponse:
            return (found.JID.User, found.JID.Server) if found.IsIn else None
        if answer.Error == "Function returned nothing.":
            return None
        raise CallFailed(answer.Error, question=True)

    def typing(self, user: str, server: str, state: str = "composing") -> None:
        """Be seen typing in a chat, or no more (``paused``).  Raises: NotRunning, CallFailed."""
        to = _jid(user, server)
        error: bytes = self._call(gocode.SendChatPresence, to, len(to), _WRITES[state], _TEXT)
        if error:
            raise CallFailed(error.decode(errors="replace"), question=True)

    def presence(self, online: bool) -> None:
        """Be seen as online, or no more: WhatsApp tells who writes, and the own phone is not notified.  Raises: NotRunning, CallFailed."""
        error: bytes = self._call(gocode.SendPresence, b"available" if online else b"unavailable")
        if error:
            raise CallFailed(error.decode(errors="replace"), question=True)

    def subscribe(self, user: str, server: str) -> None:
        """Be told whether somebody is there and writes, as long as the connection lasts.  Raises: NotRunning, CallFailed."""
        to = _jid(user, server)
        error: bytes = self._call(gocode.SubscribePresence, to, len(to))
        if error:
            raise CallFailed(error.decode(errors="replace"), question=True)

    def group(self, id: str) -> tuple[str, int]:
        """Ask what a group is called, and how many are in it.  Raises: NotRunning, CallFailed."""
        to = _jid(id, "g.us")
        answer = neonize_pb2.GetGroupInfoReturnFunction()
        answer.MergeFromString(self._call(gocode.GetGroupInfo, to, len(to)))
        if answer.Error:
            raise CallFailed(answer.Error, question=True)
        return answer.GroupInfo.GroupName.Name, len(answer.GroupInfo.Participants)

    def block(self, user: str, server: str, blocked: bool) -> list[str]:
        """Block somebody, or do so no more; give the users on the list since, LIDs.  Raises: NotRunning, CallFailed."""
        who = _jid(user, server)
        answer = neonize_pb2.GetBlocklistReturnFunction()
        answer.MergeFromString(self._call(gocode.UpdateBlocklist, who, len(who), b"block" if blocked else b"unblock"))
        if answer.Error:
            raise CallFailed(answer.Error)
        return [jid.User for jid in answer.Blocklist.JIDs]

    def blocked(self) -> list[tuple[str, str]]:
        """Ask whom the number blocks, as user and server.  Raises: NotRunning, CallFailed."""
        answer = neonize_pb2.GetBlocklistReturnFunction()
        answer.MergeFromString(self._call(gocode.GetBlocklist))
        if answer.Error:
            raise CallFailed(answer.Error, question=True)
        return [(jid.User, jid.Server) for jid in answer.Blocklist.JIDs]

    def logout(self) -> None:
        """Unlink at WhatsApp and forget the credentials.  Raises: NotRunning, CallFailed."""
        error: bytes = self._call(gocode.Logout)
        if error:
            raise CallFailed(error.decode())

    def pairing_code(self, phone: str) -> str:
        """Get a code that the person with *phone* types there.  Raises: NotRunning, CallFailed."""
        order = neonize_pb2.PairPhoneParams(
            phone=phone, showPushNotification=True, clientType=1, clientDisplayName="Chrome (Linux)"
        ).SerializeToString()
        answer = neonize_pb2.PairPhoneReturnFunction.FromString(self._call(gocode.PairPhone, order, len(order)))
        if answer.Error:
            raise CallFailed(answer.Error)
        return str(answer.Code)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with self._library.gate.shared():
            if not self._running:  # the library reads through a nil pointer for a session that it does not know
                raise NotRunning
            return function(self._id, *arguments)

    def _run(self) -> None:
        self._turn = self._library.gate.enter(alone=True)
        if self._cancelled:  # stopped while it waited for its turn
            self._started()
            self._ended.set()
            self._on_end("")
            return
        jid = _parse_jid(self._jid) if self._jid else b""
        asked = ctypes.create_string_buffer(_ASKED_FOR, len(_ASKED_FOR))
        # Referenced until the call below returns, which is as long as the library uses them.
        callbacks = func_string(self._qr), func_string(self._login), func_callback_bytes(self._event)
        self._running = True
        try:
            error: bytes = gocode.Neonize(
                self._library.url,
                self._id,
                jid,
                len(jid),
                0 if jid else 1,
                b"WARN",
                *callbacks,
                self._log_callback,
                asked,
                len(_ASKED_FOR),
                self._props,
                len(self._props),
                b"",
                0,
                None if self._proxy is None else ctypes.byref(self._proxy),
            )
        finally:
            self._started()
            self._ended.set()
        self._on_end(error.decode(errors="replace"))

    def _started(self) -> None:
        """The library has done what it does with its maps: let others in."""
        if self._turn is not None:
            self._library.gate.leave(self._turn)
            self._turn = None

    def _qr(self, _: int, text: int) -> None:
        self._started()
        self._guarded(self._on_qr, ctypes.string_at(text).decode())

    def _login(self, _: int, text: int) -> None:
        self._started()
        self._guarded(self._on_login, ctypes.string_at(text).decode())

    def _event(self, _: int, data: int, size: int, kind: int) -> None:
        self._started()
        raw = ctypes.string_at(data, size)
        # What comes again is not told as lost.
        if kind != Kind.UNDECRYPTABLE:
            self._guarded(self._on_event, kind, raw)
        elif parse(kind, raw).Info.ID not in self._unread:
            self._last_unread = time.monotonic()
            self._guarded(self._on_event, kind, raw)
        self._last_event = time.monotonic()

    def _logged(self, line: str) -> None:
        """Hear a line of the log; the library goes on when this returns.

        Before it acknowledges a message whose keys the database does not give, it says so. Off the line by then, it cannot:
        WhatsApp keeps the message and brings it again.
        """
        if self._jid and (unread := self._library.watch.unread(line)) is not None:
            self._unread.add(unread)
            self.disconnect(at_once=True)
            self._on_end("store-away")
        self._on_log(line)

    def _guarded(self, callback: Callable[..., None], *arguments: Any) -> None:
        try:
            callback(*arguments)
        except Exception:
            log.exception("whatsapp.callback_failed")


def _jid(user: str, server: str, device: int = 0) -> bytes:
    jid = neonize_pb2.JID(User=user, Server=server, Device=device, RawAgent=0, Integrator=0, IsEmpty=False)
    return bytes(jid.SerializeToString())


def _parse_jid(text: str) -> bytes:
    user, _, server = text.partition("@")
    name, _, device = user.partition(":")
    return _jid(name, server, int(device or 0))
