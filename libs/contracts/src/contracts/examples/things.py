"""What the examples are about: one account, its people, a number, a chat, a message."""

from datetime import UTC, datetime
from uuid import UUID

from contracts import ids
from contracts.ids import DeviceId, MessageId, TenantId, UserId
from contracts.principal import Actor
from contracts.whatsapp import Address

AT = datetime(2026, 11, 21, 18, 0, 0, 123000, tzinfo=UTC)
TENANT = TenantId(UUID("01935000-0000-7000-8000-00000000000a"))
USER = UserId(UUID("01935000-0000-7000-8000-00000000000b"))
SESSION = UUID("01935000-0000-7000-8000-00000000000c")
DEVICE = DeviceId(UUID("01935000-0000-7000-8000-00000000000d"))
MESSAGE = MessageId(UUID("01935000-0000-7000-8000-00000000000e"))
CHAT = UUID("01935000-0000-7000-8000-00000000000f")
CONTACT = UUID("01935000-0000-7000-8000-000000000010")
KEY = UUID("01935000-0000-7000-8000-000000000011")
TEAM = UUID("01935000-0000-7000-8000-000000000012")
TAG = UUID("01935000-0000-7000-8000-000000000014")
INVITATION = UUID("01935000-0000-7000-8000-000000000013")
ACTOR = Actor(id=USER, address="192.0.2.7")

CUSTOMER = Address("pn", "5215550001111")
LID = Address("lid", "104200000000001")

MESSAGE_ID = ids.public(ids.MESSAGE, MESSAGE)
CHAT_ID = ids.public(ids.CHAT, CHAT)
CONTACT_ID = ids.public(ids.CONTACT, CONTACT)
DEVICE_ID = ids.public(ids.DEVICE, DEVICE)
USER_ID = ids.public(ids.USER, USER)
TEAM_ID = ids.public(ids.TEAM, TEAM)
TAG_ID = ids.public(ids.TAG, TAG)
