"""What can be wrong with what somebody asks of the bot."""

from contracts.errors import Conflict, Invalid, NotFound, Unavailable


class ChatMissing(NotFound):
    """The bot knows no such chat."""

    code = "chat-not-found"


class NumberMissing(NotFound):
    """The bot knows no such number."""

    code = "device-not-found"


class OwnMissing(NotFound):
    """This number has no settings of its own: the account's hold."""

    code = "bot-settings-not-found"


class SettingsChanged(Conflict):
    """Somebody else has changed the bot meanwhile."""

    code = "bot-changed"


class RuleInvalid(Invalid):
    """A rule or a menu of the bot cannot work."""

    code = "bot-rule-invalid"


class NumbersAway(Unavailable):
    """Nobody can say at the moment whether there is such a number."""

    code = "devices-unavailable"
