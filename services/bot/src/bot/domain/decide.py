"""What becomes of one message of a customer: at most one answer, and why.

The order in which it is looked at::

    old history · a group · switched off · too late · overtaken · a person answers here · the other side is a program
    0 for a person · the open menu · the first rule · out of hours · welcome · nothing that anybody knows
"""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from contracts.hours import Hours, is_open, next_opening

from bot.domain import texts
from bot.domain.phrases import Matcher, fold
from bot.domain.settings import Action, Bot, Menu, Option, Reply, Rule
from bot.domain.state import MENU_OPEN, PERSON_OPEN, State

#: What is older is not answered any more: the customer has gone on.
LATE = timedelta(minutes=10)
MENU_TRIES = 2
SUSPICION_MAX = 2
HEARD = 3
#: Nobody types that fast: letters a second, for a text of at least so many.
LETTERS_PER_SECOND = 12.0
LETTERS_LEAST = 12
QUICK = timedelta(seconds=15)
ANSWERS_PER_HOUR = 20
LOOP_PAUSE = timedelta(hours=1)
_HOUR = timedelta(hours=1)


class Why(StrEnum):
    """Why it spoke or was silent."""

    HISTORY = "history"
    GROUP = "group"
    OFF = "off"
    LATE = "late"
    OVERTAKEN = "overtaken"
    PAUSED = "paused"
    LOOP = "loop"
    PERSON = "person"
    OPTION = "option"
    NO_OPTION = "no-option"
    RULE = "rule"
    OUT_OF_HOURS = "out-of-hours"
    WELCOME = "welcome"
    UNKNOWN = "unknown"
    NOTHING_SAID = "nothing-said"


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A customer's message.  *text* is the text or the caption; None in a voice note."""

    at: datetime
    text: str | None = None
    name: str | None = None
    history: bool = False
    group: bool = False


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What holds where the message came in.

    Attributes:
        hours: The bot's own hours, else the service hours of the chat; None: always open.
    """

    bot: Bot
    matcher: Matcher
    hours: Hours | None = None
    locale: str = "es"
    time_zone: str = "UTC"
    number: str = ""
    account: str = ""

    def menu(self, id: str | None) -> Menu | None:
        """Give the menu *id*."""
        return next((menu for menu in self.bot.menus if menu.id == id), None)


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What is done about a message.

    Attributes:
        why: The code of the reason.
        rule: The rule, or ``menu:key``, that fired.
        text: What is said; with *media* beside it or alone.
        delay: Seconds until it is said.
        action: What happens besides; None: nothing.
        unknown: The folded text, where no rule knew it.
    """

    state: State
    why: Why
    rule: str | None = None
    text: str | None = None
    media: str | None = None
    delay: float = 0.0
    action: Action | None = None
    unknown: str | None = None

    @property
    def speaks(self) -> bool:
        """Tell whether anything is said."""
        return self.text is not None or self.media is not None


def decide(setting: Setting, state: State, message: Incoming, now: datetime) -> Decision:
    """Decide about *message*, which was not decided about before.

    Args:
        now: When it is handled; a message that is older than `LATE` gets no answer.
    """
    if message.history or message.group:
        return Decision(state=state, why=Why.HISTORY if message.history else Why.GROUP)
    before, state = state, _heard(state, message)
    silence = _silence(setting, before, state, message, now)
    if silence is not None:
        # Only what was looked at counts as suspicious; a pause that the suspicion brings is kept.
        return Decision(state=state.paused(message.at, LOOP_PAUSE) if silence is Why.LOOP else state, why=silence)
    return (
        _person(setting, state, message)
        or _menu(setting, state, message)
        or _rule(setting, state, message)
        or _out_of_hours(setting, state, message)
        or _welcome(setting, before, state, message)
        or _nothing(state, message)
    )


