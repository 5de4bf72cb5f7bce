"""What can go wrong when somebody looks at the queue of sends and takes something out."""

from contracts.errors import Conflict, Invalid, NotFound


class SendMissing(NotFound):
    """No such message waits here."""

    code = "send-not-found"


class SendStarted(Conflict):
    """The message is on its way, or has ended: it can be cancelled no more."""

    code = "send-started"


class SettingsInvalid(Invalid):
    """One of the settings makes no sense."""

    code = "settings-invalid"


class PauseInvalid(Invalid):
    """A pause ends in the future, within a year."""

    code = "pause-invalid"
