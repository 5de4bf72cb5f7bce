"""Rules: what makes a lead of a chat, and what follows when a lead comes into a stage.

A rule is data: a trigger and what to do. Whether it may run is decided here: never twice for one cause, never where it stands
in the chain that led there, never deeper than `DEEPEST`, and not again and again for one lead.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Literal
from uuid import UUID

import msgspec
from contracts.ids import PipelineId, StageId, UserId

from pipeline.domain.errors import RuleInvalid

DEEPEST = 4
"""Rules that may follow from one another."""

OFTEN = 10
"""Runs of one rule for one lead within an hour: more is a loop that goes round outside of here."""

MOST_RULES = 200
"""Of one account."""

SHORTEST_KEYWORD = 2

Match = Literal["contains", "word", "exact", "starts"]


class FirstMessage(msgspec.Struct, frozen=True, kw_only=True, tag="first_message", tag_field="on"):
    """A customer writes in a chat for the first time. *devices*: to one of these numbers; none: to any."""

    devices: tuple[UUID, ...] = ()


class Keyword(msgspec.Struct, frozen=True, kw_only=True, tag="keyword", tag_field="on"):
    """A customer writes one of *words*; accents and case do not count."""

    words: tuple[str, ...]
    match: Match = "word"
    devices: tuple[UUID, ...] = ()


class Tagged(msgspec.Struct, frozen=True, kw_only=True, tag="chat_tagged", tag_field="on"):
    """A chat bears *tag_id* that did not bear it before."""

    tag_id: UUID


class StageEntered(msgspec.Struct, frozen=True, kw_only=True, tag="stage_entered", tag_field="on"):
    """A lead comes into *stage_id* (None: any), newly made or from another one."""

    stage_id: StageId | None = None
    pipeline_id: PipelineId | None = None


class MakeLead(msgspec.Struct, frozen=True, kw_only=True, tag="make_lead", tag_field="do"):
    """The chat has a lead, if it has no open one there yet."""

    pipeline_id: PipelineId | None = None
    stage_id: StageId | None = None
    title: str = "{contact}"
    value: int = 0


class Send(msgspec.Struct, frozen=True, kw_only=True, tag="send", tag_field="do"):
    """The customer gets *text*."""

    text: str


class Assign(msgspec.Struct, frozen=True, kw_only=True, tag="assign", tag_field="do"):
    """The lead has this owner, or the chat is handed over to *team_id*."""

    owner_id: UserId | None = None
    team_id: UUID | None = None


class Tag(msgspec.Struct, frozen=True, kw_only=True, tag="tag", tag_field="do"):
    """The lead bears *add* and not *remove*; with *chat* its chat as well."""

    add: tuple[UUID, ...] = ()
    remove: tuple[UUID, ...] = ()
    chat: bool = False


class MakeTask(msgspec.Struct, frozen=True, kw_only=True, tag="make_task", tag_field="do"):
    """The lead has a task that is due *due_minutes* later, and people are reminded of it then."""

    title: str
    due_minutes: int
    assignee_id: UserId | None = None


class Notify(msgspec.Struct, frozen=True, kw_only=True, tag="notify", tag_field="do"):
    """Webhooks and open panels are told."""

    note: str | None = None


class Move(msgspec.Struct, frozen=True, kw_only=True, tag="move", tag_field="do"):
    """The lead goes to the top of *stage_id*."""

    stage_id: StageId


Trigger = FirstMessage | Keyword | Tagged | StageEntered
Action = MakeLead | Send | Assign | Tag | MakeTask | Notify | Move

_FROM_CHATS = (FirstMessage, Keyword, Tagged)
VARIABLES = frozenset({"contact", "phone", "title", "value", "stage", "pipeline", "owner"})
_PLACE = re.compile(r"\{(\w+)\}")


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger and what to do, in order."""

    id: UUID
    name: str
    enabled: bool
    trigger: Trigger
    actions: tuple[Action, ...]

    @property
    def makes_leads(self) -> bool:
        """Whether its trigger is something that happens in a chat."""
        return isinstance(self.trigger, _FROM_CHATS)


