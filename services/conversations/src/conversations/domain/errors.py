"""The problems that this service can answer with, each with its permanent code."""

from contracts.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable


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


class ChatMoved(Conflict):
    """Somebody else changed this chat meanwhile; `chat` is how it stands."""

    code = "chat-moved"


class SnoozeInvalid(Invalid):
    """A snooze ends at a time ahead."""

    code = "snooze-invalid"


class AssigneeInvalid(Invalid):
    """Nobody active with this id sees the chat."""

    code = "assignee-invalid"


class MentionInvalid(Invalid):
    """Nobody active with this id sees the chat."""

    code = "mention-invalid"


class TeamMissing(NotFound):
    """No such team is here."""

    code = "team-not-found"


class AgentMissing(NotFound):
    """No such person is here."""

    code = "user-not-found"


class TagMissing(NotFound):
    """No such tag is here."""

    code = "tag-not-found"


class TagTaken(Conflict):
    """There is a tag with this name."""

    code = "tag-taken"


class FieldInvalid(Invalid):
    """A field of the contact does not take this."""

    code = "contact-field-invalid"


class StateMissing(NotFound):
    """The account has no such state of contacts."""

    code = "contact-state-not-found"


class NoteMissing(NotFound):
    """The contact has no such note."""

    code = "note-not-found"


class TooMany(Conflict):
    """There are as many of these as an account can have."""

    code = "too-many"


class ReplyMissing(NotFound):
    """No such canned reply is here."""

    code = "reply-not-found"


class ShortcutTaken(Conflict):
    """There is a canned reply with this shortcut."""

    code = "shortcut-taken"


class VariableUnknown(Invalid):
    """A canned reply names a variable that does not exist."""

    code = "variable-unknown"


class ScheduledMissing(NotFound):
    """No such message is scheduled."""

    code = "scheduled-not-found"


class FileMissing(NotFound):
    """The file that was to be sent is not here any more."""

    code = "scheduled-file-gone"


class ScheduledOver(Conflict):
    """It has been sent, cancelled, or could not be sent."""

    code = "scheduled-over"


class ScheduleInvalid(Invalid):
    """A message is scheduled for a time ahead, within a year."""

    code = "schedule-invalid"


class NotFailed(Conflict):
    """Only a message that failed, or that the phone could not read, can be sent again."""

    code = "not-failed"


class NotUnknown(Conflict):
    """Nobody has to settle this: what became of it is known."""

    code = "not-unknown"


class QuoteInvalid(Invalid):
    """A message answers one of the same chat that WhatsApp knows."""

    code = "quote-invalid"


class HoursMissing(NotFound):
    """No such service hours are here."""

    code = "hours-not-found"


class HoursOverlap(Conflict):
    """Other service hours hold there already."""

    code = "hours-overlap"


class ContactBlocked(Conflict):
    """This contact is blocked: nothing is sent to it until somebody unblocks it."""

    code = "contact-blocked"


class EmailInvalid(Invalid):
    """This is no address of mail."""

    code = "email-invalid"


class MergeInvalid(Invalid):
    """A contact cannot be merged like this."""

    code = "merge-invalid"


class SheetInvalid(Invalid):
    """This file cannot be read as a list of contacts."""

    code = "import-unreadable"


class ColumnsInvalid(Invalid):
    """The list cannot be read with these columns."""

    code = "import-columns-invalid"


class ImportMissing(NotFound):
    """No such import is here."""

    code = "import-not-found"


class ImportStands(Conflict):
    """The import cannot do this where it stands."""

    code = "import-state"
