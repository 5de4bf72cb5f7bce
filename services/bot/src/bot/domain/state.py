"""What the bot remembers of a chat: durable, so that a restart in the middle of a menu changes nothing."""

from datetime import datetime, timedelta

import msgspec

#: An option may be chosen that long after the menu was shown; the way to a person stays open a day.
MENU_OPEN = timedelta(minutes=30)
PERSON_OPEN = timedelta(hours=24)


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One chat.

    Attributes:
        fresh: The chat began while the bot was there, and nobody has written in it before.
        seen_at: The customer's newest message.
        greeted_at: When the welcome (or another first answer) was given.
        closed_until: The opening that the out-of-hours message was said for: once until then.
        paused_at: Since when a person (or a switch) keeps it silent; None: it is not.
        paused_until: Until when; None with *paused_at*: until the chat is closed.
        paused_by: ``msg_…``: the message of a person that did it.
        menu: The menu that waits for a number.
        menu_at: When a menu was last shown.
        tries: Answers to it that were no option.
        answered_at: When the newest answer goes out.
        heard: The newest texts of the customer, as short digests, the newest last.
        suspicion: How many messages in a row looked like a program's.
        count: Answers since *count_since*.
        revision: Of the newest known standing of the chat.
    """

    fresh: bool = False
    seen_at: datetime | None = None
    greeted_at: datetime | None = None
    closed_until: datetime | None = None
    paused_at: datetime | None = None
    paused_until: datetime | None = None
    paused_by: str | None = None
    menu: str | None = None
    menu_at: datetime | None = None
    tries: int = 0
    answered_at: datetime | None = None
    heard: tuple[str, ...] = ()
    suspicion: int = 0
    count: int = 0
    count_since: datetime | None = None
    revision: int = -1

    def silent(self, at: datetime) -> bool:
        """Tell whether it is paused at *at*."""
        return self.paused_at is not None and (self.paused_until is None or at < self.paused_until)

    def paused(self, at: datetime, pause: timedelta | None, by: str | None = None) -> "State":
        """Give it silent from *at* on, for *pause* or until the chat is closed; menus are over."""
        if self.paused_at is not None and self.paused_at > at and by is not None:
            return self
        until = None if pause is None else at + pause
        return msgspec.structs.replace(self, paused_at=at, paused_until=until, paused_by=by, menu=None, tries=0)

    def resumed(self) -> "State":
        """Give it able to speak again."""
        return msgspec.structs.replace(self, paused_at=None, paused_until=None, paused_by=None, suspicion=0, heard=())

    def closed(self) -> "State":
        """Give it as after the chat was closed: what was going on is over."""
        return msgspec.structs.replace(self.resumed(), menu=None, tries=0)
