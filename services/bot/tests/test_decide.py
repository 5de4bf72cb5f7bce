"""What the bot says to one message after another."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from bot.domain.decide import ANSWERS_PER_HOUR, LATE, Decision, Incoming, Setting, Why, decide
from bot.domain.phrases import Matcher
from bot.domain.settings import Bot
from bot.domain.state import State
from contracts.hours import Hours, Weekly
from hypothesis import given
from hypothesis import strategies as st

MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
FRESH = State(fresh=True)
OFFICE = Hours(time_zone="UTC", weekly=tuple(Weekly(day=day, opens="09:00", closes="18:00") for day in range(5)))
DOCUMENT = {
    "enabled": True,
    "welcome": {"enabled": True, "reply": {"text": "¡Hola {{contact.first_name}}! Soy {{number.name}}."}, "menu": "main"},
    "out_of_hours": {"enabled": True, "reply": {"text": "Abrimos el {{opens_at}}."}},
    "rules": [
        {"id": "price", "name": "Precio", "match": "any_of", "phrases": ["precio"], "reply": {"text": "Cuesta 10."}},
        {"id": "agent", "name": "Persona", "match": "contains", "phrases": ["queja"], "action": {"hand_over": True}},
    ],
    "menus": [
        {
            "id": "main",
            "text": "¿Qué necesitas?",
            "options": [
                {"key": "1", "label": "Ventas", "reply": {"text": "Te ayudo a comprar."}},
                {"key": "2", "label": "Soporte", "action": {"hand_over": True}},
                {"key": "3", "label": "Más", "action": {"menu": "more"}},
            ],
        },
        {"id": "more", "text": "Más:", "options": [{"key": "1", "label": "Envíos", "reply": {"text": "En 3 días."}}]},
    ],
}


def a_setting(hours: Hours | None = None, **changes: object) -> Setting:
    bot = Bot.model_validate(DOCUMENT | changes)
    return Setting(bot=bot, matcher=Matcher(bot.rules), hours=hours, number="Tienda", account="Café Luna")


class Talk:
    """One chat, one message after another, with the time that passes between."""

    def __init__(self, setting: Setting | None = None, state: State = FRESH, at: datetime = MONDAY) -> None:
        self.setting, self.state, self.at = setting or a_setting(), state, at

    def says(self, text: str | None, after: float = 30, late: float = 0, **more: object) -> Decision:
        self.at += timedelta(seconds=after)
        message = msgspec.convert({"at": self.at, "text": text, "name": "Luis Pérez", **more}, Incoming)
        done = decide(self.setting, self.state, message, self.at + timedelta(seconds=late))
        self.state = done.state
        return done


def test_the_first_message_is_welcomed_by_name_with_the_menu_below():
    done = Talk().says("buenas tardes")
    assert done.why is Why.WELCOME
    assert done.text == "¡Hola Luis! Soy Tienda.\n\n¿Qué necesitas?\n\n1. Ventas\n2. Soporte\n3. Más\n0. Hablar con una persona"
    assert 1 <= done.delay <= 3


def test_who_was_welcomed_is_welcomed_again_after_the_silence_and_not_before():
    talk = Talk()
    talk.says("hola")
    assert talk.says("gracias", after=86_400 * 29).why is not Why.WELCOME
    assert talk.says("hola de nuevo", after=86_400 * 31).why is Why.WELCOME


def test_a_chat_that_was_there_before_the_bot_gets_no_welcome():
    assert Talk(state=State()).says("hola").why is Why.UNKNOWN


def test_a_keyword_is_answered_even_on_the_first_message_and_alone():
    talk = Talk()
    assert talk.says("¿qué PRECIO tiene?").text == "Cuesta 10."
    assert talk.says("y otra cosa").why is Why.UNKNOWN


def test_a_menu_is_walked_down_and_its_options_answer():
    talk = Talk()
    talk.says("hola")
    assert "Más:" in (talk.says("3").text or "")
    assert talk.says("Envíos").text == "En 3 días."
    assert talk.says("1").why is Why.UNKNOWN


def test_zero_leads_to_a_person_also_when_the_menu_is_long_over():
    talk = Talk()
    talk.says("hola")
    talk.says("1")
    done = talk.says("0", after=3_600 * 5)
    assert done.why is Why.PERSON
    assert done.action is not None
    assert done.action.hand_over
    assert talk.says("precio").why is Why.PAUSED


def test_an_option_that_hands_over_silences_the_bot():
    talk = Talk()
    talk.says("hola")
    done = talk.says("2")
    assert done.action is not None
    assert done.action.hand_over
    assert talk.says("sigo aquí").why is Why.PAUSED


def test_what_is_no_option_is_asked_again_twice_and_then_a_person_comes():
    talk = Talk()
    talk.says("hola")
    assert "No te entendí" in (talk.says("quizás el azul").text or "")
    assert "No te entendí" in (talk.says("mejor el rojo").text or "")
    done = talk.says("o el verde")
    assert done.why is Why.NO_OPTION
    assert done.action is not None
    assert done.action.hand_over


def test_a_voice_note_in_a_menu_is_asked_for_a_number():
    talk = Talk()
    talk.says("hola")
    assert talk.says(None).why is Why.NO_OPTION


def test_a_keyword_leads_out_of_a_menu():
    talk = Talk()
    talk.says("hola")
    assert talk.says("mejor dime el precio").why is Why.RULE
    assert talk.says("1").why is Why.UNKNOWN


def test_out_of_hours_is_said_once_until_it_opens_again_and_says_when():
    talk = Talk(a_setting(OFFICE), at=MONDAY + timedelta(hours=10))
    assert talk.says("hola").text == "Abrimos el martes 9:00."
    assert talk.says("¿hay alguien?").why is Why.NOTHING_SAID
    assert talk.says("¿ahora?", after=86_400).text == "Abrimos el miércoles 9:00."


def test_a_keyword_is_answered_out_of_hours_too():
    assert Talk(a_setting(OFFICE), at=MONDAY + timedelta(hours=10)).says("precio").why is Why.RULE


@pytest.mark.parametrize(
    ("more", "why"),
    [({"history": True}, Why.HISTORY), ({"group": True}, Why.GROUP), ({"late": LATE.total_seconds() + 1}, Why.LATE)],
)
def test_old_history_groups_and_late_messages_are_not_answered(more: dict[str, float], why: Why):
    done = Talk().says("precio", **more)  # type: ignore[arg-type]
    assert (done.why, done.speaks, done.action) == (why, False, None)


def test_switched_off_it_says_nothing():
    assert Talk(a_setting(enabled=False)).says("precio").why is Why.OFF


def test_a_message_that_another_overtook_is_not_answered():
    talk = Talk()
    talk.says("hola")
    assert talk.says("precio", after=-10).why is Why.OVERTAKEN


def test_a_person_keeps_it_silent_for_a_while_or_until_the_chat_is_closed():
    talk = Talk(a_setting(manners={"pause_minutes": 60}))
    talk.state = talk.state.paused(MONDAY, timedelta(minutes=60))
    assert talk.says("precio").why is Why.PAUSED
    assert talk.says("precio", after=3_600).why is Why.RULE
    talk.state = talk.state.paused(talk.at, None)
    assert talk.says("el precio de nuevo", after=86_400 * 9).why is Why.PAUSED
    talk.state = talk.state.closed()
    assert talk.says("dime tu precio").why is Why.RULE


def facing(one: Setting, two: Setting, seconds: float) -> list[str]:
    """Two bots facing each other, the first message a person's: what they said to each other."""
    talks = [Talk(one), Talk(two)]
    said: list[str] = []
    text: str | None = "Hola, buenas tardes"
    for turn in range(100):
        done = talks[turn % 2].says(text, after=seconds)
        talks[(turn + 1) % 2].at = talks[turn % 2].at + timedelta(seconds=done.delay)
        if not done.speaks:
            break
        text = done.text
        said.append(text or "")
    return said