def _silence(setting: Setting, before: State, state: State, message: Incoming, now: datetime) -> Why | None:
    """Say why nothing may be said, if so."""
    if not setting.bot.enabled:
        return Why.OFF
    if now - message.at > LATE:
        return Why.LATE
    if before.seen_at is not None and message.at < before.seen_at:
        return Why.OVERTAKEN
    if state.silent(message.at):
        return Why.PAUSED
    if state.suspicion >= SUSPICION_MAX:
        return Why.LOOP
    if state.count >= ANSWERS_PER_HOUR and state.count_since is not None and message.at - state.count_since < _HOUR:
        return Why.LOOP
    return None


def _heard(state: State, message: Incoming) -> State:
    """Take note that the customer wrote, and whether it looked like a program."""
    if state.paused_at is not None and not state.silent(message.at):
        state = state.resumed()
    if state.seen_at is not None and message.at < state.seen_at:
        return state
    text = fold(message.text or "")
    digest = hashlib.blake2s(text.encode(), digest_size=6).hexdigest() if text else ""
    is_option = state.menu is not None and text.isdecimal()
    same = bool(digest) and digest in state.heard
    suspicious = not is_option and (_is_inhuman(state, message, text) or (same and state.answered_at is not None))
    return msgspec.structs.replace(
        state,
        seen_at=message.at,
        heard=(*state.heard, digest)[-HEARD:] if digest and not is_option else state.heard,
        suspicion=state.suspicion + 1 if suspicious else 0,
    )


def _is_inhuman(state: State, message: Incoming, text: str) -> bool:
    if state.answered_at is None or len(text) < LETTERS_LEAST:
        return False
    waited = message.at - state.answered_at
    return timedelta(0) <= waited < QUICK and len(text) > LETTERS_PER_SECOND * waited.total_seconds()


def _person(setting: Setting, state: State, message: Incoming) -> Decision | None:
    if state.menu_at is None or message.at - state.menu_at > PERSON_OPEN or fold(message.text or "") != "0":
        return None
    return _handed(setting, state, message, Why.PERSON, rule="0")


def _handed(setting: Setting, state: State, message: Incoming, why: Why, rule: str) -> Decision:
    """Pass the chat to a person: that is said, and the bot is silent from here on."""
    said = texts.handed_over(setting.locale)
    spoken = _spoken(setting, state, message, said)
    return Decision(
        state=spoken.paused(message.at, pause(setting.bot)),
        why=why,
        rule=rule,
        text=said,
        delay=_delay(setting, message, said),
        action=Action(hand_over=True),
    )


def _menu(setting: Setting, state: State, message: Incoming) -> Decision | None:
    menu = setting.menu(state.menu)
    if menu is None or state.menu_at is None or message.at - state.menu_at > MENU_OPEN:
        return None
    key = fold(message.text or "")
    option = next((option for option in menu.options if key in (option.key, fold(option.label))), None)
    if option is not None:
        return _option(setting, state, message, menu, option)
    if message.text and setting.matcher.first(message.text) is not None:
        return None
    if state.tries + 1 > MENU_TRIES:
        return _handed(setting, state, message, Why.NO_OPTION, rule=menu.id)
    said = texts.fill(texts.again(menu, setting.locale), _values(setting, message))
    tried = msgspec.structs.replace(_spoken(setting, state, message, said), tries=state.tries + 1, menu_at=message.at)
    return Decision(state=tried, why=Why.NO_OPTION, rule=menu.id, text=said, delay=_delay(setting, message, said))


def _option(setting: Setting, state: State, message: Incoming, menu: Menu, option: Option) -> Decision:
    over = msgspec.structs.replace(state, menu=None, tries=0)
    return _answer(setting, over, message, Why.OPTION, f"{menu.id}:{option.key}", option.reply, option.action)


def _rule(setting: Setting, state: State, message: Incoming) -> Decision | None:
    rule: Rule | None = setting.matcher.first(message.text) if message.text else None
    if rule is None:
        return None
    over = msgspec.structs.replace(state, menu=None, tries=0)
    return _answer(setting, over, message, Why.RULE, rule.id, rule.reply, rule.action)


