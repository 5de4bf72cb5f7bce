"""Ids: UUIDv7 inside, ``dev_`` and 26 Crockford base32 characters at the public edge.

A UUIDv7 sorts by the time of its making, so it serves as a key and as the tail of a keyset cursor. At the edge an id
says what it names, so that a chat's id in a device's place is refused by its looks alone.
"""

from datetime import UTC, datetime
from typing import NewType
from uuid import UUID, uuid5

from uuid_utils.compat import uuid7

TenantId = NewType("TenantId", UUID)
UserId = NewType("UserId", UUID)
DeviceId = NewType("DeviceId", UUID)
ContactId = NewType("ContactId", UUID)
ChatId = NewType("ChatId", UUID)
MessageId = NewType("MessageId", UUID)
PipelineId = NewType("PipelineId", UUID)
StageId = NewType("StageId", UUID)
LeadId = NewType("LeadId", UUID)

ACCOUNT = "acc"
USER = "usr"
SESSION = "ses"
TEAM = "tem"
INVITATION = "inv"
KEY = "key"
DEVICE = "dev"
CONTACT = "cnt"
CHAT = "cht"
MESSAGE = "msg"
MEDIA = "med"
TAG = "tag"
CONTACT_STATE = "cst"
CONTACT_NOTE = "cno"
IMPORT = "imp"
REPLY = "rpl"
SCHEDULED = "sch"
HAPPENING = "hpn"
HOURS = "hrs"
PIPELINE = "pip"
STAGE = "stg"
LEAD = "led"
TASK = "tsk"
NOTE = "not"
RULE = "rul"
WEBHOOK = "whk"
EVENT = "evt"
DELIVERY = "dlv"
ATTEMPT = "att"
REPLAY = "rpy"
ERASURE = "ers"
EXPORT = "xpt"

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]
_VALUE = {character: number for number, character in enumerate(_ALPHABET)}
_VALUE |= {character.lower(): number for character, number in _VALUE.items()}
_LENGTH = 26  # 130 bits for 128: the first character is at most 7
_FACTS = UUID("6f1c5f0e-6c52-5d0a-9d56-5a1f6f0b7f11")


def new() -> UUID:
    """Make a UUIDv7 of now."""
    return uuid7()


def derived(*parts: object) -> UUID:
    """Make the one UUIDv5 of *parts*: the same parts give the same id in every process.

    Each part is written with its length before it, so that ``("ab", "c")`` and ``("a", "bc")`` differ.
    """
    text = "".join(f"{len(part)}:{part}" for part in map(str, parts))
    return uuid5(_FACTS, text)


def made_at(id: UUID) -> datetime:
    """Read the UTC time, in milliseconds, out of a UUIDv7."""
    return datetime.fromtimestamp((id.int >> 80) / 1000, UTC)


def public(prefix: str, id: UUID) -> str:
    """Write *id* as the edge shows it: ``dev_01J9…``."""
    n = id.int  # ten bits at a time, written out: a page of a list holds hundreds of ids
    return (
        f"{prefix}_{_PAIRS[n >> 120]}{_PAIRS[n >> 110 & 1023]}{_PAIRS[n >> 100 & 1023]}{_PAIRS[n >> 90 & 1023]}{_PAIRS[n >> 80 & 1023]}"
        f"{_PAIRS[n >> 70 & 1023]}{_PAIRS[n >> 60 & 1023]}{_PAIRS[n >> 50 & 1023]}{_PAIRS[n >> 40 & 1023]}{_PAIRS[n >> 30 & 1023]}"
        f"{_PAIRS[n >> 20 & 1023]}{_PAIRS[n >> 10 & 1023]}{_PAIRS[n & 1023]}"
    )


def parse(prefix: str, text: str) -> UUID:
    """Read a public id back; upper and lower case are one.

    Raises:
        ValueError: Not 26 characters of Crockford's base32 after ``prefix_``, or more than 128 bits.
    """
    head, separator, tail = text.partition("_")
    if head != prefix or not separator or len(tail) != _LENGTH:
        raise ValueError(f"An id here looks like {prefix}_ and {_LENGTH} characters.")
    number = 0
    for character in tail:
        digit = _VALUE.get(character)
        if digit is None:
            raise ValueError(f"{character!r} is not in an id.")
        number = number << 5 | digit
    if number >> 128:
        raise ValueError("An id has 128 bits, this one has more.")
    return UUID(int=number)
