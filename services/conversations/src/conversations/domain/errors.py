"""The problems that this service can answer with, each with its permanent code."""

from contracts.errors import Forbidden, Invalid, NotFound, Unavailable


class ChatMissing(NotFound):
    """No such chat is here."""

    code = "chat-not-found"


class MessageMissing(NotFound):
    """No such message is here."""

    code = "message-not-found"


class ContactMissing(NotFound):
    """No such contact is here."""

    code = "contact-not-found"


class ContactUnseen(Forbidden):
    """Only who has a chat on a number that you see can be a contact of yours."""

    code = "contact-unseen"


class DeviceMissing(NotFound):
    """No such number is here."""

    code = "device-not-found"


class DeviceOwnerAway(Unavailable):
    """Nobody can say just now whether this number exists; try again."""

    code = "device-owner-away"


class PhoneInvalid(Invalid):
    """This is no phone number."""

    code = "phone-invalid"


class FactUnusable(Invalid):
    """A fact from the bus lacks what it is about."""

    code = "fact-unusable"
