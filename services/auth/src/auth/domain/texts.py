"""What people type, checked and written one way."""

import re
import unicodedata
from functools import cache
from zoneinfo import available_timezones

from email_validator import EmailNotValidError, validate_email

from auth.domain.problems import PasswordTooLong

#: bcrypt reads this many bytes and no more: what follows would not count.
PASSWORD_BYTES = 72
PASSWORD_CHARACTERS = 8
#: RFC 5321: the longest path is 256 with its angle brackets.
EMAIL_CHARACTERS = 254

_CURRENCY = re.compile(r"[A-Z]{3}")


def email(text: str) -> str:
    """Normalise an e-mail address, in lower case.  Raises: ValueError.

    Test domains are welcome: nobody is written to before an address has been confirmed by its owner.
    """
    text = text.strip()
    if len(text) > EMAIL_CHARACTERS:
        raise ValueError(f"An e-mail address has at most {EMAIL_CHARACTERS} characters.")
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return found.normalized.lower()


def name(text: str) -> str:
    """Strip a name.  Raises: ValueError: empty, over 100 characters, or with control characters (Postgres cannot store a NUL)."""
    text = unicodedata.normalize("NFC", text.strip())
    if not 1 <= len(text) <= 100:
        raise ValueError("A name has 1 to 100 characters.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ValueError("A name has no control characters.")
    return text


def password(text: str) -> str:
    """Take a password, as every keyboard writes it (NFC).  Raises: PasswordTooLong."""
    text = unicodedata.normalize("NFC", text)
    if len(text.encode()) > PASSWORD_BYTES:
        raise PasswordTooLong(f"At most {PASSWORD_BYTES} bytes in UTF-8; this one has {len(text.encode())}.")
    return text


def written(text: str) -> str:
    """Take a text that can be written as UTF-8.  Raises: ValueError: JSON can hold half of a surrogate pair, UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("This text holds half a character.") from None
    return text


def time_zone(text: str) -> str:
    """Take the name of an IANA time zone.  Raises: ValueError."""
    if text not in _zones():
        raise ValueError("This is no IANA time zone, such as America/Bogota.")
    return text


def currency(text: str) -> str:
    """Take a currency's three letters, in upper case.  Raises: ValueError."""
    if not _CURRENCY.fullmatch(text.upper()):
        raise ValueError("A currency has three letters (ISO 4217), such as COP.")
    return text.upper()


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - {"localtime", "Factory", "posixrules"}
