"""What can be set of one device, with its bounds and what holds where nothing is set."""

import json
import re
from datetime import time
from functools import lru_cache
from typing import Annotated, Any, Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from contracts.errors import Invalid
from contracts.ids import DeviceId
from contracts.whatsapp import AddressKind
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

LONGEST_METADATA = 4096
MOST_LABELS = 20
_PROXY_SCHEMES = ("http", "https", "socks5")


class ProxyInvalid(Invalid):
    """This is no address of a proxy."""

    code = "proxy-invalid"


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("A time zone of the IANA's list, such as America/Mexico_City.")
    return name


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("A text cannot hold the character U+0000.")
    return text


class _Part(BaseModel):
    """A part of the settings; a member of a later version, or of an earlier one, is read over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True)


class Quiet(_Part):
    """The hours in which nothing is sent, of the account's wall clock; an end before the start is on the next day.

    Attributes:
        answers: Who wrote within the last 24 hours is answered all the same.
        time_zone: Another one than the account's.
    """

    start: time = Field(examples=["21:00"])
    end: time = Field(examples=["08:00"])
    answers: bool = True
    time_zone: Annotated[str, AfterValidator(_zone)] | None = None

    @model_validator(mode="after")
    def _has_a_length(self) -> Self:
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError("Times of the wall clock have no offset.")
        if self.start.replace(second=0, microsecond=0) == self.end.replace(second=0, microsecond=0):
            raise ValueError("Start and end are the same: that would be no time, or all of it.")
        return self


class WarmUpStage(_Part):
    """What a young number may do on one of its first days.

    Attributes:
        new_contacts: To how many it may write that never heard of it.
        messages: How many messages it may send to those who have not written in the last 24 hours.
    """

    new_contacts: int = Field(ge=0, le=10_000)
    messages: int = Field(ge=0, le=100_000)


#: Day by day from the pairing: what a new number may do before it is trusted. Answers are never counted.
WARM_UP = tuple(
    WarmUpStage(new_contacts=contacts, messages=messages)
    for contacts, messages in (
        (20, 100),
        (25, 150),
        (30, 200),
        (40, 300),
        (50, 400),
        (60, 500),
        (80, 700),
        (100, 1000),
        (120, 1500),
        (150, 2000),
    )
)


class Pace(_Part):
    """How fast and to whom a number sends, so that WhatsApp takes it for what it is and does not ban it.

    Attributes:
        enabled: False: it sends as fast as it goes, and nothing waits.
        per_minute: Messages a minute in the long run.
        burst: Messages that may go at once after a rest.
        gap_min_ms: The shortest pause between two messages.
        gap_max_ms: The longest; each pause is drawn between both.
        typing: Show that somebody types, for as long as a person would, before a text is sent.
        new_contacts_per_day: To how many it may write in a day that never wrote to it and were never written to.
        warm_up: What holds instead on the first days after the pairing, one stage a day; empty: the number is trusted at once.
        quiet: When nothing is sent.
    """

    enabled: bool = True
    per_minute: int = Field(60, ge=1, le=600)
    burst: int = Field(30, ge=1, le=300)
    gap_min_ms: int = Field(50, ge=0, le=60_000)
    gap_max_ms: int = Field(400, ge=0, le=60_000)
    typing: bool = False
    new_contacts_per_day: int = Field(200, ge=0, le=10_000)
    warm_up: tuple[WarmUpStage, ...] = Field(WARM_UP, max_length=60)
    quiet: Quiet | None = None

    @model_validator(mode="after")
    def _gaps_in_order(self) -> Self:
        if self.gap_max_ms < self.gap_min_ms:
            raise ValueError("gap_max_ms is below gap_min_ms.")
        return self


class Receive(_Part):
    """What a number takes in besides the chats with people. What it does not take in is acknowledged and forgotten.

    Attributes:
        groups: None: as the installation has it.
    """

    groups: bool | None = None
    status: bool = False
    channels: bool = False

    def kinds(self, groups: bool) -> frozenset[AddressKind]:
        """Give the kinds of chat that are taken in; *groups*: whether groups are, where that is not set."""
        more: dict[AddressKind, bool] = {
            "group": groups if self.groups is None else self.groups,
            "status": self.status,
            "channel": self.channels,
        }
        return frozenset({"pn", "lid", *(kind for kind, taken in more.items() if taken)})


class Presence(_Part):
    """Whether people see each other write.

    Attributes:
        customers: Agents see that a customer writes. For that the number is shown as online while somebody has one of its chats
            open, and meanwhile its own phone is not notified.
        agents: A customer sees that an agent writes.
    """

    customers: bool = True
    agents: bool = True


def _small(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except RecursionError:
        raise ValueError("Too deep.") from None
    if len(text.encode()) > LONGEST_METADATA:
        raise ValueError(f"At most {LONGEST_METADATA} bytes of JSON.")
    if "\\u0000" in text:
        raise ValueError("A text cannot hold the character U+0000.")
    return value


def _distinct(labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(labels))


Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), AfterValidator(_storable)]
Metadata = Annotated[dict[str, JsonValue], AfterValidator(_small)]
Labels = Annotated[tuple[Label, ...], Field(max_length=MOST_LABELS), AfterValidator(_distinct)]
ShownAs = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=30), AfterValidator(_storable)]


class DeviceSettings(_Part):
    """All of it.

    Attributes:
        shown_as: How the linked device is called in the phone's list; it is said at the pairing, so a change needs another one.
        labels: Words to find numbers by.
        metadata: What a program keeps with the number, as it likes.
    """

    pace: Pace = Pace()
    receive: Receive = Receive()
    presence: Presence = Presence()
    shown_as: ShownAs | None = None
    labels: Labels = ()
    metadata: Metadata = Field(default_factory=dict)

    @classmethod
    def read(cls, stored: str) -> "DeviceSettings":
        """Read what `written` gave."""
        return _read(stored)

    def written(self) -> str:
        """Give it as JSON; what is as it always was is left out, and so follows if that changes."""
        return self.model_dump_json(exclude_defaults=True)

    def changed(self, **changes: Any) -> "DeviceSettings":
        """Give it with *changes*, which may be parts of a part.  Raises: pydantic.ValidationError."""
        return DeviceSettings.model_validate(_merged(self.model_dump(), changes))


#: A device of which nothing is set.
UNSET = DeviceSettings()


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, value in new.items():
        before = merged.get(name)
        nested = isinstance(before, dict) and isinstance(value, dict) and name != "metadata"
        merged[name] = _merged(before, value) if nested and isinstance(before, dict) else value
    return merged


@lru_cache(maxsize=4096)
def _read(stored: str) -> DeviceSettings:
    return DeviceSettings.model_validate_json(stored)


def proxy_label(device: DeviceId) -> str:
    """Name what a device's proxy is sealed as: no other device's opens with it."""
    return f"proxy of {device}"


def proxy_address(text: str) -> str:
    """Give *text* if it is a proxy's address, ``socks5://user:password@host:port``.  Raises: ProxyInvalid."""
    if len(text) > 500 or not text.isascii() or not text.isprintable() or re.search(r"\s", text):
        raise ProxyInvalid("At most 500 printable ASCII characters, and no space.")
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        raise ProxyInvalid("The port is none.") from None
    if parts.scheme not in _PROXY_SCHEMES:
        raise ProxyInvalid("It begins with http://, https:// or socks5://.")
    if not parts.hostname or not port:
        raise ProxyInvalid("It names a host and a port.")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ProxyInvalid("Nothing stands behind the port.")
    return text


def proxy_shown(text: str) -> str:
    """Give a proxy's address as it may be shown: without what only its owner knows."""
    parts = urlsplit(text)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{'•••@' if parts.username is not None else ''}{host}:{parts.port}"