ECHO = {
    "rules": [{"id": "any", "name": "any", "match": "regex", "phrases": ["[a-z0-9]"], "reply": {"text": "Gracias por escribir a Tienda."}}]
}


@pytest.mark.parametrize("seconds", [0.2, 2.0, 9.0])
def test_two_bots_facing_each_other_stop_within_three_messages_each(seconds: float):
    said = facing(a_setting(**ECHO), a_setting(**ECHO), seconds)
    assert 1 <= len(said) <= 6
    assert len(said[::2]) <= 3
    assert len(said[1::2]) <= 3


def test_a_person_who_answers_quickly_and_shortly_is_no_bot():
    talk = Talk(a_setting(**ECHO))
    for text in ("hola", "una duda", "el azul", "en talla M", "vale", "para hoy"):
        assert talk.says(text, after=4).why is Why.RULE


def test_a_program_that_never_repeats_itself_meets_the_limit_of_an_hour():
    talk = Talk(a_setting(**ECHO))
    answers = [talk.says(f"m {number}", after=40).speaks for number in range(ANSWERS_PER_HOUR + 5)]
    assert sum(answers) == ANSWERS_PER_HOUR


def test_a_name_that_looks_like_a_variable_stays_a_name():
    setting = a_setting()
    message = Incoming(at=MONDAY, text="hola", name="{{account.name}} <b>")
    assert (decide(setting, FRESH, message, MONDAY).text or "").startswith("¡Hola {{account.name}}!")


MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(["hola", "precio", "0", "1", "2", "3", "queja", "otra cosa larga y distinta", None]),
        st.integers(min_value=-120, max_value=7_200),
        st.sampled_from(["customer", "person", "closed", "history", "group"]),
    ),
    max_size=40,
)


@given(MESSAGES, st.booleans())
def test_whatever_comes_welcome_and_out_of_hours_are_said_once_a_window_and_nobody_is_talked_over(
    happenings: list[tuple[str | None, int, str]], restart: bool
):
    talk = Talk(a_setting(OFFICE))
    welcomes, closings = [], []
    silent = False
    for text, after, what in happenings:
        if what == "person":
            talk.at += timedelta(seconds=max(after, 0))
            talk.state = talk.state.paused(talk.at, None)
            silent = True
            continue
        if what == "closed":
            talk.state, silent = talk.state.closed(), False
            continue
        done = talk.says(text, after=after, history=what == "history", group=what == "group")
        talk.at = max(talk.at, talk.state.seen_at or talk.at)
        if restart:  # what is remembered is durable: a restart gives it back as it was written
            talk.state = msgspec.json.decode(msgspec.json.encode(talk.state), type=State)
        assert not (done.speaks and (silent or what in ("history", "group")))
        if done.why is Why.WELCOME and done.speaks:
            welcomes.append(talk.at)
        if done.why is Why.OUT_OF_HOURS and done.speaks:
            closings.append(done.state.closed_until)
        if done.action is not None and done.action.hand_over:
            silent = True
            talk.state = msgspec.structs.replace(talk.state, paused_until=None)
    assert len(welcomes) <= 1
    assert len(set(closings)) == len(closings)
