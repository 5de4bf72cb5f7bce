"""What the bot says, with the variables filled in."""

import re
from collections.abc import Mapping
from datetime import datetime

from contracts.hours import zone

from bot.domain.settings import Menu

SAID_MAX = 4_096
#: What may stand between ``{{`` and ``}}``.
VARIABLES = ("contact.name", "contact.first_name", "number.name", "account.name", "opens_at")

_VARIABLE = re.compile(r"\{\{\s*([a-z_.]+)\s*\}\}")
_DAYS = {
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    "pt": ("segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado", "domingo"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_PERSON = {"es": "Hablar con una persona", "pt": "Falar com uma pessoa", "en": "Talk to a person"}
_AGAIN = {
    "es": "No te entendí. Responde con el número de una opción.",
    "pt": "Não entendi. Responda com o número de uma opção.",
    "en": "Sorry, I did not get that. Answer with the number of an option.",
}
_HANDED = {
    "es": "Te paso con una persona del equipo.",
    "pt": "Vou passar você para uma pessoa da equipe.",
    "en": "I am passing you to a person of the team.",
}


def language(locale: str) -> str:
    """Give the language of *locale*, of those that the bot speaks: Spanish where it is another."""
    short = locale.partition("-")[0].lower()
    return short if short in _DAYS else "es"


def fill(text: str, values: Mapping[str, str]) -> str:
    """Give *text* with *values* for its variables; one that is not known is left out, and nothing in a value is a variable."""
    filled = _VARIABLE.sub(lambda match: values.get(match[1], ""), text)
    return re.sub(r"[ \t]{2,}", " ", filled)[:SAID_MAX].strip()


def menu(shown: Menu, locale: str) -> str:
    """Write *shown* as a text with one line an option, the way to a person last."""
    lines = [f"{option.key}. {option.label}" for option in shown.options]
    return "\n".join([shown.text, "", *lines, f"0. {_PERSON[language(locale)]}"])


def again(shown: Menu, locale: str) -> str:
    """Ask for a number once more."""
    return f"{_AGAIN[language(locale)]}\n\n{menu(shown, locale)}"


def handed_over(locale: str) -> str:
    """Say that a person comes."""
    return _HANDED[language(locale)]


def when(at: datetime | None, time_zone: str, locale: str) -> str:
    """Write a time as people say it: ``lunes 9:00``; nothing where there is none."""
    if at is None:
        return ""
    local = at.astimezone(zone(time_zone))
    return f"{_DAYS[language(locale)][local.weekday()]} {local.hour}:{local.minute:02}"
