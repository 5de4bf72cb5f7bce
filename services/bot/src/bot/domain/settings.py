"""What the bot is told to do: the document that ``GET`` and ``PUT /api/bot`` speak."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from contracts import hours
from contracts.edge import PublicMediaId, PublicTagId, PublicTeamId
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

RULES_MAX = 2_000
MENUS_MAX = 50
PHRASES_MAX = 50


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("A text cannot hold the character U+0000.")
    return text


Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_096), AfterValidator(_storable)]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_storable)]
Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), AfterValidator(_storable)]


class Part(BaseModel):
    """A part of the document: an unknown member is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class Reply(Part):
    """What is said: a text with variables such as ``{{contact.name}}``, a file, or a file with a caption."""

    text: Said | None = None
    media_id: PublicMediaId | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Reply":
        if self.text is None and self.media_id is None:
            raise ValueError("A reply has a text, a file, or both.")
        return self


class Action(Part):
    """What happens besides.

    Attributes:
        hand_over: A person takes the chat: the assigner finds one, of the team where one is named, and the bot falls silent.
        menu: The menu that is shown after the reply.
    """

    tag_ids: Annotated[tuple[PublicTagId, ...], Field(max_length=20)] = ()
    team_id: PublicTeamId | None = None
    hand_over: bool = False
    close: bool = False
    menu: Id | None = None

    @model_validator(mode="after")
    def _agrees(self) -> "Action":
        if sum((self.hand_over, self.close, self.menu is not None)) > 1:
            raise ValueError("After a reply the chat is handed over, or closed, or a menu follows: one of the three.")
        return self


class Match(StrEnum):
    """How phrases are compared with a message; accents and case make no difference but in a regular expression."""

    EXACT = "exact"
    CONTAINS = "contains"
    STARTS = "starts"
    ANY_OF = "any_of"
    REGEX = "regex"


class Rule(Part):
    """A keyword's answer; of several that match, the first in the list answers.

    Attributes:
        match: ``exact``: the whole message is one of the phrases; ``contains``: one of them stands in it, also inside of a word;
            ``starts``: it begins with one, as whole words; ``any_of``: one of them is in it, as whole words; ``regex``: RE2.
    """

    id: Id
    name: Label
    match: Match
    phrases: Annotated[tuple[Phrase, ...], Field(min_length=1, max_length=PHRASES_MAX)]
    enabled: bool = True
    reply: Reply | None = None
    action: Action = Action()

    @model_validator(mode="after")
    def _does_something(self) -> "Rule":
        if self.reply is None and self.action == Action():
            raise ValueError("A rule has a reply, or something that happens.")
        return self


class Option(Part):
    """A line of a menu. *key* is what the customer types; ``0`` is always the way to a person."""

    key: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]?$")]
    label: Label
    reply: Reply | None = None
    action: Action = Action()


class Menu(Part):
    """Numbered options below a text."""

    id: Id
    text: Said
    options: Annotated[tuple[Option, ...], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def _keys_differ(self) -> "Menu":
        if len({option.key for option in self.options}) < len(self.options):
            raise ValueError("Two options have the same key.")
        return self


class Welcome(Part):
    """Said to who writes for the first time, or again after *after_days* of silence (null: the first time alone)."""

    enabled: bool = False
    reply: Reply | None = None
    menu: Id | None = None
    after_days: Annotated[int, Field(ge=1, le=365)] | None = 30

    @model_validator(mode="after")
    def _says_something(self) -> "Welcome":
        if self.enabled and self.reply is None and self.menu is None:
            raise ValueError("A welcome needs a reply or a menu.")
        return self


Time = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]


class Span(Part):
    """From *opens* to *closes* on the clock; one that closes earlier than it opens ends on the next day."""

    opens: Time
    closes: Time


class Weekly(Span):
    """A span of every week; *day* is 0 on Mondays and 6 on Sundays."""

    day: Annotated[int, Field(ge=0, le=6)]