def _out_of_hours(setting: Setting, state: State, message: Incoming) -> Decision | None:
    said, hours = setting.bot.out_of_hours, setting.hours
    if not said.enabled or is_open(hours, message.at):
        return None
    if state.closed_until is not None and message.at < state.closed_until:
        return Decision(state=state, why=Why.NOTHING_SAID, rule=Why.OUT_OF_HOURS)
    # One that never opens again within the horizon of the rule is told of once a day.
    opens = next_opening(hours, message.at) or message.at + timedelta(days=1)
    told = msgspec.structs.replace(state, closed_until=opens)
    return _answer(setting, told, message, Why.OUT_OF_HOURS, Why.OUT_OF_HOURS, said.reply, Action())


def _welcome(setting: Setting, before: State, state: State, message: Incoming) -> Decision | None:
    welcome = setting.bot.welcome
    if not welcome.enabled:
        return None
    first = before.fresh and before.seen_at is None and before.greeted_at is None
    long_ago = (
        welcome.after_days is not None and before.seen_at is not None and message.at - before.seen_at >= timedelta(days=welcome.after_days)
    )
    if not first and not long_ago:
        return None
    return _answer(setting, state, message, Why.WELCOME, Why.WELCOME, welcome.reply, Action(menu=welcome.menu))


def _nothing(state: State, message: Incoming) -> Decision:
    folded = fold(message.text or "")
    return Decision(state=state, why=Why.UNKNOWN if folded else Why.NOTHING_SAID, unknown=folded or None)


def _answer(setting: Setting, state: State, message: Incoming, why: Why, rule: str, reply: Reply | None, action: Action) -> Decision:
    """Say *reply*, with the menu that follows in the same message, and do *action*."""
    said = texts.fill(reply.text, _values(setting, message)) if reply is not None and reply.text is not None else ""
    menu = setting.menu(action.menu)
    if menu is not None:
        said = "\n\n".join(part for part in (said, texts.fill(texts.menu(menu, setting.locale), _values(setting, message))) if part)
    media = None if reply is None or reply.media_id is None else str(reply.media_id)
    if said or media:
        state = _spoken(setting, state, message, said)
    if menu is not None:
        state = msgspec.structs.replace(state, menu=menu.id, menu_at=message.at, tries=0)
    if action.hand_over:
        state = state.paused(message.at, pause(setting.bot))
    acts = action if action.tag_ids or action.team_id or action.hand_over or action.close else None
    return Decision(state=state, why=why, rule=str(rule), text=said or None, media=media, delay=_delay(setting, message, said), action=acts)


def _spoken(setting: Setting, state: State, message: Incoming, said: str) -> State:
    """Take note of an answer."""
    old = state.count_since is None or message.at - state.count_since >= _HOUR
    return msgspec.structs.replace(
        state,
        fresh=False,
        greeted_at=message.at,
        answered_at=message.at + timedelta(seconds=_delay(setting, message, said)),
        count=1 if old else state.count + 1,
        count_since=message.at if old else state.count_since,
    )


def _delay(setting: Setting, message: Incoming, said: str) -> float:
    """Give how long to wait: the same for the same message, whoever asks; a little longer for a long answer."""
    least, most = setting.bot.manners.delay_seconds
    seed = hashlib.blake2s(f"{message.at.isoformat()}{message.text}".encode(), digest_size=4).digest()
    share = int.from_bytes(seed) / 0xFFFFFFFF
    return least + (most - least) * (0.5 * share + 0.5 * min(1.0, len(said) / 300))


def pause(bot: Bot) -> timedelta | None:
    """Give how long a person's answer keeps *bot* silent; None: until the chat is closed."""
    minutes = bot.manners.pause_minutes
    return None if minutes is None else timedelta(minutes=minutes)


def _values(setting: Setting, message: Incoming) -> dict[str, str]:
    name = (message.name or "").strip()
    opens = None if is_open(setting.hours, message.at) else next_opening(setting.hours, message.at)
    return {
        "contact.name": name,
        "contact.first_name": name.partition(" ")[0],
        "number.name": setting.number,
        "account.name": setting.account,
        "opens_at": texts.when(opens, setting.hours.time_zone if setting.hours is not None else setting.time_zone, setting.locale),
    }
