"""The problems that this service can answer with, each with its permanent code."""

from contracts.errors import Conflict, Forbidden, Invalid, NotFound


class LeadMissing(NotFound):
    """No such lead is here."""

    code = "lead-not-found"


class PipelineMissing(NotFound):
    """No such pipeline is here."""

    code = "pipeline-not-found"


class StageMissing(NotFound):
    """No such stage is here."""

    code = "stage-not-found"


class TaskMissing(NotFound):
    """No such task is here."""

    code = "task-not-found"


class NoteMissing(NotFound):
    """No such note is here."""

    code = "note-not-found"


class RuleMissing(NotFound):
    """No such rule is here."""

    code = "rule-not-found"


class ChatMissing(NotFound):
    """No such chat is here."""

    code = "chat-not-found"


class ContactMissing(NotFound):
    """No such contact is here."""

    code = "contact-not-found"


class UserMissing(NotFound):
    """Nobody in this account has this id."""

    code = "user-not-found"


class LeadMoved(Conflict):
    """Somebody else changed this lead meanwhile; `lead` is how it is now."""

    code = "lead-moved-on"


class LastOfItsKind(Conflict):
    """A pipeline keeps at least one open stage, and an account at least one pipeline."""

    code = "last-of-its-kind"


class LeadsInTheWay(Conflict):
    """Leads are still in it: say with `move_to` where they go."""

    code = "leads-in-the-way"


class TooMany(Conflict):
    """There are as many of these as an account may have."""

    code = "too-many"


class StageElsewhere(Invalid):
    """This stage belongs to another pipeline."""

    code = "stage-of-another-pipeline"


class CurrencyUnknown(Invalid):
    """This is no currency of ISO 4217."""

    code = "currency-unknown"


class ValueOutOfRange(Invalid):
    """A value is a number of minor units, from 0 to 9,999,999,999,999."""

    code = "value-out-of-range"


class RuleInvalid(Invalid):
    """A rule like this cannot run."""

    code = "rule-invalid"


class FactUnusable(Invalid):
    """A fact from the bus lacks what it is about."""

    code = "fact-unusable"


class AdminOnly(Forbidden):
    """Only an admin may change pipelines and stages."""

    code = "admin-only"