class Holiday(Part):
    """A date with other hours than usual; without any it is closed all day."""

    date: date
    name: Annotated[str, StringConstraints(max_length=100)] = ""
    spans: Annotated[tuple[Span, ...], Field(max_length=10)] = ()


class Hours(Part):
    """When somebody is there."""

    time_zone: Annotated[str, StringConstraints(max_length=64)]
    weekly: Annotated[tuple[Weekly, ...], Field(max_length=100)] = ()
    holidays: Annotated[tuple[Holiday, ...], Field(max_length=400)] = ()

    @model_validator(mode="after")
    def _holds(self) -> "Hours":
        self.rule()
        return self

    def rule(self) -> hours.Hours:
        """Give the same as the rule that every service reads.  Raises: ValueError."""
        try:
            return msgspec.convert(self.model_dump(mode="json"), hours.Hours)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None


class OutOfHours(Part):
    """Said once while it is closed.

    Attributes:
        hours: The bot's own; null: the service hours of the chat's team, number or account.
    """

    enabled: bool = False
    reply: Reply | None = None
    hours: Hours | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "OutOfHours":
        if self.enabled and self.reply is None:
            raise ValueError("An out-of-hours message needs a reply.")
        return self


class Manners(Part):
    """How it behaves.

    Attributes:
        pause_minutes: How long it is silent after a person has answered; null: until the chat is closed, which ends it in any case.
        delay_seconds: It waits that long before it answers, from least to most.
    """

    pause_minutes: Annotated[int, Field(ge=1, le=60 * 24 * 30)] | None = 12 * 60
    delay_seconds: tuple[Annotated[float, Field(ge=0, le=60)], Annotated[float, Field(ge=0, le=60)]] = (1.0, 3.0)

    @model_validator(mode="after")
    def _grows(self) -> "Manners":
        if self.delay_seconds[0] > self.delay_seconds[1]:
            raise ValueError("The shortest delay is longer than the longest.")
        return self


class Bot(Part):
    """Everything that the bot does on a number."""

    enabled: bool = False
    welcome: Welcome = Welcome()
    out_of_hours: OutOfHours = OutOfHours()
    rules: Annotated[tuple[Rule, ...], Field(max_length=RULES_MAX)] = ()
    menus: Annotated[tuple[Menu, ...], Field(max_length=MENUS_MAX)] = ()
    manners: Manners = Manners()

    @model_validator(mode="after")
    def _is_whole(self) -> "Bot":
        for what, ids in (("rules", [rule.id for rule in self.rules]), ("menus", [menu.id for menu in self.menus])):
            if len(set(ids)) < len(ids):
                raise ValueError(f"Two {what} have the same id.")
        known = {menu.id for menu in self.menus}
        named = {self.welcome.menu, *(rule.action.menu for rule in self.rules)}
        named |= {option.action.menu for menu in self.menus for option in menu.options}
        missing = sorted(named - known - {None}, key=str)
        if missing:
            raise ValueError(f"There is no menu {missing[0]!r}.")
        return self


class Own(Part):
    """What a number does differently; null: as the account's.

    Attributes:
        menus: With *rules* or *welcome* of its own that show a menu, the menus as well.
    """

    enabled: bool | None = None
    welcome: Welcome | None = None
    out_of_hours: OutOfHours | None = None
    rules: Annotated[tuple[Rule, ...], Field(max_length=RULES_MAX)] | None = None
    menus: Annotated[tuple[Menu, ...], Field(max_length=MENUS_MAX)] | None = None
    manners: Manners | None = None

    def over(self, bot: Bot) -> Bot:
        """Give what holds on the number.  Raises: pydantic.ValidationError: a menu is missing then."""
        own = {name: getattr(self, name) for name in type(self).model_fields if getattr(self, name) is not None}
        return Bot.model_validate({name: getattr(bot, name) for name in Bot.model_fields} | own)


def dump(document: Part) -> dict[str, Any]:
    """Give *document* as it is kept and shown."""
    return document.model_dump(mode="json")
