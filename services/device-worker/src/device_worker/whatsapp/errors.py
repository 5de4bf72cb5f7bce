"""What the library answers, and what it means when something went wrong. Its errors are texts; this is where they are read."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Sent:
    """WhatsApp's answer to a send; *at* is in seconds since 1970."""

    wa_id: str
    at: int


class NotRunning(Exception):
    """The session is not running: nothing was called, nothing was sent."""


class Meaning(Enum):
    """What is known of a send that failed."""

    NOT_CONNECTED = "not connected"
    """There was no connection: it never left, and may be tried when there is one."""
    NOT_SENT = "not sent"
    """It never left: it may be tried again."""
    REFUSED = "refused"
    """WhatsApp answered, and the answer is no."""
    NOT_ON_WHATSAPP = "not on whatsapp"
    """There is nobody at this number."""
    UNKNOWN = "unknown"
    """It may have left: trying again could send it twice."""


class CallFailed(Exception):
    """The library returned an error; its text may name phone numbers, so it is for reading here and not for a log."""

    def __init__(self, text: str, *, question: bool = False) -> None:
        """Keep *text*; *question*: it was the answer to a question, so that nothing can have left."""
        super().__init__(text)
        self.question = question

    @property
    def meaning(self) -> Meaning:
        """Read the text as an error of a send."""
        found = meaning(str(self))
        return found if not self.question or found is Meaning.NOT_CONNECTED else Meaning.NOT_SENT


#: Everything that whatsmeow does before the first byte of the message goes out, and its checks of the arguments.
_BEFORE_SENDING = (
    "client is nil",
    "the store doesn't contain a device JID",
    "failed to get LID for PN",
    "failed to get user info",
    "failed to get PN for LID",
    "failed to get device list",
    "failed to fetch LID mappings",
    "failed to prefetch sessions",
    "failed to save cached sessions",
    "failed to get group members",
    "failed to marshal",
    "failed to encrypt",
    "failed to add recent message",
    "info query timed out",
)
_NOT_ON_WHATSAPP = ("no LID found for",)
_REFUSED = ("server returned error", "message recipient must be", "can't send message to unknown server", "not yet supported")


def meaning(text: str) -> Meaning:
    """Tell what a failed send's text means; what is not known for certain is `UNKNOWN`."""
    if "websocket not connected" in text:
        return Meaning.NOT_CONNECTED
    if any(part in text for part in _NOT_ON_WHATSAPP):
        return Meaning.NOT_ON_WHATSAPP
    if any(part in text for part in _BEFORE_SENDING):
        return Meaning.NOT_SENT
    if any(part in text for part in _REFUSED):
        return Meaning.REFUSED
    return Meaning.UNKNOWN


_REFUSED_QUERY = re.compile(r"returned status 4(?!08|29)\d\d")


def is_refusal(text: str) -> bool:
    """Tell whether WhatsApp has answered a query, and the answer is no; to be asked less often, or later, is none."""
    return _REFUSED_QUERY.search(text) is not None


class StoreWatch:
    """Knows an error of whatsmeow's database among the lines that it logs."""

    def __init__(self, port: int) -> None:
        """Watch for a database on *port*: a refused dial to it is its own, one to WhatsApp is not."""
        self._dial = re.compile(rf"dial tcp [^ ]*:{port}: ")
        self._broken = re.compile(rf": (?:unexpected )?EOF$|(?:read|write) tcp [^ ]*:{port}: ")

    def is_store_error(self, line: str) -> bool:
        """Tell whether the database was away or refused."""
        if "idle-session timeout" in line:  # what we asked the database to do with connections that nobody uses
            return False
        if "whatsmeow_pre_keys_pkey" in line:  # two starts of one session made the same key: the database is there, one of them tries again
            return False
        return "pq: " in line or "driver: bad connection" in line or "sql: " in line or self._dial.search(line) is not None

    def unread(self, line: str) -> str | None:
        """Give the id of a message that could not be read because the database was away; None for any other line."""
        found = _UNREAD.match(line)
        if found is None or not (self.is_store_error(line) or self._broken.search(line)):
            return None
        return found["id"]


_UNREAD = re.compile(r"^Error decrypting message (?P<id>\S+) from ")
_IGNORED = re.compile(
    r"^Ignoring message (?P<id>\S+) from (?:(?P<sender>\S+) in )?(?P<chat>[^\s:@]+(?::\d+)?@[a-z.]+): .*old counter", re.DOTALL
)


#: Of a message that it could not read so often, the library asks no more: it stays a placeholder.
GIVEN_UP = "Not sending any more retry receipts for "


class Ignored(NamedTuple):
    """A message that whatsmeow says it has had before; the addresses as it writes them, *sender* with the device."""

    id: str
    chat: str
    sender: str


def ignored_message(line: str) -> Ignored | None:
    """Read what is said of a message that whatsmeow says it has had before; None for any other line.

    It has decrypted it, but a process that was killed in that very moment may not have handed it on.
    """
    found = _IGNORED.match(line)
    return Ignored(found["id"], found["chat"], found["sender"] or found["chat"]) if found else None


_UNANSWERED = re.compile(r"^Failed to handle retry receipt for (?P<chat>\S+?@[a-z.]+)/(?P<id>\S+) from (?P<sender>\S+@[a-z.]+): ")
#: The library writes these two the wrong way round; should it ever mend that, the one with an @ is the address.
_TOO_OFTEN = re.compile(r"^Dropping retry request from (?P<one>\S+) for (?P<other>\S+): internal retry counter is ")


class Unanswered(NamedTuple):
    """A message of ours which a device could not read and asked for again, in vain; the addresses as whatsmeow writes them."""

    id: str
    chat: str
    sender: str


def unanswered_phone(line: str) -> Unanswered | None:
    """Read that somebody's device asked for a message of ours and got no answer; None for any other line.

    whatsmeow answers from the memory of the process that has sent the message. It is not there when that process was killed, nor is
    there an answer while the database is away; and who asks for one message too often is not heard any more. Then the chat is not
    named: it is the sender's, as a group's is never told.
    """
    if (found := _UNANSWERED.match(line)) is not None:
        return Unanswered(found["id"], found["chat"], found["sender"])
    if (found := _TOO_OFTEN.match(line)) is not None:
        sender, id = sorted((found["one"], found["other"]), key=lambda part: "@" not in part)
        return Unanswered(id, sender, sender) if "@" in sender else None
    return None


_DIGITS = re.compile(r"\d{5,}")


def redacted(line: str) -> str:
    """Take the phone numbers out of a line of the library's log."""
    return _DIGITS.sub("…", line)[:500]