def check(rule: Rule) -> None:
    """Return if *rule* can run.  Raises: RuleInvalid."""
    if not 1 <= len(rule.actions) <= 10:
        raise RuleInvalid("A rule does between one and ten things.")
    if rule.makes_leads:
        if not isinstance(rule.actions[0], MakeLead) or sum(isinstance(action, MakeLead) for action in rule.actions) > 1:
            raise RuleInvalid("What begins with a chat makes a lead first, once.")
        if any(isinstance(action, Move) for action in rule.actions):
            raise RuleInvalid("Make the lead in the stage that it shall be in.")
    elif any(isinstance(action, MakeLead) for action in rule.actions):
        raise RuleInvalid("What begins with a lead makes no other one.")
    if isinstance(rule.trigger, Keyword):
        if not 1 <= len(rule.trigger.words) <= 50:
            raise RuleInvalid("Between one and fifty keywords.")
        if any(len(fold(word)) < SHORTEST_KEYWORD or not any(map(str.isalnum, fold(word))) for word in rule.trigger.words):
            raise RuleInvalid(
                f"A keyword has at least {SHORTEST_KEYWORD} characters, a letter or digit among them: less would match everything."
            )
    for action in rule.actions:
        for text in (getattr(action, "text", None), getattr(action, "title", None), getattr(action, "note", None)):
            if text is not None and (unknown := set(_PLACE.findall(text)) - VARIABLES):
                raise RuleInvalid(f"Nobody knows {{{min(unknown)}}}; there are {', '.join(sorted(VARIABLES))}.")
        if isinstance(action, Move) and isinstance(rule.trigger, StageEntered) and rule.trigger.stage_id in {None, action.stage_id}:
            raise RuleInvalid("It would set itself off: name another stage.")
        if isinstance(action, Assign) and (action.owner_id is None) == (action.team_id is None):
            raise RuleInvalid("Assign either to a person or to a team.")


def admits(rule: UUID, chain: Collection[UUID]) -> bool:
    """Tell whether *rule* may follow from *chain*, the rules that led here: each at most once, and not too many."""
    return rule not in chain and len(chain) < DEEPEST


def hears(trigger: Trigger, *, text: str | None, first: bool, device: UUID) -> bool:
    """Tell whether a customer's message sets *trigger* off; one without a text, such as a voice note, says no keyword."""
    match trigger:
        case FirstMessage(devices=devices):
            return first and (not devices or device in devices)
        case Keyword(words=words, match=how, devices=devices):
            return text is not None and (not devices or device in devices) and says(text, words, how)
    return False


def enters(trigger: Trigger, *, pipeline: UUID, stage: UUID) -> bool:
    """Tell whether a lead that comes into *stage* sets *trigger* off."""
    match trigger:
        case StageEntered(stage_id=wanted, pipeline_id=board):
            return wanted == stage if wanted is not None else board in {None, pipeline}
    return False


def says(text: str, words: Sequence[str], how: Match) -> bool:
    """Tell whether one of *words* stands in *text*, as *how* demands it."""
    said = fold(text)
    wanted = [fold(word) for word in words]
    match how:
        case "exact":
            return said in wanted
        case "starts":
            return any(said.startswith(word) for word in wanted)
        case "contains":
            return any(word in said for word in wanted)
    padded = f" {_words(said)} "
    return any(f" {_words(word)} " in padded for word in wanted)


def fold(text: str) -> str:
    """Give *text* without accents, case and spaces around it."""
    plain = unicodedata.normalize("NFKD", text[:5000].casefold())
    return "".join(character for character in plain if not unicodedata.combining(character)).strip()


def fill(template: str, values: Mapping[str, str]) -> str:
    """Write the variables of *template*; what has no value is left out."""
    return _PLACE.sub(lambda place: values.get(place.group(1), ""), template).strip()


def _words(folded: str) -> str:
    return " ".join(re.findall(r"\w+", folded))
