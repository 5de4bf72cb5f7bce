"""Phone numbers as people write them."""

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber

from conversations.domain.errors import PhoneInvalid

_WRITTEN = re.compile(r"\+?[0-9()\-. \u00a0]+")
_SEPARATORS = re.compile(r"[+()\-. \u00a0]")
_LEADING = re.compile(r"^(?:'|(?:whatsapp|tel|phone):|https?://wa\.me/|wa\.me/)+", re.IGNORECASE)
_WHOLE = re.compile(r"(\d{7,15})\.0+")
SHORTEST, LONGEST = 7, 15

COUNTRIES = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""ISO 3166 codes of the countries whose numbers can be told apart."""


def parse(text: str) -> str:
    """Read the digits of an international number; ``+``, spaces, dashes, dots and brackets may stand in it.

    Raises: PhoneInvalid: anything else stands in it, or it has fewer than 7 or more than 15 digits (ITU-T E.164).
    """
    written = text.strip()
    digits = _SEPARATORS.sub("", written)
    if not _WRITTEN.fullmatch(written) or not SHORTEST <= len(digits) <= LONGEST:
        raise PhoneInvalid(f"A phone number has {SHORTEST} to {LONGEST} digits with the country code, such as +55 11 91234-5678.")
    return digits


def digits_of(query: str) -> str | None:
    """Read what somebody searches as the beginning of a number; None when it looks like none."""
    written = query.strip()
    return _SEPARATORS.sub("", written) or None if _WRITTEN.fullmatch(written) else None


def international(text: str, country: str | None = None) -> str:
    """Read the digits of a number as it stands in somebody's list: with its country code, or without one as *country* writes it.

    A number that begins with ``+`` or ``00`` is taken as it says. Any other is of *country* where it is a whole number there, and
    else has its country code in front.

    Raises: PhoneInvalid.
    """
    written = _LEADING.sub("", text.strip()).strip()
    if found := _WHOLE.fullmatch(written):  # a number, as spreadsheets write one
        written = found[1]
    if not _WRITTEN.fullmatch(written) or not any(c.isdecimal() for c in written):
        raise PhoneInvalid("There are other signs than digits in it.")
    if written.startswith("00"):
        written = f"+{written[2:]}"
    abroad = _read(written if written.startswith("+") else f"+{_SEPARATORS.sub('', written)}", None)
    home = None if country is None or written.startswith("+") else _read(written, country)
    if home is not None and phonenumbers.is_valid_number(home):
        return _digits(home)
    if abroad is not None and (phonenumbers.is_valid_number(abroad) or (home is None and phonenumbers.is_possible_number(abroad))):
        return _digits(abroad)
    if home is not None and phonenumbers.is_possible_number(home):
        return _digits(home)
    raise PhoneInvalid("It is too short, too long, or of no country.")


def variants(phone: str) -> tuple[str, ...]:
    """Give the digits of *phone* in every way that WhatsApp may name it, its own first.

    Brazil's ninth digit, Mexico's 1 and Argentina's 9 stand in some of WhatsApp's names and not in others
    (https://faq.whatsapp.com/1294841057948784).
    """
    match phone[:2], len(phone):
        case "55", 13 if phone[4] == "9" and phone[5] in "6789":
            return phone, phone[:4] + phone[5:]
        case "55", 12 if phone[4] in "6789":
            return phone, f"{phone[:4]}9{phone[4:]}"
        case "52", 12:
            return phone, f"521{phone[2:]}"
        case "52", 13 if phone[2] == "1":
            return phone, f"52{phone[3:]}"
        case "54", 12:
            return phone, f"549{phone[2:]}"
        case "54", 13 if phone[2] == "9":
            return phone, f"54{phone[3:]}"
    return (phone,)


def looks_like(text: str) -> bool:
    """Tell whether *text* could be a phone: 8 to 15 digits and nothing but what people write between them."""
    written = _LEADING.sub("", text.strip()).strip()
    return bool(_WRITTEN.fullmatch(written)) and 8 <= len(_SEPARATORS.sub("", written)) <= LONGEST


def country_of(phone: str) -> str | None:
    """Name the country of a number with its country code; None where it is of none, or of several."""
    number = _read(f"+{phone}", None)
    return None if number is None else phonenumbers.region_code_for_number(number)


def _read(text: str, country: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except NumberParseException:
        return None


def _digits(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
