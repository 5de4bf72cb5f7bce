"""A dry run: a conversation walks through the rules, and nothing is sent."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from contracts.edge import PublicDeviceId, PublicMediaId, PublicTagId, PublicTeamId
from contracts.principal import Scope
from fastapi import APIRouter
from pydantic import AwareDatetime, Field, StringConstraints
from servicekit.db import raw
from servicekit.http import Caller, needs, problems

from bot import compiled
from bot.api.parts import Db, OnBus, known_number
from bot.api.settings import standing
from bot.compiled import Compiled
from bot.domain.decide import Incoming, Setting, Why, decide, pause
from bot.domain.errors import NumberMissing, NumbersAway, RuleInvalid
from bot.domain.phrases import Matcher
from bot.domain.settings import Bot, Part
from bot.domain.state import State
from bot.store import facts
from bot.store.settings import ACCOUNT

router = APIRouter(prefix="/api/bot", tags=["bot"])


class Step(Part):
    """Something that happens in the conversation.

    Attributes:
        who: ``customer`` writes, ``person``: somebody of the team answers, ``close``: the chat is closed.
        text: What the customer writes; null: a voice note or a picture.
        after_minutes: How long after the step before.
    """

    who: Literal["customer", "person", "close"] = "customer"
    text: Annotated[str, StringConstraints(max_length=4_096)] | None = None
    after_minutes: Annotated[float, Field(ge=0, le=60 * 24 * 400)] = 1.0


class Rehearsal(Part):
    """A conversation to walk through.

    Attributes:
        device_id: On which number; null: one without settings of its own.
        bot: A draft to try; null: what holds now.
        at: When it begins; null: now.
        known: The chat was there before: no welcome at its beginning.
    """

    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=100)]
    device_id: PublicDeviceId | None = None
    team_id: PublicTeamId | None = None
    bot: Bot | None = None
    at: AwareDatetime | None = None
    name: Annotated[str, StringConstraints(max_length=100)] = ""
    known: bool = False


class Outcome(Part):
    """What the bot does at one step.

    Attributes:
        why: The code of the reason for what it says, or for its silence.
        rule: Which rule, menu option or message fired.
        silent: Whether it is silent from here on, until a person is done.
        menu: The menu that waits for a number.
    """

    at: datetime
    why: Why | None = None
    rule: str | None = None
    text: str | None = None
    media_id: PublicMediaId | None = None
    delay_seconds: float = 0.0
    hand_over: bool = False
    close: bool = False
    team_id: PublicTeamId | None = None
    tag_ids: tuple[PublicTagId, ...] = ()
    silent: bool = False
    menu: str | None = None


class Rehearsed(Part):
    """The conversation with the bot's part, a step for each of the steps."""

    steps: tuple[Outcome, ...]


@router.post("/simulate", responses=problems(NumbersAway, NumberMissing, RuleInvalid))
@needs(Scope.READ)
async def simulate(body: Rehearsal, caller: Caller, db: Db, bus: OnBus) -> Rehearsed:
    """Walk a conversation through the rules and say why each fired; nothing is sent, nothing is remembered."""
    if body.device_id is not None:
        await known_number(db, bus, caller, body.device_id)
    bot = body.bot or await standing(db, caller, body.device_id)
    async with db.transaction(caller.tenant) as tx:
        account = (await facts.accounts(await raw(tx), [caller.tenant]))[caller.tenant]
    bots = Compiled((), {ACCOUNT: (bot, Matcher(bot.rules))})
    setting = compiled.setting(bots, account, body.device_id or ACCOUNT, body.team_id)
    return Rehearsed(steps=tuple(rehearse(setting, body)))


def rehearse(setting: Setting, body: Rehearsal) -> list[Outcome]:
    """Give the outcome of each step."""
    state = State(fresh=not body.known)
    at = body.at or datetime.now(UTC)
    outcomes = []
    for step in body.steps:
        at += timedelta(minutes=step.after_minutes)
        outcome = Outcome(at=at)
        if step.who == "person":
            state = msgspec.structs.replace(state.paused(at, pause(setting.bot)), fresh=False)
        elif step.who == "close":
            state = state.closed()
        else:
            done = decide(setting, state, Incoming(at=at, text=step.text, name=body.name), at)
            state = done.state
            action = done.action
            outcome = Outcome.model_validate(
                {
                    "at": at,
                    "why": done.why,
                    "rule": done.rule,
                    "text": done.text,
                    "media_id": done.media,
                    "delay_seconds": round(done.delay, 1) if done.speaks else 0.0,
                    "hand_over": action is not None and action.hand_over,
                    "close": action is not None and action.close,
                    "team_id": action.team_id if action is not None else None,
                    "tag_ids": action.tag_ids if action is not None else (),
                }
            )
        outcomes.append(outcome.model_copy(update={"silent": state.silent(at), "menu": state.menu}))
        if step.who == "customer" and done.action is not None and done.action.close:
            state = state.closed()
    return outcomes
